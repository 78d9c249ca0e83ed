"""What other apps may want to know about customers. A lost signal heals by morning: the nightly planner looks again."""

from django.dispatch import Signal

# Customers said whether they want to be contacted; sent with ``customer_ids``, once the change is committed.
wishes_changed = Signal()

# Customers have a mobile again that is taken to be right; sent with ``customer_ids`` and ``by`` (None: the system)
# inside the transaction, under the customers' locks: what waited for the number is settled with it or not at all.
mobile_corrected = Signal()
