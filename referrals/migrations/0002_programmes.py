"""Programmes with terms by date, the states of a referral, signals of fraud, and where members come from."""

import django.core.validators
import django.db.models.deletion
import simple_history.models
from django.conf import settings
from django.db import migrations, models

import loyalty.ids
import loyalty.translated
from loyalty.append_only import protect

WEIGHTS = {
    "same_email": 100,
    "same_phone": 100,
    "same_payment": 80,
    "same_device": 60,
    "same_address": 30,
    "velocity": 40,
    "circle": 60,
    "chain": 30,
    "just_enough": 20,
    "returned": 40,
    "disposable": 60,
}
DISPOSABLE = (
    "10minutemail.com",
    "dispostable.com",
    "getnada.com",
    "guerrillamail.com",
    "mailinator.com",
    "maildrop.cc",
    "sharklasers.com",
    "temp-mail.org",
    "trashmail.com",
    "yopmail.com",
)


def seed(apps, schema_editor):
    """Weights and throw-away domains to begin with; the referrals there are begin their history."""
    SignalWeight = apps.get_model("referrals", "SignalWeight")
    SignalWeight.objects.bulk_create(
        SignalWeight(kind=kind, weight=weight) for kind, weight in WEIGHTS.items()
    )
    Domain = apps.get_model("referrals", "DisposableDomain")
    Domain.objects.bulk_create(Domain(domain=domain) for domain in DISPOSABLE)
    Step = apps.get_model("referrals", "ReferralStep")
    known = apps.get_model("referrals", "Referral").objects.values_list("pk", "joined_at")
    Step.objects.bulk_create(
        (Step(referral_id=pk, state="joined", at=at) for pk, at in known.iterator()), batch_size=1_000
    )


