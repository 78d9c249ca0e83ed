from django.urls import path

from followups.views import batch, calendar, care_plan, day, desk, jobs, missed, panels, queue, search

app_name = "followups"
urlpatterns = [
    # The day and the team (S1)
    path("", day.day, name="day"),
    path("ahead/", day.day_ahead, name="day_ahead"),
    path("birthdays/", day.day_birthdays, name="day_birthdays"),
    path("export/", day.day_export, name="day_export"),
    path("team/export/", day.team_export, name="team_export"),
    path("team/", day.team, name="team"),
    path("team/assign/", day.team_assign, name="team_assign"),
    path("missed/", missed.missed_list, name="missed_list"),
    path("missed/take-up/", missed.missed_take_up, name="missed_take_up"),
    # The guided queue (S2)
    path("queue/start/", queue.queue_start, name="queue_start"),
    path("queue/<int:customer>/", queue.queue_card_show, name="queue_card"),
    path("queue/<int:customer>/claim/", queue.queue_claim, name="queue_claim"),
    path("queue/<int:customer>/save/", queue.queue_save, name="queue_save"),
    path("queue/<int:customer>/skip/", queue.queue_skip, name="queue_skip"),
    path("queue/<int:customer>/release/", queue.queue_release, name="queue_release"),
    path("queue/<int:customer>/call/", queue.queue_call, name="queue_call"),
    # Messages to many
    path("messages/", batch.batch_list, name="batch_list"),
    path("messages/<str:store>/<str:rule>/<str:nominal_on>/", batch.batch_detail, name="batch_detail"),
    path("messages/<str:store>/<str:rule>/<str:nominal_on>/send/", batch.batch_send, name="batch_send"),
    path("messages/<str:store>/<str:rule>/<str:nominal_on>/export/", batch.batch_export, name="batch_export"),
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
    path("desk/export/", desk.desk_export, name="desk_export"),
    path("desk/settle/", desk.desk_settle, name="desk_settle"),
]
