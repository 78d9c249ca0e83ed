"""When the jobs run. The schedule is code: a change of it is reviewed like any other."""

from celery.schedules import crontab

SCHEDULE = {
    # Every quarter of an hour: it plans the stores whose clock has passed 02:00 and whose day is not planned yet, so
    # that a store in any time zone is served, and a night without a worker is caught up as soon as one is there.
    "plan-due-stores": {"task": "followups.plan_due_stores", "schedule": crontab(minute="*/15")},
    # Whoever changes a plan starts it at once; this is for what was lost on the way. Nothing marked, nothing done.
    "refresh-changed-models": {"task": "vehicles.refresh_changed_models", "schedule": crontab(minute="*/15")},
    # Leases end by themselves; this only keeps their table small.
    "release-expired-leases": {"task": "followups.release_expired_leases", "schedule": crontab(minute=7)},
}
