"""What other apps may want to know about cars. A lost signal heals by morning: the nightly planner looks again."""

from django.dispatch import Signal

# Something that care is planned from changed; sent with ``customer_ids``, once the change is committed.
care_facts_changed = Signal()

# Who has a car is put right or confirmed; sent with ``vehicle_id``, ``customer_id`` (who was on file as its owner) and
# ``by`` (None: the system) inside the transaction, under the customer's lock: what waited for it is settled with it.
owner_settled = Signal()
