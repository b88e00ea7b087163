"""The members of a round, frozen in pages; why a round was cancelled; triggers found by campaign."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("campaigns", "0007_what_services_tell"),
        ("members", "0011_ready_made_segments"),
    ]

    operations = [
        migrations.CreateModel(
            name="RoundPage",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("number", models.PositiveIntegerField(verbose_name="number")),
                (
                    "member_ids",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(), size=None, verbose_name="members"
                    ),
                ),
            ],
            options={
                "verbose_name": "page of a round",
                "verbose_name_plural": "pages of rounds",
                "ordering": ["round", "number"],
            },
        ),
        migrations.RemoveIndex(
            model_name="trigger",
            name="trigger_due",
        ),
        migrations.AddField(
            model_name="round",
            name="reason",
            field=models.CharField(
                blank=True,
                choices=[("too_late", "noticed too late"), ("cancelled", "the campaign was cancelled")],
                max_length=20,
                verbose_name="reason",
            ),
        ),
        migrations.AlterField(
            model_name="trigger",
            name="campaign",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="triggers",
                to="campaigns.campaign",
                verbose_name="campaign",
            ),
        ),
        migrations.AddIndex(
            model_name="trigger",
            index=models.Index(fields=["campaign", "due_at"], name="trigger_of_campaign"),
        ),
        migrations.AddField(
            model_name="roundpage",
            name="round",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="pages",
                to="campaigns.round",
                verbose_name="round",
            ),
        ),
        migrations.AddConstraint(
            model_name="roundpage",
            constraint=models.UniqueConstraint(fields=("round", "number"), name="round_page_once"),
        ),
    ]
