"""Which primary keys the made-up rows get: they follow from the index of the customer, so nobody has to be asked."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

# As many keys are kept free for each customer.
MOST_CARS = 5
MOST_ORDERS = MOST_CONTACTS = 1000


@dataclass(frozen=True, slots=True)
class FileIds:
    """The primary keys of one customer and of what hangs on the file."""

    customer: int
    cars: Iterator[int]
    orders: Iterator[int]
    contacts: Iterator[int]


@dataclass(frozen=True, slots=True)
class Keys:
    """The primary keys that rows point at, and the first free one of each table whose keys are given out here."""

    stores: Mapping[str, int]
    users: Mapping[str, int]
    models: Mapping[tuple[str, str, int, str], int]
    first_customer: int
    first_car: int
    first_order: int
    first_contact: int

    def ids_of(self, index: int) -> FileIds:
        """Return the keys of the customer with that index. They follow from it alone; some stay unused."""
        return FileIds(
            customer=self.first_customer + index,
            cars=_block(self.first_car, index, MOST_CARS),
            orders=_block(self.first_order, index, MOST_ORDERS),
            contacts=_block(self.first_contact, index, MOST_CONTACTS),
        )


def _block(first: int, index: int, size: int) -> Iterator[int]:
    start = first + index * size
    return iter(range(start, start + size))
