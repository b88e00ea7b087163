"""Reasons of messages become a fixed list with the details beside them; a campaign remembers how far it has looked."""

from django.db import migrations, models

REASONS = [
    ("too_late", "noticed too late"),
    ("given_recently", "the last gift of this campaign is too recent"),
    ("no_address", "no e-mail address: shown in the portal instead"),
    ("no_consent", "no consent to e-mail: shown in the portal instead"),
    ("consent_withdrawn", "the consent was withdrawn before sending"),
    ("not_a_member", "no longer a member"),
    ("retrying", "a passing error; tried again"),
    ("refused", "refused by the mail server"),
    ("gave_up", "given up after too many tries or too long a time"),
    ("lost", "the sender stopped half-way; it may have gone out"),
    ("error", "an unexpected error"),
]
LOOKED_AT = {
    "blank": True,
    "editable": False,
    "help_text": "Occasions up to here are settled: sent, or skipped with a reason.",
    "null": True,
    "verbose_name": "last looked for occasions at",
}


class Migration(migrations.Migration):
    dependencies = [("campaigns", "0002_birthday"), ("campaigns", "0002_initial")]
    operations = [
        migrations.AddField("campaign", "looked_at", models.DateTimeField(**LOOKED_AT)),
        migrations.AddField("historicalcampaign", "looked_at", models.DateTimeField(**LOOKED_AT)),
        migrations.AddField(
            "message", "detail", models.CharField(blank=True, max_length=300, verbose_name="detail")
        ),
        migrations.AlterField(
            "message",
            "reason",
            models.CharField(blank=True, choices=REASONS, max_length=20, verbose_name="reason"),
        ),
    ]
