"""Campaigns of every kind: variants with texts, rounds, triggers, policies, tracking, feedback and results."""

import datetime
import re

import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
import simple_history.models
from django.conf import settings
from django.db import migrations, models

import campaigns.models.campaign
import loyalty.clock
import loyalty.ids

_PLACE = re.compile(r"(?P<lead>,?[ \u00a0]*)\{(?P<name>first_name|points|reward)\}")


def _as_liquid(text, occasion):
    """A text with places in braces, as the same text in Liquid."""
    points = "reward.points" if occasion == "affordable" else "points"

    def put(place):
        lead = place["lead"]
        if place["name"] == "first_name":
            return "{% if member.first_name %}" + lead + "{{ member.first_name }}{% endif %}"
        return lead + "{{ " + {"points": points, "reward": "reward.name"}[place["name"]] + " }}"

    return _PLACE.sub(put, text)


def move_texts(apps, schema_editor):
    """The greetings that were there before: a recurring or triggered campaign each, of one variant."""
    Variant = apps.get_model("campaigns", "Variant")
    Text = apps.get_model("campaigns", "Text")
    for campaign in apps.get_model("campaigns", "Campaign").objects.all():
        campaign.kind = "recurring" if campaign.occasion == "birthday" else "triggered"
        campaign.status = "running" if campaign.is_active else "paused"
        campaign.hold_out_percent = 0
        campaign.save()
        variant = Variant.objects.create(campaign=campaign, code="A")
        for language in sorted({*campaign.subjects, *campaign.bodies}):
            Text.objects.create(
                variant=variant,
                language=language,
                subject=_as_liquid(campaign.subjects.get(language, ""), campaign.occasion),
                body=_as_liquid(campaign.bodies.get(language, ""), campaign.occasion),
            )
        apps.get_model("campaigns", "Message").objects.filter(campaign=campaign).exclude(
            status="skipped"
        ).update(variant=variant)


def seed_policies(apps, schema_editor):
    """E-mail and the portal are in use; the other ways wait until somebody sets them up."""
    apps.get_model("campaigns", "SendingPolicy").objects.get_or_create(pk=1)
    ChannelPolicy = apps.get_model("campaigns", "ChannelPolicy")
    night = {"quiet_from": datetime.time(21), "quiet_to": datetime.time(9)}
    for channel, facts in {
        "email": {},
        "inbox": {"unknown": "retry"},
        "sms": {"is_active": False, **night},
        "push": {"is_active": False, **night},
        "webhook": {"is_active": False, "unknown": "retry"},
    }.items():
        ChannelPolicy.objects.get_or_create(channel=channel, defaults=facts)


