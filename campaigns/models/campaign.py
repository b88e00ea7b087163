"""A campaign: who is told what, when and on what occasion, what they are given, and how it is measured."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from loyalty import clock
from loyalty.history import staff_history
from loyalty.ids import new_public_id
from loyalty.translated import TranslatedTextField, in_language
from members.models import Segment
from rewards.models import VoucherFamily

PERCENT = [MinValueValidator(0), MaxValueValidator(100)]


class ChannelCode(models.TextChoices):
    """The ways to a member."""

    EMAIL = "email", _("e-mail")
    SMS = "sms", _("text message")
    PUSH = "push", _("notification")
    INBOX = "inbox", _("portal inbox")
    WEBHOOK = "webhook", _("webhook")


def default_channels() -> list[str]:
    return [ChannelCode.EMAIL.value, ChannelCode.INBOX.value]


class Campaign(models.Model):
    """A message to many: once, again and again, or whenever something happens. See ``campaigns.lifecycle``."""

    class Kind(models.TextChoices):
        ONE_OFF = "one_off", _("one-off")
        RECURRING = "recurring", _("recurring")
        TRIGGERED = "triggered", _("triggered")

    class Status(models.TextChoices):
        DRAFT = "draft", _("draft")
        AWAITING = "awaiting", _("awaiting approval")
        SCHEDULED = "scheduled", _("scheduled")
        SENDING = "sending", _("sending")
        RUNNING = "running", _("running")
        PAUSED = "paused", _("paused")
        SENT = "sent", _("sent")
        CANCELLED = "cancelled", _("cancelled")
        FAILED = "failed", _("failed")

    class Occasion(models.TextChoices):
        """What makes a recurring or triggered campaign due for a member; a one-off has none."""

        BIRTHDAY = "birthday", _("birthday")
        ANNIVERSARY = "anniversary", _("anniversary of joining")
        SCHEDULE = "schedule", _("a schedule")
        EVENT = "event", _("something happens")
        INACTIVE = "inactive", _("no purchase for some days")
        REPLENISH = "replenish", _("time to buy a product again")
        AFFORDABLE = "affordable", _("a favourite reward is within reach")

    class Purpose(models.TextChoices):
        """What the message is for: it takes the member's consent of that name, by the channel; service takes none."""

        MARKETING = "marketing", _("offers and news")
        SURVEYS = "surveys", _("surveys")
        SERVICE = "service", _("service: about the member's own account")

    class Goal(models.TextChoices):
        PURCHASE = "purchase", _("a purchase")
        SPEND = "spend", _("money spent")
        REDEMPTION = "redemption", _("a redemption")
        VISIT = "visit", _("a visit")
        CLICK = "click", _("a click")

    class WinnerBy(models.TextChoices):
        GOAL = "goal", _("the goal")
        CLICK = "click", _("clicks")

    public_id = models.UUIDField(_("id"), default=new_public_id, unique=True, editable=False)
    code = models.SlugField(_("code"), max_length=50, unique=True)
    names = TranslatedTextField(_("names"))
    note = models.TextField(_("note"), blank=True, help_text=_("For staff: what it is for."))
    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices, default=Kind.ONE_OFF)
    status = models.CharField(_("status"), max_length=10, choices=Status.choices, default=Status.DRAFT)
    purpose = models.CharField(
        _("purpose"), max_length=20, choices=Purpose.choices, default=Purpose.MARKETING
    )

    # When
    occasion = models.CharField(_("occasion"), max_length=20, choices=Occasion.choices, blank=True)
    event = models.CharField(_("event"), max_length=100, blank=True)
    event_conditions = models.JSONField(_("conditions on what happened"), default=dict, blank=True)
    delay_minutes = models.PositiveIntegerField(_("delay in minutes"), default=0)
    days = models.PositiveSmallIntegerField(
        _("days"), null=True, blank=True, help_text=_("Without a purchase, or since the product was bought.")
    )
    rhythm = models.JSONField(_("schedule"), default=dict, blank=True)
    look_back_days = models.PositiveSmallIntegerField(
        _("look-back in days"),
        default=3,
        help_text=_("A message missed by up to this many days is still sent; later it is not."),
    )
    send_at = models.DateTimeField(_("send at"), null=True, blank=True)
    in_member_zone = models.BooleanField(
        _("at that time of each member's own clock"),
        default=False,
        help_text=_("Members further east get it earlier, members further west later."),
    )
    ends_at = models.DateTimeField(_("ends at"), null=True, blank=True)

    # Who, and by which way
    audience = models.JSONField(_("audience"), default=dict, blank=True)
    channels = ArrayField(
        models.CharField(max_length=10, choices=ChannelCode.choices),
        verbose_name=_("channels"),
        default=default_channels,
        help_text=_("In order: a member's own preference comes first, then the first that reaches them."),
    )
    priority = models.PositiveSmallIntegerField(
        _("priority"),
        default=50,
        validators=[MaxValueValidator(100)],
        help_text=_("When members may get only so many messages, the higher one goes first."),
    )
    ignores_caps = models.BooleanField(_("not counted and not held back by frequency caps"), default=False)
    ignores_quiet_hours = models.BooleanField(_("goes out in quiet hours too"), default=False)

    # What they are given
    bonus_points = models.PositiveIntegerField(_("bonus points"), default=0)
    voucher_family = models.ForeignKey(
        VoucherFamily,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("voucher"),
    )
    add_to_list = models.ForeignKey(
        Segment,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        limit_choices_to={"kind": "list"},
        verbose_name=_("add to the list"),
    )

    # How it is measured
    hold_out_percent = models.DecimalField(
        _("held out (percent)"),
        max_digits=5,
        decimal_places=2,
        default=5,
        validators=PERCENT,
        help_text=_("So many of the audience are not written to, so that the difference can be seen."),
    )
    goal = models.CharField(_("goal"), max_length=12, choices=Goal.choices, default=Goal.PURCHASE)
    goal_conditions = models.JSONField(_("purchases that count"), default=dict, blank=True)
    goal_days = models.PositiveSmallIntegerField(
        _("window of the goal in days"), default=14, validators=[MinValueValidator(1), MaxValueValidator(365)]
    )
    test_percent = models.PositiveSmallIntegerField(
        _("try on (percent)"),
        default=100,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
        help_text=_("The variants are tried on so many; the others get the winner."),
    )
    winner_by = models.CharField(_("winner by"), max_length=8, choices=WinnerBy.choices, blank=True)
    winner_after_hours = models.PositiveSmallIntegerField(_("choose after hours"), null=True, blank=True)
    winner = models.ForeignKey(
        "campaigns.Variant",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
        verbose_name=_("winner"),
    )
    winner_chosen_at = models.DateTimeField(_("winner chosen at"), null=True, blank=True, editable=False)

    # What became of it
    created_at = models.DateTimeField(_("created at"), default=clock.now, editable=False)
    submitted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
        verbose_name=_("submitted by"),
    )
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
        verbose_name=_("approved by"),
    )
    approved_at = models.DateTimeField(_("approved at"), null=True, blank=True, editable=False)
    approved_for = models.PositiveIntegerField(
        _("approved for"),
        null=True,
        blank=True,
        editable=False,
        help_text=_("Members in the audience when it was approved."),
    )
    started_at = models.DateTimeField(_("started at"), null=True, blank=True, editable=False)
    ended_at = models.DateTimeField(_("ended at"), null=True, blank=True, editable=False)
    archived_at = models.DateTimeField(_("archived at"), null=True, blank=True, editable=False)
    cloned_from = models.ForeignKey(
        "self",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
        verbose_name=_("copy of"),
    )
    looked_at = models.DateTimeField(
        _("last looked for occasions at"),
        null=True,
        blank=True,
        editable=False,
        help_text=_("Occasions up to here are settled: sent, or skipped with a reason."),
    )
    problem = models.TextField(_("problem"), blank=True, editable=False)

    history = staff_history()

    class Meta:
        verbose_name = _("campaign")
        verbose_name_plural = _("campaigns")
        ordering = ["code"]
        permissions = [
            ("send_campaign", "Can submit, pause and cancel campaigns"),
            ("approve_campaign", "Can approve campaigns that others submitted"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(kind="one_off", occasion="") | (~Q(kind="one_off") & ~Q(occasion="")),
                name="campaign_occasion_of_kind",
            )
        ]

    def __str__(self) -> str:
        return self.name or self.code

    @property
    def name(self) -> str:
        return in_language(self.names)


