"""The send ledger: at most one row per member, campaign, step and occasion, with the reason why sent or not."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from campaigns.models.campaign import Campaign, ChannelCode, Variant
from campaigns.models.round import Round
from loyalty.ids import new_public_id
from members.models import Member


class Message(models.Model):
    """What was decided about one candidate, and what became of it.

    Claimed (``sending``) before it is handed to the channel, marked after. Subject and text are filled in when it goes
    out; ``facts`` are those of the occasion. ``arm`` says on which side of the campaign's experiment the member stands,
    from the decision on and for good; without one they never could have been written to.
    """

    Channel = ChannelCode

    class Status(models.TextChoices):
        DUE = "due", _("due")
        SENDING = "sending", _("sending")
        SENT = "sent", _("sent")
        FAILED = "failed", _("failed")
        UNKNOWN = "unknown", _("outcome unknown")
        SKIPPED = "skipped", _("not sent")
        HELD_OUT = "held_out", _("held out")

    class Arm(models.TextChoices):
        NONE = "", _("not in the experiment")
        TREATED = "treated", _("written to")
        HELD_OUT = "held_out", _("held out")
        GLOBAL = "global", _("held out of everything")

    class Reason(models.TextChoices):
        """Why it was not sent, or goes by another way or at another time. ``detail`` keeps the other side's words."""

        TOO_LATE = "too_late", _("noticed too late")
        GIVEN_RECENTLY = "given_recently", _("the last gift of this campaign is too recent")
        NO_ADDRESS = "no_address", _("no e-mail address: shown in the portal instead")
        NO_CONSENT = "no_consent", _("no consent to e-mail: shown in the portal instead")
        NO_CHANNEL = "no_channel", _("no way to reach them that they agreed to")
        SUPPRESSED = "suppressed", _("the address bounced, or complained of our messages")
        CAPPED = "capped", _("they have got as many messages as they may")
        OUTRANKED = "outranked", _("a more important message took its place")
        QUIET_HOURS = "quiet_hours", _("held until the end of the quiet hours")
        ON_PAUSE = "on_pause", _("the member wants no messages for a time")
        HOLD_OUT = "hold_out", _("held out, to see the difference")
        GLOBAL_HOLD_OUT = "global_hold_out", _("held out of every campaign, to see the difference")
        NO_TEXT = "no_text", _("there is no text for this way of sending")
        CANCELLED = "cancelled", _("the campaign was cancelled")
        CONSENT_WITHDRAWN = "consent_withdrawn", _("the consent was withdrawn before sending")
        NOT_A_MEMBER = "not_a_member", _("no longer a member")
        RETRYING = "retrying", _("a passing error; tried again")
        REFUSED = "refused", _("refused by the other side")
        BOUNCED = "bounced", _("came back from the other side")
        GAVE_UP = "gave_up", _("given up after too many tries or too long a time")
        LOST = "lost", _("the sender stopped half-way; it may have gone out")
        ERROR = "error", _("an unexpected error")

    public_id = models.UUIDField(_("id"), default=new_public_id, unique=True, editable=False)
    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="messages", verbose_name=_("member"), db_index=False
    )
    campaign = models.ForeignKey(
        Campaign, on_delete=models.PROTECT, related_name="messages", verbose_name=_("campaign")
    )
    step = models.CharField(_("step"), max_length=50, blank=True, default="")
    occasion = models.CharField(_("occasion"), max_length=100)
    round = models.ForeignKey(
        Round,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        verbose_name=_("round"),
    )
    variant = models.ForeignKey(
        Variant,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        verbose_name=_("variant"),
    )
    arm = models.CharField(_("side of the experiment"), max_length=8, choices=Arm.choices, blank=True)
    channel = models.CharField(_("channel"), max_length=10, choices=ChannelCode.choices)
    language = models.CharField(_("language"), max_length=2)
    facts = models.JSONField(_("facts"), default=dict, blank=True)
    subject = models.CharField(_("subject"), max_length=300, blank=True)
    body = models.TextField(_("text"), blank=True)
    content = models.JSONField(_("content"), default=dict, blank=True, editable=False)
    points = models.PositiveIntegerField(_("points given"), default=0)
    cost = models.DecimalField(_("cost of sending"), max_digits=8, decimal_places=4, default=0)
    status = models.CharField(_("status"), max_length=10, choices=Status.choices, default=Status.DUE)
    reason = models.CharField(_("reason"), max_length=20, blank=True, choices=Reason.choices)
    detail = models.CharField(_("detail"), max_length=300, blank=True)
    created_at = models.DateTimeField(_("created at"))
    due_at = models.DateTimeField(_("due at"))
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    claimed_at = models.DateTimeField(_("claimed at"), null=True, blank=True)
    claim = models.UUIDField(_("claim"), null=True, blank=True, editable=False)
    provider_id = models.CharField(_("the other side's number"), max_length=200, blank=True, editable=False)
    sent_at = models.DateTimeField(_("sent at"), null=True, blank=True)
    read_at = models.DateTimeField(_("read at"), null=True, blank=True)
    opened_at = models.DateTimeField(_("opened at"), null=True, blank=True)
    clicked_at = models.DateTimeField(_("clicked at"), null=True, blank=True)

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        ordering = ["-id"]
        permissions = [
            ("settle_message", "Can settle messages of unknown outcome and send failed ones again")
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["member", "campaign", "step", "occasion"], name="message_once_per_occasion"
            )
        ]
        indexes = [
            models.Index(
                fields=["due_at"], name="message_due", condition=models.Q(status__in=["due", "sending"])
            ),
            models.Index(
                fields=["campaign", "channel", "due_at", "id"],
                name="message_waiting",
                condition=models.Q(status="due") & ~models.Q(arm="treated", variant__isnull=True),
            ),
            models.Index(fields=["claim"], name="message_claimed", condition=models.Q(status="sending")),
            models.Index(  # what counts towards caps: campaigns.policy.facts
                fields=["member", "due_at"],
                name="message_counted",
                condition=models.Q(status__in=["due", "sending", "sent", "unknown"])
                & ~models.Q(channel="inbox"),
            ),
            models.Index(
                fields=["provider_id"], name="message_provider", condition=~models.Q(provider_id="")
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"


class OpenClaim(models.Model):
    """A sender's claim of some messages. The table is not logged: a crash of the database server empties it.

    So a claim that is missing here tells that marks of its messages may have been lost with the crash.
    """

    id = models.UUIDField(primary_key=True)
    taken_at = models.DateTimeField(_("taken at"))

    class Meta:
        verbose_name = _("open claim")
        verbose_name_plural = _("open claims")

    def __str__(self) -> str:
        return str(self.id)
