"""Making a contact after all that nobody made in its window (domain §3.6, 7)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from django.utils.translation import gettext as _

from accounts.models import User
from core.actions import atomic_again
from core.queries import work_calendar
from followups.actions.assignments import NoSuchColleague, NotYoursToAssign, ReceivingAdviser
from followups.actions.locks import locked_points
from followups.choices import TouchPointStatus
from followups.models import TouchPoint
from followups.permissions import can_assign, can_be_assigned, pool_store_ids

# No rest lasts longer, holidays and the days around them included.
LONGEST_REST = timedelta(days=30)


@dataclass(frozen=True)
class TakenUp:
    """How many missed touch points are open again, and how many were left: gone, unwished, or taken up meanwhile."""

    taken: int
    left: int


@atomic_again
def take_up_again(*, touch_points: Sequence[int], to: User, on: date, by: User) -> TakenUp:
    """Open touch points again that were missed lately, for a person, until the end of the next working day.

    What the customer does not wish any more, or what concerns a car or a person that is gone, is left. Raises
    ``NotYoursToAssign`` unless ``by`` manages the store or, taking them for themselves, works its pool;
    ``NoSuchColleague`` unless ``to`` calls customers there; ``ReceivingAdviser`` for a call after a service that ``to``
    received the car for. Then nothing is opened.
    """
    missed = TouchPoint.objects.filter(pk__in=touch_points).missed_lately(on=on).still_wanted()
    rows = list(locked_points(missed).values_list("pk", "store_id"))
    stores = {store_id for _pk, store_id in rows}
    own = pool_store_ids(by) if to == by else frozenset()
    if not all(store_id in own or can_assign(by, store_id) for store_id in stores):
        raise NotYoursToAssign(_("Only managers of the store give its tasks to people."))
    if not all(can_be_assigned(to, store_id) for store_id in stores):
        raise NoSuchColleague(_("%(person)s does not call customers in this store.") % {"person": to})
    opened = TouchPoint.objects.filter(pk__in=[pk for pk, _store_id in rows])
    if opened.received_by(to).exists():
        raise ReceivingAdviser(
            _("%(person)s received one of these cars and cannot make the call after the service.") % {"person": to}
        )
    tomorrow = on + timedelta(days=1)
    until = work_calendar(tomorrow, tomorrow + LONGEST_REST).on_or_after(tomorrow)
    taken = opened.update(
        status=TouchPointStatus.OPEN, reason="", closed_on=None, closes_on=until, not_before=None, assignee=to
    )
    return TakenUp(taken=taken, left=len(set(touch_points)) - taken)
