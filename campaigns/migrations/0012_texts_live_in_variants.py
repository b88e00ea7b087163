"""What campaigns say is in their variants, and whether they run in their status: the columns from before go."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("campaigns", "0011_what_partners_tell")]

    operations = [
        migrations.RemoveField(model, name)
        for model in ("campaign", "historicalcampaign")
        for name in ("bodies", "is_active", "subjects")
    ]
