"""The one programme row, so that a bare ``migrate`` gives a working programme."""

from django.db import migrations


def create_programme(apps, schema_editor):
    apps.get_model("loyalty", "Programme").objects.get_or_create(pk=1)


class Migration(migrations.Migration):
    dependencies = [("loyalty", "0001_initial")]
    operations = [migrations.RunPython(create_programme, migrations.RunPython.noop)]
