from django.db import migrations


def fill(apps, schema_editor):
    import holidays

    calendar_day = apps.get_model("core", "CalendarDay")
    rows = []
    for year in range(2015, 2036):
        china = holidays.country_holidays("CN", years=year, language="zh_CN")
        rows += [calendar_day(day=d, is_working=False, name=n[:80]) for d, n in sorted(china.items()) if d.year == year]
        rows += [
            calendar_day(day=d, is_working=True, name="调休上班")
            for d in sorted(china.weekend_workdays)
            if d.year == year
        ]
    calendar_day.objects.bulk_create(rows, ignore_conflicts=True)


class Migration(migrations.Migration):
    """Public holidays and make-up days as far as the library knows them; edited in the settings from here on."""

    dependencies = [("core", "0002_initial")]

    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