class Variant(models.Model):
    """One way of saying it. Members are divided among the variants by weight, each always the same way."""

    campaign = models.ForeignKey(
        Campaign, on_delete=models.CASCADE, related_name="variants", verbose_name=_("campaign")
    )
    code = models.CharField(_("code"), max_length=10, default="A")
    name = models.CharField(_("name"), max_length=100, blank=True)
    weight = models.PositiveSmallIntegerField(
        _("weight"), default=1, help_text=_("A variant of weight 2 goes to twice as many as one of 1.")
    )

    history = staff_history()

    class Meta:
        verbose_name = _("variant")
        verbose_name_plural = _("variants")
        ordering = ["campaign", "code"]
        constraints = [models.UniqueConstraint(fields=["campaign", "code"], name="variant_once")]

    def __str__(self) -> str:
        return f"{self.code} {self.name}".strip()


class Text(models.Model):
    """What a variant says in one language: Liquid, for every channel. See ``campaigns.rendering``."""

    variant = models.ForeignKey(
        Variant, on_delete=models.CASCADE, related_name="texts", verbose_name=_("variant")
    )
    language = models.CharField(_("language"), max_length=2, choices=settings.LANGUAGES)
    subject = models.CharField(_("subject"), max_length=300, blank=True)
    preheader = models.CharField(
        _("preview text"),
        max_length=300,
        blank=True,
        help_text=_("What mail programs show after the subject."),
    )
    heading = models.CharField(_("heading"), max_length=300, blank=True)
    body = models.TextField(_("text"), blank=True)
    button_label = models.CharField(_("button"), max_length=100, blank=True)
    button_link = models.CharField(
        _("the button's link"), max_length=500, blank=True, help_text=_("Empty: the portal.")
    )
    short_text = models.CharField(
        _("short text"),
        max_length=480,
        blank=True,
        help_text=_("For text messages and notifications. Empty: the subject."),
    )
    mjml = models.TextField(
        _("own e-mail layout (MJML)"),
        blank=True,
        help_text=_("Empty: the programme's own layout around the text."),
    )

    history = staff_history()

    class Meta:
        verbose_name = _("text")
        verbose_name_plural = _("texts")
        ordering = ["variant", "language"]
        constraints = [models.UniqueConstraint(fields=["variant", "language"], name="text_once")]

    def __str__(self) -> str:
        return f"{self.variant_id} {self.language}"
