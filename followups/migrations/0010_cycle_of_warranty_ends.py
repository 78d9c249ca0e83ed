from django.db import migrations

# The end of a warranty is a forecast now (ADR 0014): a promise about it is the same one when its date moves. Where two
# nominal dates were promised to one car, the later one is what moves.
CYCLES = """
UPDATE followups_touchpoint AS point SET cycle_on = latest.warranty_from_on
FROM (
    SELECT DISTINCT ON (t.rule_id, t.customer_id, t.vehicle_id, t.step) t.id, car.warranty_from_on
    FROM followups_touchpoint AS t
    JOIN followups_carerule AS rule ON rule.id = t.rule_id
    JOIN vehicles_vehicle AS car ON car.id = t.vehicle_id
    WHERE rule.trigger IN ('warranty_end', 'three_guarantees_end')
      AND t.cycle_on IS NULL AND car.warranty_from_on IS NOT NULL
    ORDER BY t.rule_id, t.customer_id, t.vehicle_id, t.step, t.nominal_on DESC
) AS latest
WHERE point.id = latest.id
"""


class Migration(migrations.Migration):
    dependencies = [("followups", "0009_missed_index"), ("vehicles", "0005_runs_out")]

    operations = [migrations.RunSQL(CYCLES, migrations.RunSQL.noop)]
