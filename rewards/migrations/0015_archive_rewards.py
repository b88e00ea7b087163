"""Rewards that are out of use can be put into the archive."""

from django.db import migrations, models

ARCHIVED_AT = {
    "blank": True,
    "editable": False,
    "help_text": "Out of the catalogue and of the lists; what was redeemed stays.",
    "null": True,
    "verbose_name": "archived at",
}


class Migration(migrations.Migration):
    dependencies = [("rewards", "0014_redemption_names_its_stock")]
    operations = [
        migrations.AddField("reward", "archived_at", models.DateTimeField(**ARCHIVED_AT)),
        migrations.AddField("historicalreward", "archived_at", models.DateTimeField(**ARCHIVED_AT)),
        migrations.AddConstraint(
            "reward",
            models.CheckConstraint(
                condition=models.Q(archived_at__isnull=True) | models.Q(is_active=False),
                name="reward_archived_is_out",
            ),
        ),
    ]
