"""The segments a new installation begins with."""

from django.db import migrations
from django.utils import timezone

from members.segments.ready_made import READY


def put_in(apps, schema_editor):
    segments = apps.get_model("members", "Segment").objects
    now = timezone.now()
    for code, names, conditions in READY:
        segments.get_or_create(
            code=code, defaults={"names": names, "conditions": conditions, "created_at": now}
        )


class Migration(migrations.Migration):
    dependencies = [("members", "0010_segments")]

    operations = [migrations.RunPython(put_in, migrations.RunPython.noop)]
