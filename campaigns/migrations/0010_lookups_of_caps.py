"""Find what counts towards a member's caps at a glance, however much was written to them over the years."""

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("campaigns", "0009_lookups_of_sending")]

    operations = [
        migrations.AddIndex(
            model_name="message",
            index=models.Index(
                fields=["member", "due_at"],
                name="message_counted",
                condition=Q(status__in=["due", "sending", "sent", "unknown"]) & ~Q(channel="inbox"),
            ),
        ),
    ]
