import django.core.validators
import django.db.models.deletion
import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0003_store_time_zone'),
    ]

    operations = [
        pgtrigger.migrations.RemoveTrigger(
            model_name='store',
            name='update_update',
        ),
        migrations.RenameField(model_name='store', old_name='max_attempts', new_name='max_retries'),
        migrations.AlterField(
            model_name='store',
            name='max_retries',
            field=models.PositiveSmallIntegerField(default=3, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(10)], verbose_name='repeated calls when nobody answers'),
        ),
        migrations.RenameField(model_name='storeevent', old_name='max_attempts', new_name='max_retries'),
        migrations.AlterField(
            model_name='storeevent',
            name='max_retries',
            field=models.PositiveSmallIntegerField(default=3, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(10)], verbose_name='repeated calls when nobody answers'),
        ),
        migrations.AlterField(
            model_name='storeevent',
            name='pgh_obj',
            field=models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='code_name_daily_calls_gap_days_max_retries_lease_minutes_events', to='accounts.store'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='store',
            trigger=pgtrigger.compiler.Trigger(name='update_update', sql=pgtrigger.compiler.UpsertTriggerSql(condition='WHEN (OLD."code" IS DISTINCT FROM (NEW."code") OR OLD."daily_calls" IS DISTINCT FROM (NEW."daily_calls") OR OLD."gap_days" IS DISTINCT FROM (NEW."gap_days") OR OLD."lease_minutes" IS DISTINCT FROM (NEW."lease_minutes") OR OLD."max_retries" IS DISTINCT FROM (NEW."max_retries") OR OLD."name" IS DISTINCT FROM (NEW."name"))', func='INSERT INTO "accounts_storeevent" ("code", "daily_calls", "gap_days", "lease_minutes", "max_retries", "name", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id") VALUES (NEW."code", NEW."daily_calls", NEW."gap_days", NEW."lease_minutes", NEW."max_retries", NEW."name", _pgh_attach_context(), NOW(), \'update\', NEW."id"); RETURN NULL;', hash='a4ae71f9be3366c3c01c916a83bbede60155a80c', operation='UPDATE', pgid='pgtrigger_update_update_155f1', table='accounts_store', when='AFTER')),
        ),
    ]