class Migration(migrations.Migration):
    dependencies = [
        ("members", "0011_ready_made_segments"),
        ("referrals", "0001_initial"),
        ("rewards", "0019_tables_of_leaderboards"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="DisposableDomain",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("domain", models.CharField(max_length=253, unique=True, verbose_name="domain")),
            ],
            options={
                "verbose_name": "throw-away domain",
                "verbose_name_plural": "throw-away domains",
                "ordering": ["domain"],
            },
        ),
        migrations.CreateModel(
            name="HistoricalReferralProgramme",
            fields=[
                (
                    "id",
                    models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name="ID"),
                ),
                (
                    "public_id",
                    models.UUIDField(
                        db_index=True, default=loyalty.ids.new_public_id, editable=False, verbose_name="id"
                    ),
                ),
                ("code", models.SlugField(verbose_name="code")),
                ("names", loyalty.translated.TranslatedTextField(verbose_name="names")),
                (
                    "descriptions",
                    loyalty.translated.TranslatedTextField(
                        blank=True,
                        default=dict,
                        help_text="Shown on the invitation's page.",
                        verbose_name="description",
                    ),
                ),
                (
                    "share_texts",
                    loyalty.translated.TranslatedTextField(
                        blank=True,
                        default=dict,
                        help_text="“{link}” and “{gift}” are filled in.",
                        verbose_name="ready text to share",
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("draft", "draft"),
                            ("running", "running"),
                            ("paused", "paused"),
                            ("ended", "ended"),
                        ],
                        default="draft",
                        max_length=10,
                        verbose_name="status",
                    ),
                ),
                (
                    "priority",
                    models.PositiveSmallIntegerField(
                        default=50,
                        help_text="Of several that a member may take part in, the highest counts.",
                        verbose_name="priority",
                    ),
                ),
                ("audience", models.JSONField(blank=True, default=dict, verbose_name="who may invite")),
                ("starts_at", models.DateTimeField(blank=True, null=True, verbose_name="starts at")),
                ("ends_at", models.DateTimeField(blank=True, null=True, verbose_name="ends at")),
                ("has_leaderboard", models.BooleanField(default=False, verbose_name="shows a leaderboard")),
                (
                    "archived_at",
                    models.DateTimeField(blank=True, editable=False, null=True, verbose_name="archived at"),
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
                "verbose_name": "historical referral programme",
                "verbose_name_plural": "historical referral programmes",
                "ordering": ("-history_date", "-history_id"),
                "get_latest_by": ("history_date", "history_id"),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name="HistoricalSignalWeight",
            fields=[
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("same_email", "the same e-mail address, written otherwise"),
                            ("same_phone", "the same phone number"),
                            ("same_device", "the same device"),
                            ("same_address", "the same network or postal address"),
                            ("same_payment", "the same means of payment"),
                            ("velocity", "many friends in a short time"),
                            ("circle", "they brought each other, straight or through others"),
                            ("chain", "a long chain of members who each brought one"),
                            ("just_enough", "a purchase just over the minimum"),
                            ("returned", "earlier friends' purchases were returned"),
                            ("disposable", "a throw-away e-mail address"),
                        ],
                        db_index=True,
                        max_length=16,
                        verbose_name="signal",
                    ),
                ),
                ("weight", models.PositiveSmallIntegerField(verbose_name="weight")),
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
                "verbose_name": "historical weight of a signal",
                "verbose_name_plural": "historical weights of signals",
                "ordering": ("-history_date", "-history_id"),
                "get_latest_by": ("history_date", "history_id"),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name="InvitationOptOut",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("address_hash", models.CharField(editable=False, max_length=64, unique=True)),
                ("since", models.DateTimeField(verbose_name="since")),
            ],
            options={
                "verbose_name": "opt-out of invitations",
                "verbose_name_plural": "opt-outs of invitations",
            },
        ),
        migrations.CreateModel(
            name="ReferralProgramme",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "public_id",
                    models.UUIDField(
                        default=loyalty.ids.new_public_id, editable=False, unique=True, verbose_name="id"
                    ),
                ),
                ("code", models.SlugField(unique=True, verbose_name="code")),
                ("names", loyalty.translated.TranslatedTextField(verbose_name="names")),
                (
                    "descriptions",
                    loyalty.translated.TranslatedTextField(
                        blank=True,
                        default=dict,
                        help_text="Shown on the invitation's page.",
                        verbose_name="description",
                    ),
                ),
                (
                    "share_texts",
                    loyalty.translated.TranslatedTextField(
                        blank=True,
                        default=dict,
                        help_text="“{link}” and “{gift}” are filled in.",
                        verbose_name="ready text to share",
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("draft", "draft"),
                            ("running", "running"),
                            ("paused", "paused"),
                            ("ended", "ended"),
                        ],
                        default="draft",
                        max_length=10,
                        verbose_name="status",
                    ),
                ),
                (
                    "priority",
                    models.PositiveSmallIntegerField(
                        default=50,
                        help_text="Of several that a member may take part in, the highest counts.",
                        verbose_name="priority",
                    ),
                ),
                ("audience", models.JSONField(blank=True, default=dict, verbose_name="who may invite")),
                ("starts_at", models.DateTimeField(blank=True, null=True, verbose_name="starts at")),
                ("ends_at", models.DateTimeField(blank=True, null=True, verbose_name="ends at")),
                ("has_leaderboard", models.BooleanField(default=False, verbose_name="shows a leaderboard")),
                (
                    "archived_at",
                    models.DateTimeField(blank=True, editable=False, null=True, verbose_name="archived at"),
                ),
            ],
            options={
                "verbose_name": "referral programme",
                "verbose_name_plural": "referral programmes",
                "ordering": ["-priority", "code"],
            },
        ),
        migrations.CreateModel(
            name="ReferralGrant",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "side",
                    models.CharField(
                        choices=[("referrer", "referrer"), ("friend", "friend")],
                        max_length=8,
                        verbose_name="side",
                    ),
                ),
                ("points", models.PositiveIntegerField(default=0, verbose_name="points")),
                ("voucher_id", models.BigIntegerField(blank=True, null=True, verbose_name="voucher")),
                ("badge_id", models.BigIntegerField(blank=True, null=True, verbose_name="badge")),
                (
                    "reason",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("no_programme", "no programme was running for the referrer"),
                            ("too_late", "the friend did not qualify in time"),
                            ("refunded", "the purchase was returned"),
                            ("fraud", "it looked like fraud, and staff agreed"),
                            ("cap", "the referrer has been rewarded as often as they may"),
                            ("budget", "the programme's budget is used up"),
                            ("left", "one of the two has left the programme"),
                            ("staff", "by a decision of staff"),
                            ("appeal", "after an appeal"),
                        ],
                        max_length=12,
                        verbose_name="why not",
                    ),
                ),
                ("given_at", models.DateTimeField(verbose_name="given at")),
                ("reversed_at", models.DateTimeField(blank=True, null=True, verbose_name="reversed at")),
            ],
            options={
                "verbose_name": "grant for a referral",
                "verbose_name_plural": "grants for referrals",
            },
        ),
        migrations.CreateModel(
            name="ReferralStep",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("joined", "joined"),
                            ("purchased", "has bought, not enough yet"),
                            ("waiting", "waiting until a return is no longer likely"),
                            ("held", "being checked"),
                            ("qualified", "qualified"),
                            ("rewarded", "rewarded"),
                            ("rejected", "rejected"),
                            ("reversed", "reversed"),
                            ("lapsed", "lapsed"),
                        ],
                        max_length=10,
                        verbose_name="state",
                    ),
                ),
                (
                    "reason",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("no_programme", "no programme was running for the referrer"),
                            ("too_late", "the friend did not qualify in time"),
                            ("refunded", "the purchase was returned"),
                            ("fraud", "it looked like fraud, and staff agreed"),
                            ("cap", "the referrer has been rewarded as often as they may"),
                            ("budget", "the programme's budget is used up"),
                            ("left", "one of the two has left the programme"),
                            ("staff", "by a decision of staff"),
                            ("appeal", "after an appeal"),
                        ],
                        max_length=12,
                        verbose_name="reason",
                    ),
                ),
                ("note", models.CharField(blank=True, max_length=500, verbose_name="note")),
                ("activity_id", models.BigIntegerField(blank=True, null=True, verbose_name="activity")),
                ("at", models.DateTimeField(verbose_name="at")),
            ],
            options={
                "verbose_name": "step of a referral",
                "verbose_name_plural": "steps of referrals",
                "ordering": ["id"],
            },
        ),
        migrations.CreateModel(
            name="Signal",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("same_email", "the same e-mail address, written otherwise"),
                            ("same_phone", "the same phone number"),
                            ("same_device", "the same device"),
                            ("same_address", "the same network or postal address"),
                            ("same_payment", "the same means of payment"),
                            ("velocity", "many friends in a short time"),
                            ("circle", "they brought each other, straight or through others"),
                            ("chain", "a long chain of members who each brought one"),
                            ("just_enough", "a purchase just over the minimum"),
                            ("returned", "earlier friends' purchases were returned"),
                            ("disposable", "a throw-away e-mail address"),
                        ],
                        max_length=16,
                        verbose_name="signal",
                    ),
                ),
                ("weight", models.PositiveSmallIntegerField(verbose_name="weight")),
                ("facts", models.JSONField(blank=True, default=dict, verbose_name="facts")),
                ("found_at", models.DateTimeField(verbose_name="found at")),
            ],
            options={
                "verbose_name": "fraud signal",
                "verbose_name_plural": "fraud signals",
                "ordering": ["-weight", "id"],
            },
        ),
        migrations.CreateModel(
            name="SignalWeight",
            fields=[
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("same_email", "the same e-mail address, written otherwise"),
                            ("same_phone", "the same phone number"),
                            ("same_device", "the same device"),
                            ("same_address", "the same network or postal address"),
                            ("same_payment", "the same means of payment"),
                            ("velocity", "many friends in a short time"),
                            ("circle", "they brought each other, straight or through others"),
                            ("chain", "a long chain of members who each brought one"),
                            ("just_enough", "a purchase just over the minimum"),
                            ("returned", "earlier friends' purchases were returned"),
                            ("disposable", "a throw-away e-mail address"),
                        ],
                        max_length=16,
                        primary_key=True,
                        serialize=False,
                        verbose_name="signal",
                    ),
                ),
                ("weight", models.PositiveSmallIntegerField(verbose_name="weight")),
            ],
            options={
                "verbose_name": "weight of a signal",
                "verbose_name_plural": "weights of signals",
                "ordering": ["kind"],
            },
        ),
        migrations.CreateModel(
            name="Visit",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("visitor", models.UUIDField(verbose_name="visitor")),
                (
                    "channel",
                    models.CharField(
                        choices=[
                            ("organic", "on their own"),
                            ("referral", "referral"),
                            ("web_advertising", "web advertising"),
                            ("direct_mail", "direct mail"),
                            ("partner", "partner"),
                            ("store", "in store"),
                            ("event", "event"),
                        ],
                        max_length=20,
                        verbose_name="channel",
                    ),
                ),
                ("code", models.CharField(blank=True, max_length=20, verbose_name="referral code")),
                ("utm", models.JSONField(blank=True, default=dict, verbose_name="UTM parameters")),
                ("landing", models.CharField(blank=True, max_length=200, verbose_name="landing page")),
                ("at", models.DateTimeField(verbose_name="at")),
            ],
            options={
                "verbose_name": "visit",
                "verbose_name_plural": "visits",
                "ordering": ["-id"],
            },
        ),
        migrations.AlterModelOptions(
            name="referral",
            options={"ordering": ["-id"], "verbose_name": "referral", "verbose_name_plural": "referrals"},
        ),
        migrations.AddField(
            model_name="referral",
            name="activity",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="members.activity",
                verbose_name="qualifying activity",
            ),
        ),
        migrations.AddField(
            model_name="referral",
            name="appeal",
            field=models.TextField(blank=True, verbose_name="appeal"),
        ),
        migrations.AddField(
            model_name="referral",
            name="appealed_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="appealed at"),
        ),
        migrations.AddField(
            model_name="referral",
            name="clicked_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="followed the invitation at"),
        ),
        migrations.AddField(
            model_name="referral",
            name="decided_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="decided at"),
        ),
        migrations.AddField(
            model_name="referral",
            name="decided_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="decided by",
            ),
        ),
        migrations.AddField(
            model_name="referral",
            name="due_at",
            field=models.DateTimeField(
                blank=True,
                help_text="When the waiting is over.",
                null=True,
                verbose_name="settled at the earliest",
            ),
        ),
        migrations.AddField(
            model_name="referral",
            name="ended_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="ended at"),
        ),
        migrations.AddField(
            model_name="referral",
            name="lapses_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="lapses at"),
        ),
        migrations.AddField(
            model_name="referral",
            name="public_id",
            field=models.UUIDField(editable=False, null=True, verbose_name="id"),
        ),
        migrations.RunSQL(
            "UPDATE referrals_referral SET public_id = gen_random_uuid()", migrations.RunSQL.noop
        ),
        migrations.AlterField(
            model_name="referral",
            name="public_id",
            field=models.UUIDField(
                default=loyalty.ids.new_public_id, editable=False, unique=True, verbose_name="id"
            ),
        ),
        migrations.AddField(
            model_name="referral",
            name="purchased_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="bought at"),
        ),
        migrations.AddField(
            model_name="referral",
            name="qualified_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="qualified at"),
        ),
        migrations.AddField(
            model_name="referral",
            name="reason",
            field=models.CharField(
                blank=True,
                choices=[
                    ("no_programme", "no programme was running for the referrer"),
                    ("too_late", "the friend did not qualify in time"),
                    ("refunded", "the purchase was returned"),
                    ("fraud", "it looked like fraud, and staff agreed"),
                    ("cap", "the referrer has been rewarded as often as they may"),
                    ("budget", "the programme's budget is used up"),
                    ("left", "one of the two has left the programme"),
                    ("staff", "by a decision of staff"),
                    ("appeal", "after an appeal"),
                ],
                max_length=12,
                verbose_name="reason",
            ),
        ),
        migrations.AddField(
            model_name="referral",
            name="rewarded_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="rewarded at"),
        ),
        migrations.AddField(
            model_name="referral",
            name="score",
            field=models.PositiveIntegerField(default=0, verbose_name="fraud score"),
        ),
        migrations.AddField(
            model_name="referral",
            name="state",
            field=models.CharField(
                choices=[
                    ("joined", "joined"),
                    ("purchased", "has bought, not enough yet"),
                    ("waiting", "waiting until a return is no longer likely"),
                    ("held", "being checked"),
                    ("qualified", "qualified"),
                    ("rewarded", "rewarded"),
                    ("rejected", "rejected"),
                    ("reversed", "reversed"),
                    ("lapsed", "lapsed"),
                ],
                default="joined",
                max_length=10,
                verbose_name="state",
            ),
        ),
        migrations.AddField(
            model_name="referralcode",
            name="changed_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="changed at"),
        ),
        migrations.AddField(
            model_name="referralcode",
            name="is_chosen",
            field=models.BooleanField(default=False, verbose_name="chosen by the member"),
        ),
        migrations.CreateModel(
            name="Acquisition",
            fields=[
                (
                    "member",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="acquisition",
                        serialize=False,
                        to="members.member",
                        verbose_name="member",
                    ),
                ),
                (
                    "first_channel",
                    models.CharField(
                        choices=[
                            ("organic", "on their own"),
                            ("referral", "referral"),
                            ("web_advertising", "web advertising"),
                            ("direct_mail", "direct mail"),
                            ("partner", "partner"),
                            ("store", "in store"),
                            ("event", "event"),
                        ],
                        max_length=20,
                        verbose_name="first touch",
                    ),
                ),
                ("first_at", models.DateTimeField(verbose_name="first touched at")),
                (
                    "first_utm",
                    models.JSONField(
                        blank=True, default=dict, verbose_name="UTM parameters of the first touch"
                    ),
                ),
                (
                    "last_channel",
                    models.CharField(
                        choices=[
                            ("organic", "on their own"),
                            ("referral", "referral"),
                            ("web_advertising", "web advertising"),
                            ("direct_mail", "direct mail"),
                            ("partner", "partner"),
                            ("store", "in store"),
                            ("event", "event"),
                        ],
                        max_length=20,
                        verbose_name="last touch",
                    ),
                ),
                ("last_at", models.DateTimeField(verbose_name="last touched at")),
                (
                    "last_utm",
                    models.JSONField(
                        blank=True, default=dict, verbose_name="UTM parameters of the last touch"
                    ),
                ),
            ],
            options={
                "verbose_name": "acquisition",
                "verbose_name_plural": "acquisitions",
                "indexes": [
                    models.Index(fields=["first_channel"], name="acquisition_by_first"),
                    models.Index(fields=["last_channel"], name="acquisition_by_last"),
                ],
            },
        ),
        migrations.CreateModel(
            name="ChannelSpend",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "public_id",
                    models.UUIDField(
                        default=loyalty.ids.new_public_id, editable=False, unique=True, verbose_name="id"
                    ),
                ),
                (
                    "channel",
                    models.CharField(
                        choices=[
                            ("organic", "on their own"),
                            ("referral", "referral"),
                            ("web_advertising", "web advertising"),
                            ("direct_mail", "direct mail"),
                            ("partner", "partner"),
                            ("store", "in store"),
                            ("event", "event"),
                        ],
                        max_length=20,
                        verbose_name="channel",
                    ),
                ),
                ("starts_on", models.DateField(verbose_name="from")),
                ("ends_on", models.DateField(verbose_name="to")),
                ("amount", models.DecimalField(decimal_places=2, max_digits=12, verbose_name="amount")),
                (
                    "reference",
                    models.CharField(
                        blank=True,
                        help_text="The same reference of a channel is entered once: sent again it is replaced.",
                        max_length=100,
                        verbose_name="reference",
                    ),
                ),
                ("note", models.CharField(blank=True, max_length=300, verbose_name="note")),
                (
                    "source",
                    models.CharField(
                        choices=[("staff", "staff"), ("file", "file"), ("api", "API")],
                        default="staff",
                        max_length=5,
                        verbose_name="by way of",
                    ),
                ),
                ("entered_at", models.DateTimeField(verbose_name="entered at")),
            ],
            options={
                "verbose_name": "spend on a channel",
                "verbose_name_plural": "spend on channels",
                "ordering": ["-starts_on", "channel"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("ends_on__gte", models.F("starts_on"))), name="spend_period"
                    ),
                    models.CheckConstraint(condition=models.Q(("amount__gte", 0)), name="spend_not_negative"),
                    models.UniqueConstraint(
                        condition=models.Q(("reference", ""), _negated=True),
                        fields=("channel", "reference"),
                        name="spend_once",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="FormerCode",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("code", models.CharField(max_length=20, unique=True, verbose_name="code")),
                ("given_up_at", models.DateTimeField(verbose_name="given up at")),
                (
                    "member",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="former_referral_codes",
                        to="members.member",
                        verbose_name="member",
                    ),
                ),
            ],
            options={
                "verbose_name": "former referral code",
                "verbose_name_plural": "former referral codes",
            },
        ),
        migrations.CreateModel(
            name="Invitation",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("address", models.EmailField(blank=True, max_length=254, verbose_name="e-mail address")),
                ("address_hash", models.CharField(editable=False, max_length=64)),
                ("language", models.CharField(max_length=2, verbose_name="language")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "waiting to be sent"),
                            ("sent", "sent"),
                            ("reminded", "reminded"),
                            ("joined", "joined"),
                            ("opted_out", "wants no invitations"),
                            ("failed", "could not be sent"),
                        ],
                        default="waiting",
                        max_length=10,
                        verbose_name="state",
                    ),
                ),
                ("detail", models.CharField(blank=True, max_length=300, verbose_name="detail")),
                ("attempts", models.PositiveSmallIntegerField(default=0, verbose_name="attempts")),
                ("claimed_at", models.DateTimeField(blank=True, null=True, verbose_name="claimed at")),
                ("asked_at", models.DateTimeField(verbose_name="asked for at")),
                ("sent_at", models.DateTimeField(blank=True, null=True, verbose_name="sent at")),
                ("remind_at", models.DateTimeField(blank=True, null=True, verbose_name="reminder due at")),
                ("clicked_at", models.DateTimeField(blank=True, null=True, verbose_name="clicked at")),
                ("ended_at", models.DateTimeField(blank=True, null=True, verbose_name="ended at")),
                (
                    "member",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="invitations",
                        to="members.member",
                        verbose_name="member",
                    ),
                ),
            ],
            options={
                "verbose_name": "invitation",
                "verbose_name_plural": "invitations",
                "ordering": ["-id"],
            },
        ),
        migrations.AddField(
            model_name="referral",
            name="invitation",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="referrals",
                to="referrals.invitation",
                verbose_name="invitation",
            ),
        ),
        migrations.CreateModel(
            name="Mark",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("email", "e-mail address"),
                            ("phone", "phone"),
                            ("device", "device"),
                            ("address", "address"),
                            ("payment", "means of payment"),
                        ],
                        max_length=8,
                        verbose_name="kind",
                    ),
                ),
                ("hash", models.CharField(max_length=64, verbose_name="hash")),
                ("first_seen", models.DateTimeField(verbose_name="first seen")),
                ("last_seen", models.DateTimeField(verbose_name="last seen")),
                (
                    "member",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="marks",
                        to="members.member",
                        verbose_name="member",
                    ),
                ),
            ],
            options={
                "verbose_name": "mark",
                "verbose_name_plural": "marks",
            },
        ),
        migrations.CreateModel(
            name="MilestoneReached",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("friends", models.PositiveSmallIntegerField(verbose_name="friends")),
                ("points", models.PositiveIntegerField(default=0, verbose_name="points")),
                ("voucher_id", models.BigIntegerField(blank=True, null=True, verbose_name="voucher")),
                ("reached_at", models.DateTimeField(verbose_name="reached at")),
                ("reversed_at", models.DateTimeField(blank=True, null=True, verbose_name="reversed at")),
                (
                    "member",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="referral_milestones",
                        to="members.member",
                        verbose_name="member",
                    ),
                ),
            ],
            options={
                "verbose_name": "milestone reached",
                "verbose_name_plural": "milestones reached",
                "ordering": ["-id"],
            },
        ),
        migrations.CreateModel(
            name="ProgrammeTerms",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("number", models.PositiveIntegerField(verbose_name="revision")),
                ("valid_from", models.DateTimeField(verbose_name="valid from")),
                (
                    "trigger",
                    models.CharField(
                        choices=[
                            ("first_purchase", "the friend's first purchase"),
                            ("nth_purchase", "the friend's n-th purchase"),
                            ("spend", "so much spent within some days"),
                            ("activity", "an activity of a kind (a survey for instance)"),
                        ],
                        default="first_purchase",
                        max_length=16,
                        verbose_name="what qualifies",
                    ),
                ),
                (
                    "purchases",
                    models.PositiveSmallIntegerField(
                        default=1,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(100),
                        ],
                        verbose_name="which purchase",
                    ),
                ),
                (
                    "spend",
                    models.DecimalField(
                        decimal_places=2,
                        default=0,
                        help_text="In the base currency, less refunds.",
                        max_digits=10,
                        verbose_name="money spent",
                    ),
                ),
                (
                    "activity_kind",
                    models.CharField(blank=True, max_length=50, verbose_name="kind of activity"),
                ),
                (
                    "minimum_purchase",
                    models.DecimalField(
                        decimal_places=2, default=0, max_digits=10, verbose_name="least purchase"
                    ),
                ),
                (
                    "within_days",
                    models.PositiveSmallIntegerField(
                        default=90,
                        help_text="A friend who has not qualified by then brings nothing any more.",
                        validators=[django.core.validators.MinValueValidator(1)],
                        verbose_name="within days of joining",
                    ),
                ),
                (
                    "waiting_days",
                    models.PositiveSmallIntegerField(
                        default=14,
                        help_text="Until a return is no longer likely; a refund in that time takes it all back.",
                        verbose_name="waiting days",
                    ),
                ),
                (
                    "attribution_days",
                    models.PositiveSmallIntegerField(
                        default=30,
                        help_text="From following the invitation to joining.",
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(365),
                        ],
                        verbose_name="attribution window in days",
                    ),
                ),
                (
                    "touch",
                    models.CharField(
                        choices=[
                            ("first", "the first invitation that was followed"),
                            ("last", "the last invitation that was followed"),
                        ],
                        default="last",
                        max_length=5,
                        verbose_name="counts",
                    ),
                ),
                (
                    "referrer_points",
                    models.PositiveIntegerField(default=0, verbose_name="points for the referrer"),
                ),
                (
                    "friend_points",
                    models.PositiveIntegerField(default=0, verbose_name="points for the friend"),
                ),
                (
                    "milestones",
                    models.JSONField(
                        blank=True,
                        default=list,
                        help_text="What the 3rd, 10th … friend brings besides.",
                        verbose_name="milestones",
                    ),
                ),
                (
                    "cap",
                    models.PositiveIntegerField(
                        blank=True, null=True, verbose_name="rewarded friends at most, each member"
                    ),
                ),
                (
                    "cap_per_period",
                    models.PositiveIntegerField(blank=True, null=True, verbose_name="at most in a period"),
                ),
                (
                    "cap_period_days",
                    models.PositiveSmallIntegerField(default=30, verbose_name="days of that period"),
                ),
                (
                    "budget_points",
                    models.PositiveBigIntegerField(
                        blank=True,
                        help_text="For both sides together, over the whole programme.",
                        null=True,
                        verbose_name="budget in points",
                    ),
                ),
                (
                    "hold_from",
                    models.PositiveSmallIntegerField(
                        default=100,
                        help_text="The weights of a referral's fraud signals add up to its score.",
                        verbose_name="held for review from",
                    ),
                ),
                (
                    "friend_voucher",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="rewards.voucherfamily",
                        verbose_name="voucher for the friend",
                    ),
                ),
                (
                    "referrer_badge",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="rewards.badge",
                        verbose_name="badge for the referrer",
                    ),
                ),
                (
                    "referrer_voucher",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="rewards.voucherfamily",
                        verbose_name="voucher for the referrer",
                    ),
                ),
            ],
            options={
                "verbose_name": "terms of a referral programme",
                "verbose_name_plural": "terms of referral programmes",
                "ordering": ["programme", "-number"],
            },
        ),
        migrations.AddField(
            model_name="referral",
            name="terms",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="referrals",
                to="referrals.programmeterms",
                verbose_name="terms",
            ),
        ),
        migrations.AddIndex(
            model_name="referral",
            index=models.Index(
                condition=models.Q(("state__in", ["waiting", "qualified"])),
                fields=["due_at"],
                name="referral_due",
            ),
        ),
        migrations.AddIndex(
            model_name="referral",
            index=models.Index(
                condition=models.Q(("state__in", ["joined", "purchased"])),
                fields=["lapses_at"],
                name="referral_lapse",
            ),
        ),
        migrations.AddIndex(
            model_name="referral",
            index=models.Index(fields=["state", "-id"], name="referral_by_state"),
        ),
        migrations.CreateModel(
            name="ProgrammeUse",
            fields=[
                (
                    "programme",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="use",
                        serialize=False,
                        to="referrals.referralprogramme",
                        verbose_name="programme",
                    ),
                ),
                ("points", models.PositiveBigIntegerField(default=0, verbose_name="points given")),
                ("rewarded", models.PositiveIntegerField(default=0, verbose_name="referrals rewarded")),
            ],
            options={
                "verbose_name": "use of a programme",
                "verbose_name_plural": "use of programmes",
            },
        ),
        migrations.AddField(
            model_name="programmeterms",
            name="programme",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="terms",
                to="referrals.referralprogramme",
                verbose_name="programme",
            ),
        ),
        migrations.AddField(
            model_name="milestonereached",
            name="programme",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="referrals.referralprogramme",
                verbose_name="programme",
            ),
        ),
        migrations.AddField(
            model_name="referralgrant",
            name="referral",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="grants",
                to="referrals.referral",
                verbose_name="referral",
            ),
        ),
        migrations.AddField(
            model_name="referralstep",
            name="referral",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="steps",
                to="referrals.referral",
                verbose_name="referral",
            ),
        ),
        migrations.AddField(
            model_name="referralstep",
            name="staff",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="staff member",
            ),
        ),
        migrations.AddField(
            model_name="signal",
            name="referral",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="signals",
                to="referrals.referral",
                verbose_name="referral",
            ),
        ),
        migrations.AddIndex(
            model_name="visit",
            index=models.Index(fields=["visitor", "at"], name="visit_by_visitor"),
        ),
        migrations.AddIndex(
            model_name="visit",
            index=models.Index(
                condition=models.Q(("code", ""), _negated=True), fields=["code", "at"], name="visit_by_code"
            ),
        ),
        migrations.AddIndex(
            model_name="visit",
            index=models.Index(fields=["at"], name="visit_by_time"),
        ),
        migrations.AddIndex(
            model_name="invitation",
            index=models.Index(fields=["address_hash"], name="invitation_by_address"),
        ),
        migrations.AddIndex(
            model_name="invitation",
            index=models.Index(
                condition=models.Q(("remind_at__isnull", False)),
                fields=["remind_at"],
                name="invitation_reminder",
            ),
        ),
        migrations.AddConstraint(
            model_name="invitation",
            constraint=models.UniqueConstraint(
                fields=("member", "address_hash"), name="invitation_once_per_address"
            ),
        ),
        migrations.AddIndex(
            model_name="mark",
            index=models.Index(fields=["kind", "hash"], name="mark_by_hash"),
        ),
        migrations.AddConstraint(
            model_name="mark",
            constraint=models.UniqueConstraint(fields=("member", "kind", "hash"), name="mark_once"),
        ),
        migrations.AddConstraint(
            model_name="programmeterms",
            constraint=models.UniqueConstraint(fields=("programme", "number"), name="referral_terms_number"),
        ),
        migrations.AddConstraint(
            model_name="programmeterms",
            constraint=models.UniqueConstraint(
                fields=("programme", "valid_from"), name="referral_terms_date"
            ),
        ),
        migrations.AddConstraint(
            model_name="milestonereached",
            constraint=models.UniqueConstraint(
                condition=models.Q(("reversed_at__isnull", True)),
                fields=("programme", "member", "friends"),
                name="referral_milestone_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="referralgrant",
            constraint=models.UniqueConstraint(fields=("referral", "side"), name="referral_grant_once"),
        ),
        migrations.AddConstraint(
            model_name="signal",
            constraint=models.UniqueConstraint(fields=("referral", "kind"), name="signal_once"),
        ),
        migrations.RunPython(seed, migrations.RunPython.noop),
        protect("referrals_referralstep"),
    ]
