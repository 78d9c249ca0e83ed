"""The commands about cars."""

import json

import pytest
from django.core.management import CommandError, call_command

from tests.factories import CustomerFactory, VehicleFactory
from vehicles.models import Vehicle

pytestmark = pytest.mark.django_db


def run(capsys, *arguments):
    call_command("refresh_cars", *arguments)
    return json.loads(capsys.readouterr().out)["changed"]


def test_all_cars_or_those_of_a_store_are_computed_anew_and_again_nothing_changes(capsys, store, other_store):
    cars = [VehicleFactory(owner=CustomerFactory(store=each)) for each in (store, other_store, other_store)]
    assert run(capsys, "--store", "BZ01") == 1
    assert Vehicle.objects.filter(next_service_on__isnull=False).get() == cars[0]
    assert run(capsys) == 2
    assert run(capsys) == 0


def test_a_store_that_there_is_not_is_said(store):
    with pytest.raises(CommandError, match="'XX'") as refused:
        call_command("refresh_cars", "--store", "XX")
    assert refused.value.returncode == 2
