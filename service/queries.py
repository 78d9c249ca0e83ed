"""Reads about visits that are more than one queryset."""

import re
import unicodedata

from accounts.models import User
from service.models import WorkOrder

SHORTEST_NUMBER = 4


def find_work_orders(user: User, text: str, *, limit: int) -> list[WorkOrder]:
    """Return the work orders that a user may see and whose number begins with a text, the newest first (screens S3)."""
    wanted = re.sub(r"\s+", "", unicodedata.normalize("NFKC", text)).upper()
    if len(wanted) < SHORTEST_NUMBER or not re.search(r"\d", wanted):
        return []
    orders = WorkOrder.objects.visible_to(user).filter(number__startswith=wanted)
    return list(orders.select_related("customer", "vehicle").order_by("-arrived_on", "-pk")[:limit])
