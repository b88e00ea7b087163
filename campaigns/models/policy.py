"""What may be sent at all: the programme's own limits, addresses never to write to, and each member's wishes."""

from django.conf import settings
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from campaigns.models.campaign import PERCENT, ChannelCode
from campaigns.models.message import Message
from loyalty.history import staff_history
from members.models import Member


class SendingPolicy(models.Model):
    """What holds for all campaigns together; one row."""

    class LeapDay(models.TextChoices):
        BEFORE = "before", _("on 28 February")
        AFTER = "after", _("on 1 March")

    global_hold_out_percent = models.DecimalField(
        _("held out of every campaign (percent)"),
        max_digits=5,
        decimal_places=2,
        default=0,
        validators=PERCENT,
        help_text=_("Lasting: the same members are never written to, so that the whole can be measured."),
    )
    global_hold_out_key = models.CharField(
        _("key of the lasting hold-out"),
        max_length=50,
        default="1",
        help_text=_("Another key draws other members."),
    )
    approval_above = models.PositiveIntegerField(
        _("a second person approves above"),
        default=10_000,
        help_text=_(
            "Members in the audience of a one-off campaign, or of a date of a schedule. What is written to each "
            "member on an occasion of their own needs no approval."
        ),
    )
    per_day = models.PositiveSmallIntegerField(_("messages a day at most"), null=True, blank=True, default=2)
    per_week = models.PositiveSmallIntegerField(
        _("messages a week at most"), null=True, blank=True, default=5
    )
    per_month = models.PositiveSmallIntegerField(
        _("messages a month at most"), null=True, blank=True, default=12
    )
    leap_day = models.CharField(
        _("29 February in other years"),
        max_length=6,
        choices=LeapDay.choices,
        default=LeapDay.BEFORE,
        help_text=_("When birthdays and anniversaries of 29 February are kept in years without one."),
    )
    track_opens = models.BooleanField(
        _("see which e-mails are opened"),
        default=False,
        help_text=_("By a picture in the e-mail, for members who do not object."),
    )
    value_of_a_point = models.DecimalField(
        _("what a point costs"),
        max_digits=10,
        decimal_places=4,
        default="0.01",
        help_text=_("In the base currency, for the return of campaigns."),
    )
    margin_percent = models.DecimalField(
        _("margin (percent of revenue)"), max_digits=5, decimal_places=2, default=30, validators=PERCENT
    )

    history = staff_history()

    class Meta:
        verbose_name = _("sending policy")
        verbose_name_plural = _("sending policy")
        constraints = [models.CheckConstraint(condition=Q(pk=1), name="sending_policy_one_row")]

    def __str__(self) -> str:
        return str(_("Sending policy"))


class ChannelPolicy(models.Model):
    """What holds for one way of sending. Quiet hours are on the member's own clock and may cross midnight."""

    class Unknown(models.TextChoices):
        LIST = "list", _("show it to staff")
        RETRY = "retry", _("send it again")

    channel = models.CharField(_("channel"), max_length=10, choices=ChannelCode.choices, primary_key=True)
    is_active = models.BooleanField(_("in use"), default=True)
    quiet_from = models.TimeField(_("quiet from"), null=True, blank=True)
    quiet_to = models.TimeField(_("quiet to"), null=True, blank=True)
    per_day = models.PositiveSmallIntegerField(_("a day at most"), null=True, blank=True)
    per_week = models.PositiveSmallIntegerField(_("a week at most"), null=True, blank=True)
    per_month = models.PositiveSmallIntegerField(_("a month at most"), null=True, blank=True)
    cost = models.DecimalField(
        _("cost of one message"),
        max_digits=8,
        decimal_places=4,
        default=0,
        help_text=_("In the base currency."),
    )
    unknown = models.CharField(
        _("when the outcome is unknown"), max_length=5, choices=Unknown.choices, default=Unknown.LIST
    )

    history = staff_history()

    class Meta:
        verbose_name = _("channel policy")
        verbose_name_plural = _("channel policies")
        ordering = ["channel"]
        constraints = [
            models.CheckConstraint(
                condition=Q(quiet_from__isnull=True, quiet_to__isnull=True)
                | Q(quiet_from__isnull=False, quiet_to__isnull=False),
                name="channel_policy_quiet_both",
            )
        ]

    def __str__(self) -> str:
        return self.get_channel_display()


