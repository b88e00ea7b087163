"""The first terms of redemptions, for every installation: staff revise them in the admin."""

import datetime as dt

from django.db import migrations
from django.db.migrations.state import StateApps

SINCE = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)


def add(apps: StateApps, _editor: object) -> None:
    apps.get_model("rewards", "RedemptionTerms").objects.get_or_create(valid_from=SINCE)


class Migration(migrations.Migration):
    dependencies = [("rewards", "0010_catalogue_redemptions_challenges")]
    operations = [migrations.RunPython(add, migrations.RunPython.noop)]
