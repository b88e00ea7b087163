"""A sign-up remembers the browser that followed a link."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("members", "0011_ready_made_segments")]
    operations = [
        migrations.AddField(
            model_name="signup",
            name="visitor",
            field=models.UUIDField(
                blank=True,
                help_text="The number of the browser that followed a link here.",
                null=True,
                verbose_name="visitor",
            ),
        )
    ]
