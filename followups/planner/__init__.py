"""The planner: which contacts are promised, from when to when, and the nightly run that writes them down."""

from followups.planner.preview import PlannedTouchPoint, count_planned, export_touch_points, planned_touch_points
from followups.planner.run import JOB_NAME, PlanResult, effective_rules, last_completed, plan_care, plan_customers

__all__ = [
    "JOB_NAME",
    "PlanResult",
    "PlannedTouchPoint",
    "count_planned",
    "effective_rules",
    "export_touch_points",
    "last_completed",
    "plan_care",
    "plan_customers",
    "planned_touch_points",
]
