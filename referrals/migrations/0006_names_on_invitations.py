"""A member may allow their first name on the page that friends see."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("referrals", "0005_weights_of_signals")]
    operations = [
        migrations.AddField(
            model_name="referralcode",
            name="shows_name",
            field=models.BooleanField(
                default=False,
                help_text="On the page that friends see who follow the link.",
                verbose_name="shows the first name",
            ),
        )
    ]
