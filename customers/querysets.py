from typing import TYPE_CHECKING, Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Case, F, Func, Q, Value, When

from accounts.permissions import within_reach
from customers.choices import Channel

if TYPE_CHECKING:
    from accounts.models import User
    from customers.models import Customer


def channels_that_reach(customer: str = "") -> Func:
    """An expression: the message channels by which a customer can be written to, by the numbers and addresses on file.

    ``customer`` is the path to the customer, such as ``customer__``. A number that is known to be wrong reaches nobody,
    and neither does a WeChat ID that is this number. What the app knows of a customer is not on file here.
    """

    def filled(name: str) -> Q:
        return ~Q(**{f"{customer}{name}": ""})

    mobile = filled("mobile") & Q(**{f"{customer}is_mobile_wrong": False})
    wechat = mobile | (filled("wechat") & ~Q(**{f"{customer}wechat": F(f"{customer}mobile")}))
    conditions = {
        Channel.SMS: mobile,
        Channel.WECHAT: wechat,
        Channel.WECOM: wechat,
        Channel.EMAIL: filled("email"),
        Channel.LETTER: filled("address_detail"),
        Channel.CARD: filled("address_detail"),
    }
    return Func(
        Value(Channel.APP.value),
        *(Case(When(condition, then=Value(channel.value))) for channel, condition in conditions.items()),
        template="array_remove(ARRAY[%(expressions)s]::varchar(10)[], NULL)",
        output_field=ArrayField(models.CharField(max_length=10)),
    )


class CustomerQuerySet(models.QuerySet):
    def visible_to(self, user: "User") -> Self:
        """Customers whose file a user may open (domain §10)."""
        return within_reach(self, user, own="sales_consultant")

    def active(self) -> Self:
        """Customers who can be contacted at all: neither deceased nor anonymised."""
        return self.filter(status="active")

    def with_mobile_of(self, customer: "Customer") -> Self:
        """Other active customers of the same store with the same mobile, which may be right (domain §1.1)."""
        if not customer.mobile:
            return self.none()
        same = self.active().filter(store=customer.store_id, mobile=customer.mobile)
        return same.exclude(pk=customer.pk).order_by("pk")

    def for_list(self) -> Self:
        """With what a row of the customer list shows: the people who look after them, and their cars."""
        people = self.select_related("sales_consultant", "service_adviser", "care_specialist")
        return people.without_encrypted().prefetch_related("vehicles__model")

    def without_encrypted(self) -> Self:
        """Without the fields that cost a decryption a row and are on no list."""
        return self.defer("id_number", "address_detail")

    def for_file(self) -> Self:
        """With what the head of a customer's file shows."""
        return self.select_related("store", "sales_consultant", "service_adviser", "care_specialist", "referrer")
