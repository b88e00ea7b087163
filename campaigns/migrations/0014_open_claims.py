"""Claims of senders, in a table that a crash of the database server empties."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("campaigns", "0013_buttons_of_greetings"),
    ]

    operations = [
        migrations.CreateModel(
            name="OpenClaim",
            fields=[
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                ("taken_at", models.DateTimeField(verbose_name="taken at")),
            ],
            options={
                "verbose_name": "open claim",
                "verbose_name_plural": "open claims",
            },
        ),
        migrations.RunSQL("ALTER TABLE campaigns_openclaim SET UNLOGGED", migrations.RunSQL.noop),
    ]
