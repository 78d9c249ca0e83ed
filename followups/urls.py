from django.urls import path

from followups.views import calendar, care_plan, desk, jobs, panels, search

app_name = "followups"
urlpatterns = [
    # Jobs
    path("jobs/", jobs.job_list, name="job_list"),
    path("jobs/run/", jobs.job_run, name="job_run"),
    path("jobs/progress/", jobs.job_progress, name="job_progress"),
    path("jobs/<int:pk>/", jobs.job_detail, name="job_detail"),
    # Settings of the care plan
    path("care-plan/", care_plan.rule_list, name="rule_list"),
    path("care-plan/<int:pk>/", care_plan.rule_detail, name="rule_detail"),
    path("care-plan/<int:pk>/edit/", care_plan.rule_edit, name="rule_edit"),
    path("care-plan/<int:pk>/preview/", care_plan.rule_preview, name="rule_preview"),
    path("care-plan/<int:pk>/switch/", care_plan.rule_switch, name="rule_switch"),
    path("care-plan/<int:pk>/own/", care_plan.rule_override, name="rule_override"),
    path("care-plan/<int:pk>/own/remove/", care_plan.rule_override_remove, name="rule_override_remove"),
    path("care-plan/stores/", care_plan.store_limits, name="store_limits"),
    path("care-plan/stores/<int:pk>/", care_plan.store_limits_edit, name="store_limits_edit"),
    path("care-plan/calendar/", calendar.calendar, name="calendar"),
    path("care-plan/calendar/add/", calendar.calendar_day_add, name="calendar_day_add"),
    path("care-plan/calendar/fill/", calendar.calendar_fill, name="calendar_fill"),
    path("care-plan/calendar/<int:pk>/", calendar.calendar_day_edit, name="calendar_day_edit"),
    path("care-plan/calendar/<int:pk>/remove/", calendar.calendar_day_remove, name="calendar_day_remove"),
    # Search, and panels of the customer's and the car's page
    path("search/", search.search, name="search"),
    path("care/of-customer/<int:pk>/", panels.customer_care, name="customer_care"),
    path("care/of-vehicle/<int:pk>/", panels.vehicle_care, name="vehicle_care"),
    path("contacts/of-customer/<int:pk>/", panels.customer_contacts, name="customer_contacts"),
    path("next-steps/of-customer/<int:pk>/", panels.customer_next_steps, name="customer_next_steps"),
    # Lists and internal forms
    path("desk/", desk.desk, name="desk"),
    path("desk/settle/", desk.desk_settle, name="desk_settle"),
]
