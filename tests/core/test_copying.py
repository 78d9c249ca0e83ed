"""Rows that come in by COPY are the rows that ``save`` would have made."""

from datetime import date
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction

from core.copying import copy_in
from customers.models import Customer
from tests.factories import TODAY, CustomerFactory, VehicleFactory, vin
from vehicles.models import Vehicle

pytestmark = pytest.mark.django_db

ODD = 'a\\b\tc\nd\re"f{g},\\N 王'


def test_every_kind_of_value_survives(store):
    customer = Customer(
        store=store,
        number="K1",
        entered_on=TODAY,
        name="王小明",
        name_grams=["王", '"', "\\", ",", "小明"],
        note=ODD,
        address_detail=ODD,
        birthday_month=3,
        birthday_day=4,
    )
    copy_in([customer])
    saved = Customer.objects.get()
    assert (saved.pk, saved.note, saved.address_detail) == (customer.pk, ODD, ODD)
    assert (saved.name_grams, saved.birthday_year, saved.is_mobile_wrong) == (customer.name_grams, None, False)
    assert (saved.care_anchor_on, saved.created_at is not None) == (TODAY, True)
    customer.name = "张三"
    customer.save(update_fields=["name"])
    assert Customer.objects.get().name == "张三"


def test_a_copied_row_equals_a_saved_one(store):
    owner = CustomerFactory(store=store)
    saved = VehicleFactory(store=store, owner=owner, delivery_on=date(2026, 1, 10), daily_km=Decimal("12.5"))
    saved.refresh_from_db()
    values = {f.attname: getattr(saved, f.attname) for f in Vehicle._meta.concrete_fields if not f.has_db_default()}
    copied = Vehicle(**(values | {"id": None, "vin": vin(9), "plate": ""}))
    copy_in([copied])
    copied = Vehicle.objects.get(vin=vin(9))
    differing = {name for name, value in values.items() if getattr(copied, name) != value}
    assert differing <= {"id", "vin", "plate"}


def test_ids_go_on_after_a_copy(store):
    copy_in([Customer(store=store, number=f"K{n}", entered_on=TODAY, name="王") for n in range(3)])
    assert CustomerFactory(store=store).pk > max(Customer.objects.values_list("pk", flat=True)[1:])
    copy_in([])


def test_a_constraint_holds_for_copied_rows_too(store):
    rows = [Customer(store=store, number="K1", entered_on=TODAY, name="王") for _n in range(2)]
    with pytest.raises(IntegrityError), transaction.atomic():
        copy_in(rows)
    assert Customer.objects.count() == 0
