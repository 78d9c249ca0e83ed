"""What became of the promises since the system went live: the made-up contacts settle the touch points they fit."""

import time
from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta

from django.db import connection

from core.models import JobRun
from core.rules import days_between
from followups.choices import Handling, Outcome, TouchPointStatus
from followups.models import CareRule
from followups.planner import JOB_NAME, plan_care


@dataclass(frozen=True)
class PlannedHistory:
    """What planning the demo data made: touch points by what became of them."""

    planned: int
    suppressed: int
    settled: int
    plan_seconds: float


def plan_history(*, today: date, days: int) -> PlannedHistory:
    """Run the planner for each of the last ``days`` days up to today, and settle the past as the histories have it."""
    started = time.monotonic()
    planned = suppressed = settled = 0
    for day in days_between(today - timedelta(days=days - 1), today):
        result = plan_care(on=day)
        planned += result.created
        suppressed += result.suppressed
        done = settle_history(before=day)
        _tell_run(day, done)
        settled += done.total()
    return PlannedHistory(planned, suppressed, settled, round(time.monotonic() - started, 1))


def settle_history(*, before: date) -> Counter[int]:
    """Mark touch points done whose window a made-up contact fell into; return how many of each rule.

    The planner, run for the first time, finds the windows since the system went live and calls them missed, for it
    cannot know that somebody made the contacts that the demo data tell of. A conversation settles what is to be spoken
    about, a message what may be written; internal forms and lists were done but for one in twelve.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE followups_touchpoint AS point
            SET status = %(done)s, reason = '', closed_on = fit.contact_on, settled_by_id = fit.contact_id
            FROM (
                SELECT DISTINCT ON (missed.id) missed.id, contact.contact_on, contact.id AS contact_id
                FROM followups_touchpoint AS missed
                JOIN followups_carerule AS rule ON rule.id = missed.rule_id
                JOIN followups_contactlog AS contact
                  ON contact.customer_id = missed.customer_id
                 AND contact.contact_on BETWEEN missed.opens_on AND missed.closes_on
                WHERE missed.status = %(missed)s AND missed.closes_on < %(before)s
                  AND ((contact.is_effective AND missed.handling = %(contact)s)
                       OR (contact.outcome = %(sent)s AND contact.channel = ANY (rule.channels)))
                ORDER BY missed.id, contact.is_effective DESC, contact.contact_on, contact.id
            ) AS fit
            WHERE point.id = fit.id
            RETURNING point.rule_id
            """,
            _WORDS | {"before": before},
        )
        settled = Counter(rule for (rule,) in cursor.fetchall())
        cursor.execute(
            """
            UPDATE followups_touchpoint AS point SET status = %(done)s, reason = '', closed_on = point.due_on
            FROM customers_customer AS customer
            WHERE customer.id = point.customer_id AND point.status = %(missed)s AND point.closes_on < %(before)s
              AND point.handling IN (%(form)s, %(list)s) AND right(customer.number, 3)::integer %% 12 <> 0
            RETURNING point.rule_id
            """,
            _WORDS | {"before": before},
        )
        settled.update(rule for (rule,) in cursor.fetchall())
    return settled


def _tell_run(day: date, settled: Counter[int]) -> None:
    """Let the run of a day count as missed what the ledger has so: nobody should start with an alarm that is none."""
    run = JobRun.objects.filter(name=JOB_NAME, business_date=day).latest("pk")
    run.counts["missed"] -= settled.total()
    for rule in CareRule.objects.filter(pk__in=settled):
        # By rule a run counts only what it made itself, not what it found open.
        if made := run.counts["by_rule"].get(rule.code):
            made["missed"] = max(made["missed"] - settled[rule.pk], 0)
    run.save(update_fields=["counts"])


_WORDS = {
    "done": str(TouchPointStatus.DONE),
    "missed": str(TouchPointStatus.MISSED),
    "sent": str(Outcome.MESSAGE_SENT),
    "contact": str(Handling.CONTACT),
    "form": str(Handling.FORM),
    "list": str(Handling.LIST),
}
