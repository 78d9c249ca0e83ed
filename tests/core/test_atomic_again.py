"""Two who lock each other out: one is ended by the database, and its action begins anew."""

import threading
from datetime import date

import pytest
from django.db import OperationalError, connections, transaction
from psycopg2.errors import DeadlockDetected

from core.actions import ATTEMPTS, atomic_again
from core.models import CalendarDay

FIRST, SECOND = date(2031, 3, 3), date(2031, 3, 4)


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_of_two_actions_that_lock_each_other_out_both_end_well():
    for day in (FIRST, SECOND):
        CalendarDay.objects.create(day=day, is_working=True, name="")
    both_hold_one = threading.Barrier(2)
    calls: list[str] = []
    ended_well: list[str] = []

    @atomic_again
    def rename(name, one, other):
        calls.append(name)
        CalendarDay.objects.filter(day=one).update(name=name)
        if calls.count(name) == 1:
            both_hold_one.wait(timeout=10)
        CalendarDay.objects.filter(day=other).update(name=name)

    def run(*words):
        try:
            rename(*words)
            ended_well.append(words[0])
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=words) for words in (("a", FIRST, SECOND), ("b", SECOND, FIRST))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)

    assert sorted(ended_well) == ["a", "b"]
    assert len(calls) > 2, "nobody was locked out"
    assert set(CalendarDay.objects.filter(day__in=(FIRST, SECOND)).values_list("name", flat=True)) == {ended_well[-1]}


def deadlock():
    raise OperationalError("deadlock detected") from DeadlockDetected()


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_an_action_that_never_gets_through_says_so_after_three_times():
    tried = []

    @atomic_again
    def act():
        tried.append(1)
        deadlock()

    with pytest.raises(OperationalError):
        act()
    assert len(tried) == ATTEMPTS


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_inside_another_transaction_the_outermost_must_begin_anew():
    tried = []

    @atomic_again
    def act():
        tried.append(1)
        deadlock()

    with pytest.raises(OperationalError), transaction.atomic():
        act()
    assert len(tried) == 1


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_any_other_error_is_not_tried_again():
    tried = []

    @atomic_again
    def act():
        tried.append(1)
        raise OperationalError("server closed the connection")

    with pytest.raises(OperationalError):
        act()
    assert len(tried) == 1