class Suppression(models.Model):
    """An address not to be written to again, by a keyed hash: it outlasts the member, and says nothing of them."""

    class Reason(models.TextChoices):
        BOUNCE = "bounce", _("came back for good")
        COMPLAINT = "complaint", _("complained of as spam")
        STAFF = "staff", _("put down by staff")

    channel = models.CharField(_("channel"), max_length=10, choices=ChannelCode.choices)
    address_hash = models.CharField(_("address (hash)"), max_length=64)
    member = models.ForeignKey(
        Member,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="suppressions",
        verbose_name=_("member"),
    )
    reason = models.CharField(_("reason"), max_length=10, choices=Reason.choices)
    detail = models.CharField(_("detail"), max_length=300, blank=True)
    since = models.DateTimeField(_("since"))
    lifted_at = models.DateTimeField(_("lifted at"), null=True, blank=True)
    lifted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("lifted by"),
    )

    class Meta:
        verbose_name = _("suppressed address")
        verbose_name_plural = _("suppressed addresses")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["channel", "address_hash"],
                condition=Q(lifted_at__isnull=True),
                name="suppression_once",
            )
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"


class Feedback(models.Model):
    """What a mail or message service told us of a message: each notice once, by its own number or content."""

    class Kind(models.TextChoices):
        DELIVERED = "delivered", _("delivered")
        PASSING = "passing", _("came back for now")
        BOUNCE = "bounce", _("came back for good")
        COMPLAINT = "complaint", _("complained of as spam")
        UNSUBSCRIBE = "unsubscribe", _("unsubscribed")
        OPEN = "open", _("opened")
        CLICK = "click", _("clicked")

    source = models.CharField(_("source"), max_length=30)
    key = models.CharField(_("number of the notice"), max_length=200)
    kind = models.CharField(_("kind"), max_length=12, choices=Kind.choices)
    channel = models.CharField(_("channel"), max_length=10, choices=ChannelCode.choices)
    message = models.ForeignKey(
        Message,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="feedback",
        verbose_name=_("message"),
    )
    address_hash = models.CharField(max_length=64, blank=True, editable=False)
    detail = models.CharField(_("detail"), max_length=300, blank=True)
    happened_at = models.DateTimeField(_("happened at"))
    received_at = models.DateTimeField(_("received at"))

    class Meta:
        verbose_name = _("feedback of a service")
        verbose_name_plural = _("feedback of services")
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["source", "key"], name="feedback_once")]
        indexes = [
            models.Index(
                fields=["channel", "address_hash", "happened_at"],
                name="feedback_passing",
                condition=Q(kind="passing"),
            )
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"


class MessagePreference(models.Model):
    """A member's wishes beyond consents; no row means none."""

    member = models.OneToOneField(
        Member,
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="message_preference",
        verbose_name=_("member"),
    )
    preferred_channel = models.CharField(
        _("preferred way"), max_length=10, choices=ChannelCode.choices, blank=True
    )
    no_tracking = models.BooleanField(_("do not count what I open and follow"), default=False)
    per_week = models.PositiveSmallIntegerField(
        _("messages a week at most"), null=True, blank=True, validators=[MaxValueValidator(50)]
    )
    paused_until = models.DateField(_("no messages until"), null=True, blank=True)
    changed_at = models.DateTimeField(_("changed at"))

    class Meta:
        verbose_name = _("message preference")
        verbose_name_plural = _("message preferences")

    def __str__(self) -> str:
        return f"#{self.pk}"


class PushSubscription(models.Model):
    """A browser that a member lets us send notifications to."""

    member = models.ForeignKey(
        Member, on_delete=models.CASCADE, related_name="push_subscriptions", verbose_name=_("member")
    )
    endpoint = models.TextField(_("endpoint"))
    endpoint_hash = models.CharField(max_length=64, unique=True, editable=False)
    p256dh = models.CharField(max_length=200, editable=False)
    auth = models.CharField(max_length=100, editable=False)
    device = models.CharField(_("device"), max_length=200, blank=True)
    created_at = models.DateTimeField(_("created at"))
    gone_at = models.DateTimeField(_("gone at"), null=True, blank=True)

    class Meta:
        verbose_name = _("notification address")
        verbose_name_plural = _("notification addresses")
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"#{self.pk}"
