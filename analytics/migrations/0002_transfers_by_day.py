"""An index for reading the ledger by business time. Block ranges: next to no cost for those who write."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("analytics", "0001_initial"), ("rewards", "0001_initial")]
    operations = [
        migrations.RunSQL(
            sql="""CREATE INDEX analytics_transfer_by_day ON rewards_transfer
                   USING brin (occurred_at) WITH (pages_per_range = 32, autosummarize = on)""",
            reverse_sql="DROP INDEX analytics_transfer_by_day",
        )
    ]
