from django.contrib.postgres.operations import BtreeGinExtension, TrigramExtension
from django.db import migrations


class Migration(migrations.Migration):
    """Index types that the search stands on (trigrams for numbers, store plus grams for names)."""

    initial = True

    operations = [TrigramExtension(), BtreeGinExtension()]
