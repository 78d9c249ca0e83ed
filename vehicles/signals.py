"""What other apps may want to know about cars. A lost signal heals by morning: the nightly planner looks again."""

from django.dispatch import Signal

# Something that care is planned from changed; sent with ``customer_ids``, once the change is committed.
care_facts_changed = Signal()
