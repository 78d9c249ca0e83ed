"""Who looked at whose personal data, noted before it is shown (domain §11.1, ADR 0013)."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import User
from customers.choices import PersonalDataField
from customers.models import Customer, PersonalDataAccess
from customers.permissions import can_reveal, needs_reason


def log_data_access(
    *, customers: Iterable[int], field: PersonalDataField, by: User, at: datetime, reason: str = ""
) -> int:
    """Note that somebody opened, dialled or took away data of customers; return how many lines were written.

    The log of domain §11.1; write it before the value is shown.
    """
    lines = [
        PersonalDataAccess(customer_id=customer, field=field, by=by, at=at, reason=reason[:200])
        for customer in customers
    ]
    return len(PersonalDataAccess.objects.bulk_create(lines, batch_size=2000))


SAME_LOOK = timedelta(hours=1)


def log_part_opened(*, customer: int, by: User, at: datetime) -> bool:
    """Note that somebody opened a page with a part of a customer's file; return whether a line was written.

    None is, when the same person has one about the customer from the hour before: the parts of a file that was opened
    are fetched one by one, and the alarm of domain §10 counts a customer once an hour.
    """
    lines = PersonalDataAccess.objects.filter(customer=customer, by=by, at__gt=at - SAME_LOOK, at__lte=at)
    if lines.exists():
        return False
    return bool(log_data_access(customers=[customer], field=PersonalDataField.FILE, by=by, at=at))


REVEALABLE = {
    PersonalDataField.MOBILE: "mobile",
    PersonalDataField.OTHER_PHONE: "other_phone",
    PersonalDataField.WECHAT: "wechat",
    PersonalDataField.ID_NUMBER: "id_number",
    PersonalDataField.ADDRESS: "address_detail",
}


class CannotReveal(Exception):
    """The value stays hidden; the message says why to the person who asked."""


@transaction.atomic
def reveal_personal_data(*, customer: Customer, field: PersonalDataField, reason: str, by: User, at: datetime) -> str:
    """Return a masked value of a customer in clear, after noting who saw it and why (domain §11.1).

    Raises ``PermissionDenied`` for a person who may never see it, ``CannotReveal`` without the reason that ID number
    and address need (domain §10).
    """
    if not can_reveal(by, customer, field):
        raise PermissionDenied(_("Your role does not include seeing this field."))
    if needs_reason(field) and not reason.strip():
        raise CannotReveal(_("Say why you need it; the reason is kept."))
    log_data_access(customers=[customer.pk], field=field, by=by, at=at, reason=reason.strip())
    return getattr(customer, REVEALABLE[field])
