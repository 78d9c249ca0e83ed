"""What other apps may want to know about customers. A lost signal heals by morning: the nightly planner looks again."""

from django.dispatch import Signal

# Customers said whether they want to be contacted; sent with ``customer_ids``, once the change is committed.
wishes_changed = Signal()
