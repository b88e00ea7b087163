"""The send ledger: at most one row per member, campaign and occasion, with the reason why sent or not."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from campaigns.models.campaign import Campaign
from members.models import Member


class Message(models.Model):
    """One message to one member. Claimed (``sending``) before it is handed to the channel, marked after."""

    class Channel(models.TextChoices):
        EMAIL = "email", _("e-mail")
        INBOX = "inbox", _("portal inbox")

    class Status(models.TextChoices):
        DUE = "due", _("due")
        SENDING = "sending", _("sending")
        SENT = "sent", _("sent")
        FAILED = "failed", _("failed")
        UNKNOWN = "unknown", _("outcome unknown")
        SKIPPED = "skipped", _("not sent")

    class Reason(models.TextChoices):
        """Why a message was not sent, or not by e-mail, or is tried again. ``detail`` keeps the other side's words."""

        TOO_LATE = "too_late", _("noticed too late")
        GIVEN_RECENTLY = "given_recently", _("the last gift of this campaign is too recent")
        NO_ADDRESS = "no_address", _("no e-mail address: shown in the portal instead")
        NO_CONSENT = "no_consent", _("no consent to e-mail: shown in the portal instead")
        CONSENT_WITHDRAWN = "consent_withdrawn", _("the consent was withdrawn before sending")
        NOT_A_MEMBER = "not_a_member", _("no longer a member")
        RETRYING = "retrying", _("a passing error; tried again")
        REFUSED = "refused", _("refused by the mail server")
        GAVE_UP = "gave_up", _("given up after too many tries or too long a time")
        LOST = "lost", _("the sender stopped half-way; it may have gone out")
        ERROR = "error", _("an unexpected error")

    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="messages", verbose_name=_("member"), db_index=False
    )
    campaign = models.ForeignKey(
        Campaign, on_delete=models.PROTECT, related_name="messages", verbose_name=_("campaign")
    )
    occasion = models.CharField(_("occasion"), max_length=100)
    channel = models.CharField(_("channel"), max_length=10, choices=Channel.choices)
    language = models.CharField(_("language"), max_length=2)
    subject = models.CharField(_("subject"), max_length=200)
    body = models.TextField(_("text"))
    points = models.PositiveIntegerField(_("points given"), default=0)
    status = models.CharField(_("status"), max_length=10, choices=Status.choices, default=Status.DUE)
    reason = models.CharField(_("reason"), max_length=20, blank=True, choices=Reason.choices)
    detail = models.CharField(_("detail"), max_length=300, blank=True)
    created_at = models.DateTimeField(_("created at"))
    due_at = models.DateTimeField(_("due at"))
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    claimed_at = models.DateTimeField(_("claimed at"), null=True, blank=True)
    sent_at = models.DateTimeField(_("sent at"), null=True, blank=True)
    read_at = models.DateTimeField(_("read at"), null=True, blank=True)

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["member", "campaign", "occasion"], name="message_once_per_occasion"
            )
        ]
        indexes = [
            models.Index(
                fields=["due_at"], name="message_due", condition=models.Q(status__in=["due", "sending"])
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"
