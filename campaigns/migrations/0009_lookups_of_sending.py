"""Find what may be claimed and what is claimed at a glance, however many messages there are."""

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("campaigns", "0008_pages_of_rounds")]

    operations = [
        migrations.AddIndex(
            model_name="message",
            index=models.Index(
                fields=["campaign", "channel", "due_at", "id"],
                name="message_waiting",
                condition=Q(status="due") & ~Q(arm="treated", variant__isnull=True),
            ),
        ),
        migrations.AddIndex(
            model_name="message",
            index=models.Index(fields=["claim"], name="message_claimed", condition=Q(status="sending")),
        ),
    ]
