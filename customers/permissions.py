"""Who may change a customer's file and see what is masked in it (domain §10)."""

from typing import TYPE_CHECKING

from accounts.choices import Role
from accounts.permissions import has_role, is_within_reach
from customers.choices import PersonalDataField

if TYPE_CHECKING:
    from accounts.models import User
    from customers.models import Customer

# Full ID number and address: a sales consultant of own customers, sales and general managers; always with a reason.
SENSITIVE_FIELDS = frozenset({PersonalDataField.ID_NUMBER, PersonalDataField.ADDRESS})
WHOLE_STORE_EDITORS = (Role.CARE_SPECIALIST, Role.SERVICE_MANAGER, Role.SALES_MANAGER, Role.GENERAL_MANAGER)
SENSITIVE_READERS = (Role.SALES_MANAGER, Role.GENERAL_MANAGER)
WORKING_ROLES = (Role.SALES_CONSULTANT, Role.SERVICE_ADVISER, *WHOLE_STORE_EDITORS)


def can_open_file(user: "User", customer: "Customer") -> bool:
    """Tell whether a user may open a customer's file: the same answer as ``Customer.objects.visible_to``."""
    return is_within_reach(user, store_id=customer.store_id, consultant_id=customer.sales_consultant_id)


def can_edit_customer(user: "User", customer: "Customer") -> bool:
    """Tell whether a user may change a customer's data: advisers and consultants their own, others the store's."""
    store = customer.store_id
    if has_role(user, *WHOLE_STORE_EDITORS, store_id=store):
        return True
    if has_role(user, Role.SALES_CONSULTANT, store_id=store) and customer.sales_consultant_id == user.pk:
        return True
    return has_role(user, Role.SERVICE_ADVISER, store_id=store) and customer.service_adviser_id == user.pk


def needs_reason(field: str) -> bool:
    """Tell whether a masked field is shown only to those who say why they need it."""
    return field in SENSITIVE_FIELDS


def can_reveal(user: "User", customer: "Customer", field: str) -> bool:
    """Tell whether a user may see a masked field of a customer whose file they may open.

    Group managers and auditors never do: they look at masked rows. Phone numbers are open to whoever calls customers of
    the store.
    """
    store = customer.store_id
    if field not in SENSITIVE_FIELDS:
        return has_role(user, *WORKING_ROLES, store_id=store)
    if has_role(user, *SENSITIVE_READERS, store_id=store):
        return True
    return has_role(user, Role.SALES_CONSULTANT, store_id=store) and customer.sales_consultant_id == user.pk


def can_be_alarmed(user: "User") -> bool:
    """Tell whether very many looks at customers are an alarm on a user's screens: the GM's and the group's."""
    return has_role(user, Role.GENERAL_MANAGER, Role.GROUP_MANAGER)
