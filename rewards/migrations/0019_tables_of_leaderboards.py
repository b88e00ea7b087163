"""Leaderboards have a table for each period; scores belong to nicknames; staff keep a list of forbidden words."""

import uuid

import django.core.validators
import django.db.models.deletion
import simple_history.models
from django.db import migrations, models

WORDS = (
    # Who might be taken for the programme's own people.
    ("admin", True), ("moderator", True), ("moderaattori", True), ("ylläpito", True), ("ylläpitäjä", True),
    ("asiakaspalvelu", True), ("kundtjänst", True), ("kundservice", True), ("henkilökunta", True), ("personal", False),
    ("kantis", True),
    # What nobody wants to read over coffee.
    ("vittu", True), ("perkele", True), ("saatana", True), ("paska", False), ("kyrpä", True), ("huora", True),
    ("neekeri", True), ("ryssä", True), ("natsi", False), ("hitler", True), ("jävla", False), ("jävel", False),
    ("fitta", True), ("kuk", False), ("hora", False), ("fuck", True), ("shit", False), ("cunt", False),
    ("nigger", True), ("nazi", False), ("whore", True),
)  # fmt: skip


def seed_words(apps, schema_editor):
    word_model = apps.get_model("rewards", "ForbiddenWord")
    word_model.objects.bulk_create(word_model(word=word, anywhere=anywhere) for word, anywhere in WORDS)