class Migration(migrations.Migration):
    dependencies = [
        ("campaigns", "0004_favourites_within_reach"),
        ("members", "0011_ready_made_segments"),
        ("rewards", "0019_tables_of_leaderboards"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="CampaignResult",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("computed_at", models.DateTimeField(verbose_name="computed at")),
                ("version", models.PositiveSmallIntegerField(verbose_name="version of the definitions")),
                ("is_final", models.BooleanField(default=False, verbose_name="final")),
                ("figures", models.JSONField(verbose_name="figures")),
            ],
            options={
                "verbose_name": "result of a campaign",
                "verbose_name_plural": "results of campaigns",
                "ordering": ["-id"],
            },
        ),
        migrations.CreateModel(
            name="ChannelPolicy",
            fields=[
                (
                    "channel",
                    models.CharField(
                        choices=[
                            ("email", "e-mail"),
                            ("sms", "text message"),
                            ("push", "notification"),
                            ("inbox", "portal inbox"),
                            ("webhook", "webhook"),
                        ],
                        max_length=10,
                        primary_key=True,
                        serialize=False,
                        verbose_name="channel",
                    ),
                ),
                ("is_active", models.BooleanField(default=True, verbose_name="in use")),
                ("quiet_from", models.TimeField(blank=True, null=True, verbose_name="quiet from")),
                ("quiet_to", models.TimeField(blank=True, null=True, verbose_name="quiet to")),
                (
                    "per_day",
                    models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="a day at most"),
                ),
                (
                    "per_week",
                    models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="a week at most"),
                ),
                (
                    "per_month",
                    models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="a month at most"),
                ),
                (
                    "cost",
                    models.DecimalField(
                        decimal_places=4,
                        default=0,
                        help_text="In the base currency.",
                        max_digits=8,
                        verbose_name="cost of one message",
                    ),
                ),
                (
                    "unknown",
                    models.CharField(
                        choices=[("list", "show it to staff"), ("retry", "send it again")],
                        default="list",
                        max_length=5,
                        verbose_name="when the outcome is unknown",
                    ),
                ),
            ],
            options={
                "verbose_name": "channel policy",
                "verbose_name_plural": "channel policies",
                "ordering": ["channel"],
            },
        ),
        migrations.CreateModel(
            name="Click",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("at", models.DateTimeField(verbose_name="at")),
            ],
            options={
                "verbose_name": "click",
                "verbose_name_plural": "clicks",
                "ordering": ["-id"],
            },
        ),
        migrations.CreateModel(
            name="Feedback",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("source", models.CharField(max_length=30, verbose_name="source")),
                ("key", models.CharField(max_length=200, verbose_name="number of the notice")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("delivered", "delivered"),
                            ("passing", "came back for now"),
                            ("bounce", "came back for good"),
                            ("complaint", "complained of as spam"),
                            ("unsubscribe", "unsubscribed"),
                            ("open", "opened"),
                            ("click", "clicked"),
                        ],
                        max_length=12,
                        verbose_name="kind",
                    ),
                ),
                (
                    "channel",
                    models.CharField(
                        choices=[
                            ("email", "e-mail"),
                            ("sms", "text message"),
                            ("push", "notification"),
                            ("inbox", "portal inbox"),
                            ("webhook", "webhook"),
                        ],
                        max_length=10,
                        verbose_name="channel",
                    ),
                ),
                ("detail", models.CharField(blank=True, max_length=300, verbose_name="detail")),
                ("happened_at", models.DateTimeField(verbose_name="happened at")),
                ("received_at", models.DateTimeField(verbose_name="received at")),
            ],
            options={
                "verbose_name": "feedback of a service",
                "verbose_name_plural": "feedback of services",
                "ordering": ["-id"],
            },
        ),
        migrations.CreateModel(
            name="HistoricalChannelPolicy",
            fields=[
                (
                    "channel",
                    models.CharField(
                        choices=[
                            ("email", "e-mail"),
                            ("sms", "text message"),
                            ("push", "notification"),
                            ("inbox", "portal inbox"),
                            ("webhook", "webhook"),
                        ],
                        db_index=True,
                        max_length=10,
                        verbose_name="channel",
                    ),
                ),
                ("is_active", models.BooleanField(default=True, verbose_name="in use")),
                ("quiet_from", models.TimeField(blank=True, null=True, verbose_name="quiet from")),
                ("quiet_to", models.TimeField(blank=True, null=True, verbose_name="quiet to")),
                (
                    "per_day",
                    models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="a day at most"),
                ),
                (
                    "per_week",
                    models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="a week at most"),
                ),
                (
                    "per_month",
                    models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="a month at most"),
                ),
                (
                    "cost",
                    models.DecimalField(
                        decimal_places=4,
                        default=0,
                        help_text="In the base currency.",
                        max_digits=8,
                        verbose_name="cost of one message",
                    ),
                ),
                (
                    "unknown",
                    models.CharField(
                        choices=[("list", "show it to staff"), ("retry", "send it again")],
                        default="list",
                        max_length=5,
                        verbose_name="when the outcome is unknown",
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
                "verbose_name": "historical channel policy",
                "verbose_name_plural": "historical channel policies",
                "ordering": ("-history_date", "-history_id"),
                "get_latest_by": ("history_date", "history_id"),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name="HistoricalSendingPolicy",
            fields=[
                (
                    "id",
                    models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name="ID"),
                ),
                (
                    "global_hold_out_percent",
                    models.DecimalField(
                        decimal_places=2,
                        default=0,
                        help_text="Lasting: the same members are never written to, so that the whole can be measured.",
                        max_digits=5,
                        validators=[
                            django.core.validators.MinValueValidator(0),
                            django.core.validators.MaxValueValidator(100),
                        ],
                        verbose_name="held out of every campaign (percent)",
                    ),
                ),
                (
                    "global_hold_out_key",
                    models.CharField(
                        default="1",
                        help_text="Another key draws other members.",
                        max_length=50,
                        verbose_name="key of the lasting hold-out",
                    ),
                ),
                (
                    "approval_above",
                    models.PositiveIntegerField(
                        default=10000,
                        help_text="Members in the audience of a one-off campaign.",
                        verbose_name="a second person approves above",
                    ),
                ),
                (
                    "per_day",
                    models.PositiveSmallIntegerField(
                        blank=True, default=2, null=True, verbose_name="messages a day at most"
                    ),
                ),
                (
                    "per_week",
                    models.PositiveSmallIntegerField(
                        blank=True, default=5, null=True, verbose_name="messages a week at most"
                    ),
                ),
                (
                    "per_month",
                    models.PositiveSmallIntegerField(
                        blank=True, default=12, null=True, verbose_name="messages a month at most"
                    ),
                ),
                (
                    "track_opens",
                    models.BooleanField(
                        default=False,
                        help_text="By a picture in the e-mail, for members who do not object.",
                        verbose_name="see which e-mails are opened",
                    ),
                ),
                (
                    "value_of_a_point",
                    models.DecimalField(
                        decimal_places=4,
                        default="0.01",
                        help_text="In the base currency, for the return of campaigns.",
                        max_digits=10,
                        verbose_name="what a point costs",
                    ),
                ),
                (
                    "margin_percent",
                    models.DecimalField(
                        decimal_places=2,
                        default=30,
                        max_digits=5,
                        validators=[
                            django.core.validators.MinValueValidator(0),
                            django.core.validators.MaxValueValidator(100),
                        ],
                        verbose_name="margin (percent of revenue)",
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
                "verbose_name": "historical sending policy",
                "verbose_name_plural": "historical sending policy",
                "ordering": ("-history_date", "-history_id"),
                "get_latest_by": ("history_date", "history_id"),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name="HistoricalText",
            fields=[
                (
                    "id",
                    models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name="ID"),
                ),
                (
                    "language",
                    models.CharField(
                        choices=[("fi", "Finnish"), ("sv", "Swedish"), ("en", "English")],
                        max_length=2,
                        verbose_name="language",
                    ),
                ),
                ("subject", models.CharField(blank=True, max_length=300, verbose_name="subject")),
                (
                    "preheader",
                    models.CharField(
                        blank=True,
                        help_text="What mail programs show after the subject.",
                        max_length=300,
                        verbose_name="preview text",
                    ),
                ),
                ("heading", models.CharField(blank=True, max_length=300, verbose_name="heading")),
                ("body", models.TextField(blank=True, verbose_name="text")),
                ("button_label", models.CharField(blank=True, max_length=100, verbose_name="button")),
                (
                    "button_link",
                    models.CharField(
                        blank=True,
                        help_text="Empty: the portal.",
                        max_length=500,
                        verbose_name="the button's link",
                    ),
                ),
                (
                    "short_text",
                    models.CharField(
                        blank=True,
                        help_text="For text messages and notifications. Empty: the subject.",
                        max_length=480,
                        verbose_name="short text",
                    ),
                ),
                (
                    "mjml",
                    models.TextField(
                        blank=True,
                        help_text="Empty: the programme's own layout around the text.",
                        verbose_name="own e-mail layout (MJML)",
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
                "verbose_name": "historical text",
                "verbose_name_plural": "historical texts",
                "ordering": ("-history_date", "-history_id"),
                "get_latest_by": ("history_date", "history_id"),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name="HistoricalVariant",
            fields=[
                (
                    "id",
                    models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name="ID"),
                ),
                ("code", models.CharField(default="A", max_length=10, verbose_name="code")),
                ("name", models.CharField(blank=True, max_length=100, verbose_name="name")),
                (
                    "weight",
                    models.PositiveSmallIntegerField(
                        default=1,
                        help_text="A variant of weight 2 goes to twice as many as one of 1.",
                        verbose_name="weight",
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
                "verbose_name": "historical variant",
                "verbose_name_plural": "historical variants",
                "ordering": ("-history_date", "-history_id"),
                "get_latest_by": ("history_date", "history_id"),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name="Link",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("url", models.TextField(verbose_name="address")),
                ("url_hash", models.CharField(editable=False, max_length=64)),
            ],
            options={
                "verbose_name": "link",
                "verbose_name_plural": "links",
                "ordering": ["id"],
            },
        ),
        migrations.CreateModel(
            name="MessagePreference",
            fields=[
                (
                    "member",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="message_preference",
                        serialize=False,
                        to="members.member",
                        verbose_name="member",
                    ),
                ),
                (
                    "preferred_channel",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("email", "e-mail"),
                            ("sms", "text message"),
                            ("push", "notification"),
                            ("inbox", "portal inbox"),
                            ("webhook", "webhook"),
                        ],
                        max_length=10,
                        verbose_name="preferred way",
                    ),
                ),
                (
                    "no_tracking",
                    models.BooleanField(default=False, verbose_name="do not count what I open and follow"),
                ),
                (
                    "per_week",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        null=True,
                        validators=[django.core.validators.MaxValueValidator(50)],
                        verbose_name="messages a week at most",
                    ),
                ),
                ("paused_until", models.DateField(blank=True, null=True, verbose_name="no messages until")),
                ("changed_at", models.DateTimeField(verbose_name="changed at")),
            ],
            options={
                "verbose_name": "message preference",
                "verbose_name_plural": "message preferences",
            },
        ),
        migrations.CreateModel(
            name="PushSubscription",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("endpoint", models.TextField(verbose_name="endpoint")),
                ("endpoint_hash", models.CharField(editable=False, max_length=64, unique=True)),
                ("p256dh", models.CharField(editable=False, max_length=200)),
                ("auth", models.CharField(editable=False, max_length=100)),
                ("device", models.CharField(blank=True, max_length=200, verbose_name="device")),
                ("created_at", models.DateTimeField(verbose_name="created at")),
                ("gone_at", models.DateTimeField(blank=True, null=True, verbose_name="gone at")),
            ],
            options={
                "verbose_name": "notification address",
                "verbose_name_plural": "notification addresses",
                "ordering": ["-id"],
            },
        ),
        migrations.CreateModel(
            name="Round",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("occasion", models.CharField(max_length=100, verbose_name="occasion")),
                (
                    "at",
                    models.DateTimeField(
                        help_text="The audience is that of this moment.", verbose_name="decided for"
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("deciding", "deciding"),
                            ("decided", "decided"),
                            ("cancelled", "cancelled"),
                        ],
                        default="deciding",
                        max_length=10,
                        verbose_name="status",
                    ),
                ),
                ("audience", models.PositiveIntegerField(blank=True, null=True, verbose_name="audience")),
                ("cursor", models.BigIntegerField(default=0, verbose_name="decided up to member")),
                ("to_send", models.PositiveIntegerField(default=0, verbose_name="to send")),
                ("held_out", models.PositiveIntegerField(default=0, verbose_name="held out")),
                ("not_sent", models.PositiveIntegerField(default=0, verbose_name="not sent")),
                ("failed", models.PositiveIntegerField(default=0, verbose_name="failed")),
                ("started_at", models.DateTimeField(verbose_name="started at")),
                ("ended_at", models.DateTimeField(blank=True, null=True, verbose_name="ended at")),
            ],
            options={
                "verbose_name": "round",
                "verbose_name_plural": "rounds",
                "ordering": ["-id"],
            },
        ),
        migrations.CreateModel(
            name="SendingPolicy",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "global_hold_out_percent",
                    models.DecimalField(
                        decimal_places=2,
                        default=0,
                        help_text="Lasting: the same members are never written to, so that the whole can be measured.",
                        max_digits=5,
                        validators=[
                            django.core.validators.MinValueValidator(0),
                            django.core.validators.MaxValueValidator(100),
                        ],
                        verbose_name="held out of every campaign (percent)",
                    ),
                ),
                (
                    "global_hold_out_key",
                    models.CharField(
                        default="1",
                        help_text="Another key draws other members.",
                        max_length=50,
                        verbose_name="key of the lasting hold-out",
                    ),
                ),
                (
                    "approval_above",
                    models.PositiveIntegerField(
                        default=10000,
                        help_text="Members in the audience of a one-off campaign.",
                        verbose_name="a second person approves above",
                    ),
                ),
                (
                    "per_day",
                    models.PositiveSmallIntegerField(
                        blank=True, default=2, null=True, verbose_name="messages a day at most"
                    ),
                ),
                (
                    "per_week",
                    models.PositiveSmallIntegerField(
                        blank=True, default=5, null=True, verbose_name="messages a week at most"
                    ),
                ),
                (
                    "per_month",
                    models.PositiveSmallIntegerField(
                        blank=True, default=12, null=True, verbose_name="messages a month at most"
                    ),
                ),
                (
                    "track_opens",
                    models.BooleanField(
                        default=False,
                        help_text="By a picture in the e-mail, for members who do not object.",
                        verbose_name="see which e-mails are opened",
                    ),
                ),
                (
                    "value_of_a_point",
                    models.DecimalField(
                        decimal_places=4,
                        default="0.01",
                        help_text="In the base currency, for the return of campaigns.",
                        max_digits=10,
                        verbose_name="what a point costs",
                    ),
                ),
                (
                    "margin_percent",
                    models.DecimalField(
                        decimal_places=2,
                        default=30,
                        max_digits=5,
                        validators=[
                            django.core.validators.MinValueValidator(0),
                            django.core.validators.MaxValueValidator(100),
                        ],
                        verbose_name="margin (percent of revenue)",
                    ),
                ),
            ],
            options={
                "verbose_name": "sending policy",
                "verbose_name_plural": "sending policy",
            },
        ),
        migrations.CreateModel(
            name="Suppression",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "channel",
                    models.CharField(
                        choices=[
                            ("email", "e-mail"),
                            ("sms", "text message"),
                            ("push", "notification"),
                            ("inbox", "portal inbox"),
                            ("webhook", "webhook"),
                        ],
                        max_length=10,
                        verbose_name="channel",
                    ),
                ),
                ("address_hash", models.CharField(max_length=64, verbose_name="address (hash)")),
                (
                    "reason",
                    models.CharField(
                        choices=[
                            ("bounce", "came back for good"),
                            ("complaint", "complained of as spam"),
                            ("staff", "put down by staff"),
                        ],
                        max_length=10,
                        verbose_name="reason",
                    ),
                ),
                ("detail", models.CharField(blank=True, max_length=300, verbose_name="detail")),
                ("since", models.DateTimeField(verbose_name="since")),
                ("lifted_at", models.DateTimeField(blank=True, null=True, verbose_name="lifted at")),
            ],
            options={
                "verbose_name": "suppressed address",
                "verbose_name_plural": "suppressed addresses",
                "ordering": ["-id"],
            },
        ),
        migrations.CreateModel(
            name="Text",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "language",
                    models.CharField(
                        choices=[("fi", "Finnish"), ("sv", "Swedish"), ("en", "English")],
                        max_length=2,
                        verbose_name="language",
                    ),
                ),
                ("subject", models.CharField(blank=True, max_length=300, verbose_name="subject")),
                (
                    "preheader",
                    models.CharField(
                        blank=True,
                        help_text="What mail programs show after the subject.",
                        max_length=300,
                        verbose_name="preview text",
                    ),
                ),
                ("heading", models.CharField(blank=True, max_length=300, verbose_name="heading")),
                ("body", models.TextField(blank=True, verbose_name="text")),
                ("button_label", models.CharField(blank=True, max_length=100, verbose_name="button")),
                (
                    "button_link",
                    models.CharField(
                        blank=True,
                        help_text="Empty: the portal.",
                        max_length=500,
                        verbose_name="the button's link",
                    ),
                ),
                (
                    "short_text",
                    models.CharField(
                        blank=True,
                        help_text="For text messages and notifications. Empty: the subject.",
                        max_length=480,
                        verbose_name="short text",
                    ),
                ),
                (
                    "mjml",
                    models.TextField(
                        blank=True,
                        help_text="Empty: the programme's own layout around the text.",
                        verbose_name="own e-mail layout (MJML)",
                    ),
                ),
            ],
            options={
                "verbose_name": "text",
                "verbose_name_plural": "texts",
                "ordering": ["variant", "language"],
            },
        ),
        migrations.CreateModel(
            name="Trigger",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("occasion", models.CharField(max_length=100, verbose_name="occasion")),
                ("happened_at", models.DateTimeField(verbose_name="happened at")),
                ("due_at", models.DateTimeField(verbose_name="due at")),
                ("facts", models.JSONField(blank=True, default=dict, verbose_name="facts")),
            ],
            options={
                "verbose_name": "trigger",
                "verbose_name_plural": "triggers",
                "ordering": ["id"],
            },
        ),
        migrations.CreateModel(
            name="Variant",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("code", models.CharField(default="A", max_length=10, verbose_name="code")),
                ("name", models.CharField(blank=True, max_length=100, verbose_name="name")),
                (
                    "weight",
                    models.PositiveSmallIntegerField(
                        default=1,
                        help_text="A variant of weight 2 goes to twice as many as one of 1.",
                        verbose_name="weight",
                    ),
                ),
            ],
            options={
                "verbose_name": "variant",
                "verbose_name_plural": "variants",
                "ordering": ["campaign", "code"],
            },
        ),
        migrations.RemoveConstraint(
            model_name="message",
            name="message_once_per_occasion",
        ),
        migrations.AddField(
            model_name="campaign",
            name="add_to_list",
            field=models.ForeignKey(
                blank=True,
                limit_choices_to={"kind": "list"},
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="members.segment",
                verbose_name="add to the list",
            ),
        ),
        migrations.AddField(
            model_name="campaign",
            name="approved_at",
            field=models.DateTimeField(blank=True, editable=False, null=True, verbose_name="approved at"),
        ),
        migrations.AddField(
            model_name="campaign",
            name="approved_by",
            field=models.ForeignKey(
                blank=True,
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="approved by",
            ),
        ),
        migrations.AddField(
            model_name="campaign",
            name="archived_at",
            field=models.DateTimeField(blank=True, editable=False, null=True, verbose_name="archived at"),
        ),
        migrations.AddField(
            model_name="campaign",
            name="audience",
            field=models.JSONField(blank=True, default=dict, verbose_name="audience"),
        ),
        migrations.AddField(
            model_name="campaign",
            name="channels",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(
                    choices=[
                        ("email", "e-mail"),
                        ("sms", "text message"),
                        ("push", "notification"),
                        ("inbox", "portal inbox"),
                        ("webhook", "webhook"),
                    ],
                    max_length=10,
                ),
                default=campaigns.models.campaign.default_channels,
                help_text="In order: a member's own preference comes first, then the first that reaches them.",
                size=None,
                verbose_name="channels",
            ),
        ),
        migrations.AddField(
            model_name="campaign",
            name="cloned_from",
            field=models.ForeignKey(
                blank=True,
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="campaigns.campaign",
                verbose_name="copy of",
            ),
        ),
        migrations.AddField(
            model_name="campaign",
            name="created_at",
            field=models.DateTimeField(default=loyalty.clock.now, editable=False, verbose_name="created at"),
        ),
        migrations.AddField(
            model_name="campaign",
            name="days",
            field=models.PositiveSmallIntegerField(
                blank=True,
                help_text="Without a purchase, or since the product was bought.",
                null=True,
                verbose_name="days",
            ),
        ),
        migrations.AddField(
            model_name="campaign",
            name="delay_minutes",
            field=models.PositiveIntegerField(default=0, verbose_name="delay in minutes"),
        ),
        migrations.AddField(
            model_name="campaign",
            name="ended_at",
            field=models.DateTimeField(blank=True, editable=False, null=True, verbose_name="ended at"),
        ),
        migrations.AddField(
            model_name="campaign",
            name="ends_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="ends at"),
        ),
        migrations.AddField(
            model_name="campaign",
            name="event",
            field=models.CharField(blank=True, max_length=100, verbose_name="event"),
        ),
        migrations.AddField(
            model_name="campaign",
            name="event_conditions",
            field=models.JSONField(blank=True, default=dict, verbose_name="conditions on what happened"),
        ),
        migrations.AddField(
            model_name="campaign",
            name="goal",
            field=models.CharField(
                choices=[
                    ("purchase", "a purchase"),
                    ("spend", "money spent"),
                    ("redemption", "a redemption"),
                    ("visit", "a visit"),
                    ("click", "a click"),
                ],
                default="purchase",
                max_length=12,
                verbose_name="goal",
            ),
        ),
        migrations.AddField(
            model_name="campaign",
            name="goal_conditions",
            field=models.JSONField(blank=True, default=dict, verbose_name="purchases that count"),
        ),
        migrations.AddField(
            model_name="campaign",
            name="goal_days",
            field=models.PositiveSmallIntegerField(
                default=14,
                validators=[
                    django.core.validators.MinValueValidator(1),
                    django.core.validators.MaxValueValidator(365),
                ],
                verbose_name="window of the goal in days",
            ),
        ),
        migrations.AddField(
            model_name="campaign",
            name="hold_out_percent",
            field=models.DecimalField(
                decimal_places=2,
                default=5,
                help_text="So many of the audience are not written to, so that the difference can be seen.",
                max_digits=5,
                validators=[
                    django.core.validators.MinValueValidator(0),
                    django.core.validators.MaxValueValidator(100),
                ],
                verbose_name="held out (percent)",
            ),
        ),
        migrations.AddField(
            model_name="campaign",
            name="ignores_caps",
            field=models.BooleanField(
                default=False, verbose_name="not counted and not held back by frequency caps"
            ),
        ),
        migrations.AddField(
            model_name="campaign",
            name="ignores_quiet_hours",
            field=models.BooleanField(default=False, verbose_name="goes out in quiet hours too"),
        ),
        migrations.AddField(
            model_name="campaign",
            name="in_member_zone",
            field=models.BooleanField(
                default=False,
                help_text="Members further east get it earlier, members further west later.",
                verbose_name="at that time of each member's own clock",
            ),
        ),
        migrations.AddField(
            model_name="campaign",
            name="kind",
            field=models.CharField(
                choices=[("one_off", "one-off"), ("recurring", "recurring"), ("triggered", "triggered")],
                default="one_off",
                max_length=10,
                verbose_name="kind",
            ),
        ),
        migrations.AddField(
            model_name="campaign",
            name="note",
            field=models.TextField(blank=True, help_text="For staff: what it is for.", verbose_name="note"),
        ),
        migrations.AddField(
            model_name="campaign",
            name="priority",
            field=models.PositiveSmallIntegerField(
                default=50,
                help_text="When members may get only so many messages, the higher one goes first.",
                validators=[django.core.validators.MaxValueValidator(100)],
                verbose_name="priority",
            ),
        ),
        migrations.AddField(
            model_name="campaign",
            name="problem",
            field=models.TextField(blank=True, editable=False, verbose_name="problem"),
        ),
        migrations.AddField(
            model_name="campaign",
            name="public_id",
            field=models.UUIDField(editable=False, null=True, verbose_name="id"),
        ),
        migrations.AddField(
            model_name="campaign",
            name="purpose",
            field=models.CharField(
                choices=[
                    ("marketing", "offers and news"),
                    ("surveys", "surveys"),
                    ("service", "service: about the member's own account"),
                ],
                default="marketing",
                max_length=20,
                verbose_name="purpose",
            ),
        ),
        migrations.AddField(
            model_name="campaign",
            name="rhythm",
            field=models.JSONField(blank=True, default=dict, verbose_name="schedule"),
        ),
        migrations.AddField(
            model_name="campaign",
            name="send_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="send at"),
        ),
        migrations.AddField(
            model_name="campaign",
            name="started_at",
            field=models.DateTimeField(blank=True, editable=False, null=True, verbose_name="started at"),
        ),
        migrations.AddField(
            model_name="campaign",
            name="status",
            field=models.CharField(
                choices=[
                    ("draft", "draft"),
                    ("awaiting", "awaiting approval"),
                    ("scheduled", "scheduled"),
                    ("sending", "sending"),
                    ("running", "running"),
                    ("paused", "paused"),
                    ("sent", "sent"),
                    ("cancelled", "cancelled"),
                    ("failed", "failed"),
                ],
                default="draft",
                max_length=10,
                verbose_name="status",
            ),
        ),
        migrations.AddField(
            model_name="campaign",
            name="submitted_by",
            field=models.ForeignKey(
                blank=True,
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="submitted by",
            ),
        ),
        migrations.AddField(
            model_name="campaign",
            name="test_percent",
            field=models.PositiveSmallIntegerField(
                default=100,
                help_text="The variants are tried on so many; the others get the winner.",
                validators=[
                    django.core.validators.MinValueValidator(1),
                    django.core.validators.MaxValueValidator(100),
                ],
                verbose_name="try on (percent)",
            ),
        ),
        migrations.AddField(
            model_name="campaign",
            name="voucher_family",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="rewards.voucherfamily",
                verbose_name="voucher",
            ),
        ),
        migrations.AddField(
            model_name="campaign",
            name="winner_after_hours",
            field=models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="choose after hours"),
        ),
        migrations.AddField(
            model_name="campaign",
            name="winner_by",
            field=models.CharField(
                blank=True,
                choices=[("goal", "the goal"), ("click", "clicks")],
                max_length=8,
                verbose_name="winner by",
            ),
        ),
        migrations.AddField(
            model_name="campaign",
            name="winner_chosen_at",
            field=models.DateTimeField(
                blank=True, editable=False, null=True, verbose_name="winner chosen at"
            ),
        ),
        migrations.AddField(
            model_name="historicalcampaign",
            name="add_to_list",
            field=models.ForeignKey(
                blank=True,
                db_constraint=False,
                limit_choices_to={"kind": "list"},
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                to="members.segment",
                verbose_name="add to the list",
            ),
        ),
        migrations.AddField(
            model_name="historicalcampaign",
            name="approved_at",
            field=models.DateTimeField(blank=True, editable=False, null=True, verbose_name="approved at"),
        ),
        migrations.AddField(
            model_name="historicalcampaign",
            name="approved_by",
            field=models.ForeignKey(
                blank=True,
                db_constraint=False,
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="approved by",
            ),
        ),
        migrations.AddField(
            model_name="historicalcampaign",
            name="archived_at",
            field=models.DateTimeField(blank=True, editable=False, null=True, verbose_name="archived at"),
        ),
        migrations.AddField(
            model_name="historicalcampaign",
            name="audience",
            field=models.JSONField(blank=True, default=dict, verbose_name="audience"),
        ),
        migrations.AddField(
            model_name="historicalcampaign",
            name="channels",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(
                    choices=[
                        ("email", "e-mail"),
                        ("sms", "text message"),
                        ("push", "notification"),
                        ("inbox", "portal inbox"),
                        ("webhook", "webhook"),
                    ],
                    max_length=10,
                ),
                default=campaigns.models.campaign.default_channels,
                help_text="In order: a member's own preference comes first, then the first that reaches them.",
                size=None,
                verbose_name="channels",
            ),
        ),
        migrations.AddField(
            model_name="historicalcampaign",
            name="cloned_from",
            field=models.ForeignKey(
                blank=True,
                db_constraint=False,
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                to="campaigns.campaign",
                verbose_name="copy of",
            ),
        ),
        migrations.AddField(
            model_name="historicalcampaign",
            name="created_at",
            field=models.DateTimeField(default=loyalty.clock.now, editable=False, verbose_name="created at"),
        ),
        migrations.AddField(
            model_name="historicalcampaign",
            name="days",
            field=models.PositiveSmallIntegerField(
                blank=True,
                help_text="Without a purchase, or since the product was bought.",
                null=True,
                verbose_name="days",
            ),
        ),
        migrations.AddField(
            model_name="historicalcampaign",
            name="delay_minutes",
            field=models.PositiveIntegerField(default=0, verbose_name="delay in minutes"),
        ),
        migrations.AddField(
            model_name="historicalcampaign",
            name="ended_at",
            field=models.DateTimeField(blank=True, editable=False, null=True, verbose_name="ended at"),
        ),
        migrations.AddField(
            model_name="historicalcampaign",
            name="ends_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="ends at"),
        ),
        migrations.AddField(
            model_name="historicalcampaign",
            name="event",
            field=models.CharField(blank=True, max_length=100, verbose_name="event"),
        ),
        migrations.AddField(
            model_name="historicalcampaign",
            name="event_conditions",
            field=models.JSONField(blank=True, default=dict, verbose_name="conditions on what happened"),
        ),
        migrations.AddField(
            model_name="historicalcampaign",
            name="goal",
            field=models.CharField(
                choices=[
                    ("purchase", "a purchase"),
                    ("spend", "money spent"),
                    ("redemption", "a redemption"),
                    ("visit", "a visit"),
                    ("click", "a click"),
                ],
                default="purchase",
                max_length=12,
                verbose_name="goal",
            ),
        ),
        migrations.AddField(
            model_name="historicalcampaign",
            name="goal_conditions",
            field=models.JSONField(blank=True, default=dict, verbose_name="purchases that count"),
        ),
        migrations.AddField(
            model_name="historicalcampaign",
            name="goal_days",
            field=models.PositiveSmallIntegerField(
                default=14,
                validators=[
                    django.core.validators.MinValueValidator(1),
                    django.core.validators.MaxValueValidator(365),
                ],
                verbose_name="window of the goal in days",
            ),
        ),
        migrations.AddField(
            model_name="historicalcampaign",
            name="hold_out_percent",
            field=models.DecimalField(
                decimal_places=2,
                default=5,
                help_text="So many of the audience are not written to, so that the difference can be seen.",
                max_digits=5,
                validators=[
                    django.core.validators.MinValueValidator(0),
                    django.core.validators.MaxValueValidator(100),
                ],
                verbose_name="held out (percent)",
            ),
        ),
        migrations.AddField(
            model_name="historicalcampaign",
            name="ignores_caps",
            field=models.BooleanField(
                default=False, verbose_name="not counted and not held back by frequency caps"
            ),
        ),
        migrations.AddField(
            model_name="historicalcampaign",
            name="ignores_quiet_hours",
            field=models.BooleanField(default=False, verbose_name="goes out in quiet hours too"),
        ),
        migrations.AddField(
            model_name="historicalcampaign",
            name="in_member_zone",
            field=models.BooleanField(
                default=False,
                help_text="Members further east get it earlier, members further west later.",
                verbose_name="at that time of each member's own clock",
            ),
        ),
        migrations.AddField(
            model_name="historicalcampaign",
            name="kind",
            field=models.CharField(
                choices=[("one_off", "one-off"), ("recurring", "recurring"), ("triggered", "triggered")],
                default="one_off",
                max_length=10,
                verbose_name="kind",
            ),
        ),
        migrations.AddField(
            model_name="historicalcampaign",
            name="note",
            field=models.TextField(blank=True, help_text="For staff: what it is for.", verbose_name="note"),
        ),
        migrations.AddField(
            model_name="historicalcampaign",
            name="priority",
            field=models.PositiveSmallIntegerField(
                default=50,
                help_text="When members may get only so many messages, the higher one goes first.",
                validators=[django.core.validators.MaxValueValidator(100)],
                verbose_name="priority",
            ),
        ),
        migrations.AddField(
            model_name="historicalcampaign",
            name="problem",
            field=models.TextField(blank=True, editable=False, verbose_name="problem"),
        ),
        migrations.AddField(
            model_name="historicalcampaign",
            name="public_id",
            field=models.UUIDField(
                db_index=True, default=loyalty.ids.new_public_id, editable=False, verbose_name="id"
            ),
        ),
        migrations.AddField(
            model_name="historicalcampaign",
            name="purpose",
            field=models.CharField(
                choices=[
                    ("marketing", "offers and news"),
                    ("surveys", "surveys"),
                    ("service", "service: about the member's own account"),
                ],
                default="marketing",
                max_length=20,
                verbose_name="purpose",
            ),
        ),
        migrations.AddField(
            model_name="historicalcampaign",
            name="rhythm",
            field=models.JSONField(blank=True, default=dict, verbose_name="schedule"),
        ),
        migrations.AddField(
            model_name="historicalcampaign",
            name="send_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="send at"),
        ),
        migrations.AddField(
            model_name="historicalcampaign",
            name="started_at",
            field=models.DateTimeField(blank=True, editable=False, null=True, verbose_name="started at"),
        ),
        migrations.AddField(
            model_name="historicalcampaign",
            name="status",
            field=models.CharField(
                choices=[
                    ("draft", "draft"),
                    ("awaiting", "awaiting approval"),
                    ("scheduled", "scheduled"),
                    ("sending", "sending"),
                    ("running", "running"),
                    ("paused", "paused"),
                    ("sent", "sent"),
                    ("cancelled", "cancelled"),
                    ("failed", "failed"),
                ],
                default="draft",
                max_length=10,
                verbose_name="status",
            ),
        ),
        migrations.AddField(
            model_name="historicalcampaign",
            name="submitted_by",
            field=models.ForeignKey(
                blank=True,
                db_constraint=False,
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="submitted by",
            ),
        ),
        migrations.AddField(
            model_name="historicalcampaign",
            name="test_percent",
            field=models.PositiveSmallIntegerField(
                default=100,
                help_text="The variants are tried on so many; the others get the winner.",
                validators=[
                    django.core.validators.MinValueValidator(1),
                    django.core.validators.MaxValueValidator(100),
                ],
                verbose_name="try on (percent)",
            ),
        ),
        migrations.AddField(
            model_name="historicalcampaign",
            name="voucher_family",
            field=models.ForeignKey(
                blank=True,
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                to="rewards.voucherfamily",
                verbose_name="voucher",
            ),
        ),
        migrations.AddField(
            model_name="historicalcampaign",
            name="winner_after_hours",
            field=models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="choose after hours"),
        ),
        migrations.AddField(
            model_name="historicalcampaign",
            name="winner_by",
            field=models.CharField(
                blank=True,
                choices=[("goal", "the goal"), ("click", "clicks")],
                max_length=8,
                verbose_name="winner by",
            ),
        ),
        migrations.AddField(
            model_name="historicalcampaign",
            name="winner_chosen_at",
            field=models.DateTimeField(
                blank=True, editable=False, null=True, verbose_name="winner chosen at"
            ),
        ),
        migrations.AddField(
            model_name="message",
            name="arm",
            field=models.CharField(
                blank=True,
                choices=[
                    ("", "not in the experiment"),
                    ("treated", "written to"),
                    ("held_out", "held out"),
                    ("global", "held out of everything"),
                ],
                max_length=8,
                verbose_name="side of the experiment",
            ),
        ),
        migrations.AddField(
            model_name="message",
            name="claim",
            field=models.UUIDField(blank=True, editable=False, null=True, verbose_name="claim"),
        ),
        migrations.AddField(
            model_name="message",
            name="clicked_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="clicked at"),
        ),
        migrations.AddField(
            model_name="message",
            name="content",
            field=models.JSONField(blank=True, default=dict, editable=False, verbose_name="content"),
        ),
        migrations.AddField(
            model_name="message",
            name="cost",
            field=models.DecimalField(
                decimal_places=4, default=0, max_digits=8, verbose_name="cost of sending"
            ),
        ),
        migrations.AddField(
            model_name="message",
            name="facts",
            field=models.JSONField(blank=True, default=dict, verbose_name="facts"),
        ),
        migrations.AddField(
            model_name="message",
            name="opened_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="opened at"),
        ),
        migrations.AddField(
            model_name="message",
            name="provider_id",
            field=models.CharField(
                blank=True, editable=False, max_length=200, verbose_name="the other side's number"
            ),
        ),
        migrations.AddField(
            model_name="message",
            name="public_id",
            field=models.UUIDField(editable=False, null=True, verbose_name="id"),
        ),
        migrations.AddField(
            model_name="message",
            name="step",
            field=models.CharField(blank=True, default="", max_length=50, verbose_name="step"),
        ),
        migrations.AlterField(
            model_name="campaign",
            name="look_back_days",
            field=models.PositiveSmallIntegerField(
                default=3,
                help_text="A message missed by up to this many days is still sent; later it is not.",
                verbose_name="look-back in days",
            ),
        ),
        migrations.AlterField(
            model_name="campaign",
            name="occasion",
            field=models.CharField(
                blank=True,
                choices=[
                    ("birthday", "birthday"),
                    ("anniversary", "anniversary of joining"),
                    ("schedule", "a schedule"),
                    ("event", "something happens"),
                    ("inactive", "no purchase for some days"),
                    ("replenish", "time to buy a product again"),
                    ("affordable", "a favourite reward is within reach"),
                ],
                max_length=20,
                verbose_name="occasion",
            ),
        ),
        migrations.AlterField(
            model_name="historicalcampaign",
            name="look_back_days",
            field=models.PositiveSmallIntegerField(
                default=3,
                help_text="A message missed by up to this many days is still sent; later it is not.",
                verbose_name="look-back in days",
            ),
        ),
        migrations.AlterField(
            model_name="historicalcampaign",
            name="occasion",
            field=models.CharField(
                blank=True,
                choices=[
                    ("birthday", "birthday"),
                    ("anniversary", "anniversary of joining"),
                    ("schedule", "a schedule"),
                    ("event", "something happens"),
                    ("inactive", "no purchase for some days"),
                    ("replenish", "time to buy a product again"),
                    ("affordable", "a favourite reward is within reach"),
                ],
                max_length=20,
                verbose_name="occasion",
            ),
        ),
        migrations.AlterField(
            model_name="message",
            name="body",
            field=models.TextField(blank=True, verbose_name="text"),
        ),
        migrations.AlterField(
            model_name="message",
            name="channel",
            field=models.CharField(
                choices=[
                    ("email", "e-mail"),
                    ("sms", "text message"),
                    ("push", "notification"),
                    ("inbox", "portal inbox"),
                    ("webhook", "webhook"),
                ],
                max_length=10,
                verbose_name="channel",
            ),
        ),
        migrations.AlterField(
            model_name="message",
            name="reason",
            field=models.CharField(
                blank=True,
                choices=[
                    ("too_late", "noticed too late"),
                    ("given_recently", "the last gift of this campaign is too recent"),
                    ("no_address", "no e-mail address: shown in the portal instead"),
                    ("no_consent", "no consent to e-mail: shown in the portal instead"),
                    ("no_channel", "no way to reach them that they agreed to"),
                    ("suppressed", "the address bounced, or complained of our messages"),
                    ("capped", "they have got as many messages as they may"),
                    ("outranked", "a more important message took its place"),
                    ("quiet_hours", "held until the end of the quiet hours"),
                    ("on_pause", "the member wants no messages for a time"),
                    ("hold_out", "held out, to see the difference"),
                    ("global_hold_out", "held out of every campaign, to see the difference"),
                    ("no_text", "there is no text for this way of sending"),
                    ("cancelled", "the campaign was cancelled"),
                    ("consent_withdrawn", "the consent was withdrawn before sending"),
                    ("not_a_member", "no longer a member"),
                    ("retrying", "a passing error; tried again"),
                    ("refused", "refused by the other side"),
                    ("bounced", "came back from the other side"),
                    ("gave_up", "given up after too many tries or too long a time"),
                    ("lost", "the sender stopped half-way; it may have gone out"),
                    ("error", "an unexpected error"),
                ],
                max_length=20,
                verbose_name="reason",
            ),
        ),
        migrations.AlterField(
            model_name="message",
            name="status",
            field=models.CharField(
                choices=[
                    ("due", "due"),
                    ("sending", "sending"),
                    ("sent", "sent"),
                    ("failed", "failed"),
                    ("unknown", "outcome unknown"),
                    ("skipped", "not sent"),
                    ("held_out", "held out"),
                ],
                default="due",
                max_length=10,
                verbose_name="status",
            ),
        ),
        migrations.AlterField(
            model_name="message",
            name="subject",
            field=models.CharField(blank=True, max_length=300, verbose_name="subject"),
        ),
        migrations.AddField(
            model_name="campaignresult",
            name="campaign",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="results",
                to="campaigns.campaign",
                verbose_name="campaign",
            ),
        ),
        migrations.AddConstraint(
            model_name="channelpolicy",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("quiet_from__isnull", True), ("quiet_to__isnull", True)),
                    models.Q(("quiet_from__isnull", False), ("quiet_to__isnull", False)),
                    _connector="OR",
                ),
                name="channel_policy_quiet_both",
            ),
        ),
        migrations.AddField(
            model_name="click",
            name="message",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="clicks",
                to="campaigns.message",
                verbose_name="message",
            ),
        ),
        migrations.AddField(
            model_name="feedback",
            name="message",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="feedback",
                to="campaigns.message",
                verbose_name="message",
            ),
        ),
        migrations.AddField(
            model_name="historicalvariant",
            name="campaign",
            field=models.ForeignKey(
                blank=True,
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                to="campaigns.campaign",
                verbose_name="campaign",
            ),
        ),
        migrations.AddField(
            model_name="link",
            name="campaign",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="links",
                to="campaigns.campaign",
                verbose_name="campaign",
            ),
        ),
        migrations.AddField(
            model_name="click",
            name="link",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="clicks",
                to="campaigns.link",
                verbose_name="link",
            ),
        ),
        migrations.AddField(
            model_name="pushsubscription",
            name="member",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="push_subscriptions",
                to="members.member",
                verbose_name="member",
            ),
        ),
        migrations.AddField(
            model_name="round",
            name="campaign",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="rounds",
                to="campaigns.campaign",
                verbose_name="campaign",
            ),
        ),
        migrations.AddField(
            model_name="message",
            name="round",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="campaigns.round",
                verbose_name="round",
            ),
        ),
        migrations.AddConstraint(
            model_name="sendingpolicy",
            constraint=models.CheckConstraint(condition=models.Q(("pk", 1)), name="sending_policy_one_row"),
        ),
        migrations.AddField(
            model_name="suppression",
            name="lifted_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="lifted by",
            ),
        ),
        migrations.AddField(
            model_name="suppression",
            name="member",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="suppressions",
                to="members.member",
                verbose_name="member",
            ),
        ),
        migrations.AddField(
            model_name="trigger",
            name="campaign",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="triggers",
                to="campaigns.campaign",
                verbose_name="campaign",
            ),
        ),
        migrations.AddField(
            model_name="trigger",
            name="member",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="members.member",
                verbose_name="member",
            ),
        ),
        migrations.AddField(
            model_name="variant",
            name="campaign",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="variants",
                to="campaigns.campaign",
                verbose_name="campaign",
            ),
        ),
        migrations.AddField(
            model_name="text",
            name="variant",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="texts",
                to="campaigns.variant",
                verbose_name="variant",
            ),
        ),
        migrations.AddField(
            model_name="historicaltext",
            name="variant",
            field=models.ForeignKey(
                blank=True,
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                to="campaigns.variant",
                verbose_name="variant",
            ),
        ),
        migrations.AddField(
            model_name="campaign",
            name="winner",
            field=models.ForeignKey(
                blank=True,
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="campaigns.variant",
                verbose_name="winner",
            ),
        ),
        migrations.AddField(
            model_name="historicalcampaign",
            name="winner",
            field=models.ForeignKey(
                blank=True,
                db_constraint=False,
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                to="campaigns.variant",
                verbose_name="winner",
            ),
        ),
        migrations.AddField(
            model_name="message",
            name="variant",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="campaigns.variant",
                verbose_name="variant",
            ),
        ),
        migrations.AddIndex(
            model_name="message",
            index=models.Index(
                condition=models.Q(("provider_id", ""), _negated=True),
                fields=["provider_id"],
                name="message_provider",
            ),
        ),
        migrations.RunSQL(
            "UPDATE campaigns_campaign SET public_id = gen_random_uuid()", migrations.RunSQL.noop
        ),
        migrations.AlterField(
            model_name="campaign",
            name="public_id",
            field=models.UUIDField(
                default=loyalty.ids.new_public_id, editable=False, unique=True, verbose_name="id"
            ),
        ),
        migrations.RunSQL(
            "UPDATE campaigns_message SET public_id = gen_random_uuid()", migrations.RunSQL.noop
        ),
        migrations.AlterField(
            model_name="message",
            name="public_id",
            field=models.UUIDField(
                default=loyalty.ids.new_public_id, editable=False, unique=True, verbose_name="id"
            ),
        ),
        migrations.RunPython(seed_policies, migrations.RunPython.noop),
        migrations.RunPython(move_texts, migrations.RunPython.noop),
        migrations.AddConstraint(
            model_name="campaign",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("kind", "one_off"), ("occasion", "")),
                    models.Q(
                        models.Q(("kind", "one_off"), _negated=True),
                        models.Q(("occasion", ""), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="campaign_occasion_of_kind",
            ),
        ),
        migrations.AddConstraint(
            model_name="message",
            constraint=models.UniqueConstraint(
                fields=("member", "campaign", "step", "occasion"), name="message_once_per_occasion"
            ),
        ),
        migrations.AddConstraint(
            model_name="feedback",
            constraint=models.UniqueConstraint(fields=("source", "key"), name="feedback_once"),
        ),
        migrations.AddConstraint(
            model_name="link",
            constraint=models.UniqueConstraint(fields=("campaign", "url_hash"), name="link_once"),
        ),
        migrations.AddConstraint(
            model_name="round",
            constraint=models.UniqueConstraint(fields=("campaign", "occasion"), name="campaign_round_once"),
        ),
        migrations.AddConstraint(
            model_name="suppression",
            constraint=models.UniqueConstraint(
                condition=models.Q(("lifted_at__isnull", True)),
                fields=("channel", "address_hash"),
                name="suppression_once",
            ),
        ),
        migrations.AddIndex(
            model_name="trigger",
            index=models.Index(fields=["due_at"], name="trigger_due"),
        ),
        migrations.AddConstraint(
            model_name="trigger",
            constraint=models.UniqueConstraint(
                fields=("member", "campaign", "occasion"), name="trigger_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="variant",
            constraint=models.UniqueConstraint(fields=("campaign", "code"), name="variant_once"),
        ),
        migrations.AddConstraint(
            model_name="text",
            constraint=models.UniqueConstraint(fields=("variant", "language"), name="text_once"),
        ),
    ]
