from django.db import migrations


class Migration(migrations.Migration):
    """The counter behind customer numbers: a sequence hands out each value once, without anybody waiting."""

    dependencies = [("customers", "0002_planner_keys")]

    operations = [
        migrations.RunSQL(
            "CREATE SEQUENCE customers_customer_number AS integer MINVALUE 1 MAXVALUE 999999 CYCLE",
            "DROP SEQUENCE customers_customer_number",
        )
    ]
