"""What nobody did in its window: for the supervisor, and for customer care, who makes up for it (domain §3.6, 7)."""

from datetime import date

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from accounts.http import StaffRequest
from accounts.models import Store, User
from core.paging import capped_count, keyset_page
from core.parsing import as_id
from followups.actions.assignments import CannotAssign
from followups.actions.missed import TakenUp, take_up_again
from followups.forms.team import TakeUpForm
from followups.models import TouchPoint
from followups.permissions import can_assign, can_make_up, pool_store_ids
from followups.queries.team import team_of
from followups.querysets import TouchPointQuerySet
from followups.rules.hours import local_time

PAGE_SIZE = 30


@require_safe
def missed_list(request: StaffRequest) -> HttpResponse:
    """The contacts of a store that were missed in the last seven days, the newest first."""
    stores = _stores_of(request.user)
    store = _chosen_store(request, stores)
    points = _missed(request.user, store)
    count, is_more = capped_count(points)
    rows = points.select_related("customer", "vehicle__model", "rule", "assignee")
    context = {
        "stores": stores,
        "store": store,
        "count": count,
        "is_more": is_more,
        "page": keyset_page(rows, by=("-closes_on", "-pk"), after=request.GET.get("after", ""), size=PAGE_SIZE),
        "people": _takers(request.user, store),
    }
    return render(request, "followups/missed_list.html", context)


@require_POST
def missed_take_up(request: StaffRequest) -> HttpResponse:
    """Open the ticked contacts again for a person, until the end of the next working day."""
    user = request.user
    store = _chosen_store(request, _stores_of(user))
    people = _takers(user, store)
    ids = [pk for text in request.POST.getlist("points") if (pk := as_id(text)) is not None]
    form = TakeUpForm(
        request.POST,
        people=[(person.pk, str(person)) for person in people],
        points=_missed(user, store).filter(pk__in=ids).values_list("pk", flat=True),
    )
    if not form.is_valid():
        for errors in form.errors.values():
            messages.error(request, str(errors[0]))
        return redirect(_address(store))
    to = User.objects.get(pk=form.cleaned_data["to"])
    points = form.cleaned_data["points"]
    try:
        result = take_up_again(touch_points=points, to=to, on=_today(store), by=user)
    except CannotAssign as error:
        messages.error(request, str(error))
    else:
        _tell(request, result, to)
    return redirect(_address(store))


def _tell(request: StaffRequest, result: TakenUp, to: User) -> None:
    if result.taken:
        words = ngettext(
            "%(count)d contact is open again, for %(person)s, until the end of the next working day.",
            "%(count)d contacts are open again, for %(person)s, until the end of the next working day.",
            result.taken,
        )
        messages.success(request, words % {"count": result.taken, "person": to})
    if result.left:
        words = ngettext(
            "%(count)d was left: the customer or the car is gone, or does not wish it any more.",
            "%(count)d were left: the customer or the car is gone, or does not wish it any more.",
            result.left,
        )
        messages.warning(request, words % {"count": result.left})


def _stores_of(user: User) -> list[Store]:
    if not can_make_up(user):
        raise PermissionDenied
    return list(Store.objects.active().filter(pk__in=pool_store_ids(user)).order_by("code"))


def _chosen_store(request: StaffRequest, stores: list[Store]) -> Store:
    code = request.GET.get("store") or request.POST.get("store")
    for store in stores:
        if not code or store.code == code:
            return store
    raise Http404


def _today(store: Store) -> date:
    return local_time(timezone.now(), store.time_zone).date()


def _missed(user: User, store: Store) -> TouchPointQuerySet:
    return TouchPoint.objects.visible_to(user).filter(store=store).missed_lately(on=_today(store))


def _takers(user: User, store: Store) -> list[User]:
    """To whom a user may give missed contacts: managers to everybody who calls, the others to themselves."""
    if not can_assign(user, store.pk):
        return [user]
    people = {membership.user_id: membership.user for membership in team_of(store)}
    return [user, *(person for pk, person in people.items() if pk != user.pk)]


def _address(store: Store) -> str:
    return f"{reverse('followups:missed_list')}?store={store.code}"
