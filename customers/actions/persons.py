"""Contact persons of an organisation."""

from django.db import transaction

from accounts.models import User
from core.actions import acting, locked
from customers.models import ContactPerson
from customers.rules import normalise_mobile


@transaction.atomic
def correct_person_number(*, person: ContactPerson, mobile: str, by: User) -> None:
    """Replace the mobile of a contact person, normalised; the organisation's own number stays as it is."""
    person.refresh_from_db(from_queryset=locked(ContactPerson.objects.all()))
    person.mobile = normalise_mobile(mobile)
    with acting(by):
        person.save(update_fields=["mobile"])
