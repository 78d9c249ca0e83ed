from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("customers", "0009_delivery_known_since"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="customer",
            index=models.Index(models.F("mobile"), models.F("store"), name="customer_mobile"),
        ),
        migrations.RemoveIndex(
            model_name="customer",
            name="customer_store_mobile",
        ),
    ]
