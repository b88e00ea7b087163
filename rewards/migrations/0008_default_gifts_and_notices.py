"""The default notices, terms of gifts and limits of staff, the account that gifts pass through, and kept history."""

import datetime as dt

from django.db import migrations

from loyalty.append_only import protect

ALWAYS = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def seed(apps, schema_editor):
    def model(name):
        return apps.get_model("rewards", name)

    for wallet in model("Wallet").objects.order_by("pk"):
        model("Account").objects.get_or_create(wallet=wallet, kind="moved", member=None)
    for days in (30, 7):
        model("ExpiryNotice").objects.get_or_create(days=days)
    if not model("GiftTerms").objects.exists():
        model("GiftTerms").objects.create(valid_from=ALWAYS, minimum=10, per_day=2_000, per_month=10_000)
    model("AdjustmentSettings").objects.get_or_create(pk=1)


class Migration(migrations.Migration):
    dependencies = [("rewards", "0007_expiry_gifts_adjustments")]
    operations = [
        migrations.RunPython(seed, migrations.RunPython.noop),
        protect("rewards_expiryslide"),
    ]
