"""Keep what an external id was enrolled with, so that a repeated enrolment is told from another one."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("members", "0002_tiers_and_kinds")]
    operations = [
        migrations.AddField(
            model_name="externalid",
            name="content_digest",
            field=models.BinaryField(
                editable=False,
                help_text="Tells a repeated enrolment from another person's; empty when the id was added later.",
                max_length=32,
                null=True,
                verbose_name="digest of the enrolment",
            ),
        ),
    ]