class Migration(migrations.Migration):
    dependencies = [("rewards", "0018_causes_and_draws")]
    operations = [
        migrations.DeleteModel("LeaderboardScore"),
        migrations.DeleteModel("LeaderboardProfile"),
        migrations.CreateModel(
            name="ForbiddenWord",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("word", models.CharField(max_length=40, unique=True, verbose_name="word")),
                (
                    "anywhere",
                    models.BooleanField(
                        default=False,
                        help_text="Otherwise only as a word of its own: “ass” would forbid “class” too.",
                        verbose_name="also inside other words",
                    ),
                ),
            ],
            options={
                "verbose_name": "forbidden word",
                "verbose_name_plural": "forbidden words",
                "ordering": ["word"],
            },
        ),
        migrations.CreateModel(
            name="HistoricalForbiddenWord",
            fields=[
                (
                    "id",
                    models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name="ID"),
                ),
                ("word", models.CharField(db_index=True, max_length=40, verbose_name="word")),
                (
                    "anywhere",
                    models.BooleanField(
                        default=False,
                        help_text="Otherwise only as a word of its own: “ass” would forbid “class” too.",
                        verbose_name="also inside other words",
                    ),
                ),
                ("history_user_id", models.BigIntegerField(blank=True, null=True)),
                ("history_id", models.AutoField(primary_key=True, serialize=False)),
                ("history_date", models.DateTimeField(db_index=True)),
                ("history_change_reason", models.CharField(max_length=100, null=True)),
                (
                    "history_type",
                    models.CharField(
                        choices=[("+", "Created"), ("~", "Changed"), ("-", "Deleted")], max_length=1
                    ),
                ),
            ],
            options={
                "verbose_name": "historical forbidden word",
                "verbose_name_plural": "historical forbidden words",
                "ordering": ("-history_date", "-history_id"),
                "get_latest_by": ("history_date", "history_id"),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name="LeaderboardProfile",
            fields=[
                (
                    "member",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="leaderboard_profile",
                        serialize=False,
                        to="members.member",
                        verbose_name="member",
                    ),
                ),
                ("nickname", models.CharField(max_length=30, verbose_name="nickname")),
                ("key", models.CharField(editable=False, max_length=60, unique=True)),
                ("joined_at", models.DateTimeField(verbose_name="joined at")),
                (
                    "renamed_by_staff_at",
                    models.DateTimeField(editable=False, null=True, verbose_name="renamed by staff at"),
                ),
            ],
            options={
                "verbose_name": "nickname",
                "verbose_name_plural": "nicknames",
                "ordering": ["-joined_at"],
            },
        ),
        migrations.AlterModelOptions(
            name="leaderboard",
            options={
                "ordering": ["position", "code"],
                "verbose_name": "leaderboard",
                "verbose_name_plural": "leaderboards",
            },
        ),
        migrations.AddField(
            model_name="historicalleaderboard",
            name="position",
            field=models.PositiveSmallIntegerField(default=0, verbose_name="position"),
        ),
        migrations.AddField(
            model_name="historicalleaderboard",
            name="settling_days",
            field=models.PositiveSmallIntegerField(
                default=3,
                help_text="For so many days after a period has ended, late purchases and refunds still move its table.",
                validators=[django.core.validators.MaxValueValidator(60)],
                verbose_name="days to settle",
            ),
        ),
        migrations.AddField(
            model_name="leaderboard",
            name="position",
            field=models.PositiveSmallIntegerField(default=0, verbose_name="position"),
        ),
        migrations.AddField(
            model_name="leaderboard",
            name="settling_days",
            field=models.PositiveSmallIntegerField(
                default=3,
                help_text="For so many days after a period has ended, late purchases and refunds still move its table.",
                validators=[django.core.validators.MaxValueValidator(60)],
                verbose_name="days to settle",
            ),
        ),
        migrations.CreateModel(
            name="LeaderboardTable",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("token", models.UUIDField(default=uuid.uuid4, editable=False)),
                ("starts_on", models.DateField(verbose_name="from")),
                ("ends_on", models.DateField(null=True, verbose_name="until (not included)")),
                ("revision", models.BigIntegerField(default=0, verbose_name="revision")),
                (
                    "removed_revision",
                    models.BigIntegerField(default=0, verbose_name="revision of the last removal"),
                ),
                ("counted_at", models.DateTimeField(null=True, verbose_name="counted at")),
                ("closed_at", models.DateTimeField(null=True, verbose_name="closed at")),
                (
                    "leaderboard",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="tables",
                        to="rewards.leaderboard",
                        verbose_name="leaderboard",
                    ),
                ),
            ],
            options={
                "verbose_name": "table of a leaderboard",
                "verbose_name_plural": "tables of leaderboards",
                "ordering": ["-starts_on", "leaderboard"],
            },
        ),
        migrations.CreateModel(
            name="LeaderboardScore",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "score",
                    models.BigIntegerField(
                        help_text="Points, or hundredths of the challenge's progress.", verbose_name="score"
                    ),
                ),
                ("revision", models.BigIntegerField(verbose_name="revision")),
                (
                    "profile",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="scores",
                        to="rewards.leaderboardprofile",
                        verbose_name="nickname",
                    ),
                ),
                (
                    "table",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="scores",
                        to="rewards.leaderboardtable",
                        verbose_name="table of a leaderboard",
                    ),
                ),
            ],
            options={
                "verbose_name": "score",
                "verbose_name_plural": "scores",
                "ordering": ["table_id", "-score", "profile_id"],
            },
        ),
        migrations.AddConstraint(
            model_name="leaderboardtable",
            constraint=models.UniqueConstraint(
                fields=("leaderboard", "starts_on"), name="table_once_per_period"
            ),
        ),
        migrations.AddConstraint(
            model_name="leaderboardtable",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("ends_on__isnull", True), ("ends_on__gt", models.F("starts_on")), _connector="OR"
                ),
                name="table_has_length",
            ),
        ),
        migrations.AddIndex(
            model_name="leaderboardscore",
            index=models.Index(fields=["table", "-score", "profile"], name="score_by_rank"),
        ),
        migrations.AddIndex(
            model_name="leaderboardscore",
            index=models.Index(fields=["table", "revision"], name="score_by_revision"),
        ),
        migrations.AddConstraint(
            model_name="leaderboardscore",
            constraint=models.UniqueConstraint(fields=("table", "profile"), name="score_once"),
        ),
        migrations.AddConstraint(
            model_name="leaderboardscore",
            constraint=models.CheckConstraint(
                condition=models.Q(("score__gte", 0)), name="score_not_negative"
            ),
        ),
        migrations.RunPython(seed_words, migrations.RunPython.noop, elidable=False),
    ]
