from django.db import migrations


def celebrate_on_the_day(apps, schema_editor):
    """Make a contact that was promised so many days from a personal event the one of the day itself.

    The offsets of such a rule say nothing any more. Left where they are, these contacts would be promised, and made,
    once again; and of those that are over the check of the ledger would say that they are missing. Their windows stay.
    """
    CareRule = apps.get_model("followups", "CareRule")
    TouchPoint = apps.get_model("followups", "TouchPoint")
    rules = CareRule.objects.filter(trigger="personal_event")
    several = {(rule.code, rule.store_id) for rule in rules if len(rule.offsets) > 1}
    points = TouchPoint.objects.filter(rule__trigger="personal_event").select_related("rule")
    # From the far end: the next one stands where this one goes, and makes room first.
    for side, order in (({"step__lt": 0}, "-anchor_on"), ({"step__gt": 0}, "anchor_on")):
        for point in points.filter(**side).order_by(order, "pk"):
            if several & {(point.rule.code, None), (point.rule.code, point.store_id)}:
                continue  # one of several contacts about a day does not stand for it
            same = TouchPoint.objects.filter(rule=point.rule_id, customer=point.customer_id, vehicle=point.vehicle_id)
            if not same.filter(nominal_on=point.anchor_on).exists():
                TouchPoint.objects.filter(pk=point.pk).update(nominal_on=point.anchor_on, step=0)
    rules.exclude(offsets=[0]).update(offsets=[0])


class Migration(migrations.Migration):
    dependencies = [("followups", "0011_no_address")]

    operations = [migrations.RunPython(celebrate_on_the_day, migrations.RunPython.noop)]
