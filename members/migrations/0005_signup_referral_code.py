"""A sign-up remembers by whose link it came."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("members", "0004_signup")]
    operations = [
        migrations.AddField(
            "signup",
            "referral_code",
            models.CharField(
                blank=True,
                default="",
                help_text="The code in the link that they came by.",
                max_length=20,
                verbose_name="code of a friend",
            ),
            preserve_default=False,
        )
    ]
