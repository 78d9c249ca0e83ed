"""The planner: which contacts are promised, from when to when, and the nightly run that writes them down."""

from followups.planner.preview import PlannedTouchPoint, count_planned, export_touch_points, planned_touch_points
from followups.planner.run import PlanResult, effective_rules, plan_care, plan_customers
from followups.planner.runs import JOB_NAME

__all__ = [
    "JOB_NAME",
    "PlanResult",
    "PlannedTouchPoint",
    "count_planned",
    "effective_rules",
    "export_touch_points",
    "plan_care",
    "plan_customers",
    "planned_touch_points",
]
