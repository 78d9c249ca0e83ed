from django.db import migrations

from followups.care_plan import load_care_plan


def load(apps, schema_editor):
    load_care_plan(apps.get_model("followups", "CareRule"))


class Migration(migrations.Migration):
    """Load the delivered care plan once; from here on it is edited in the settings."""

    dependencies = [("followups", "0002_initial")]

    operations = [migrations.RunPython(load, migrations.RunPython.noop)]
