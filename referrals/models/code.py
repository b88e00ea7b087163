"""A member's code to share, the codes they had before, and who was asked by e-mail."""

from django.db import models
from django.db.models import F, Func, Value
from django.utils.translation import gettext_lazy as _

from members.models import Member


def _look() -> Func:
    """A code with letters and figures that look alike written as one (``referrals.codes.look_of``)."""
    return Func(
        F("code"), Value("01LU"), Value("OIIV"), function="translate", output_field=models.CharField()
    )


class ReferralCode(models.Model):
    """A member's personal code to share: drawn, or chosen by the member. No two look alike."""

    LOOK = _look()

    member = models.OneToOneField(
        Member, on_delete=models.CASCADE, related_name="referral_code", verbose_name=_("member")
    )
    code = models.CharField(_("code"), max_length=20, unique=True)
    is_chosen = models.BooleanField(_("chosen by the member"), default=False)
    changed_at = models.DateTimeField(_("changed at"), null=True, blank=True)
    shows_name = models.BooleanField(
        _("shows the first name"),
        default=False,
        help_text=_("On the page that friends see who follow the link."),
    )
    created_at = models.DateTimeField(_("created at"))

    class Meta:
        verbose_name = _("referral code")
        verbose_name_plural = _("referral codes")
        constraints = [models.UniqueConstraint(_look(), name="referral_code_look_once")]

    def __str__(self) -> str:
        return self.code


class FormerCode(models.Model):
    """A code that a member gave up for one of their choice: links sent with it go on counting for them."""

    LOOK = _look()

    member = models.ForeignKey(
        Member, on_delete=models.CASCADE, related_name="former_referral_codes", verbose_name=_("member")
    )
    code = models.CharField(_("code"), max_length=20, unique=True)
    given_up_at = models.DateTimeField(_("given up at"))

    class Meta:
        verbose_name = _("former referral code")
        verbose_name_plural = _("former referral codes")
        indexes = [models.Index(_look(), name="former_code_by_look")]

    def __str__(self) -> str:
        return self.code


class Invitation(models.Model):
    """An e-mail to a friend, asked for by a member. The address goes when it is answered or after its last reminder.

    ``address_hash`` is keyed; it tells a second invitation of the same address and an opt-out, nothing else.
    """

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting to be sent")
        SENT = "sent", _("sent")
        REMINDED = "reminded", _("reminded")
        JOINED = "joined", _("joined")
        OPTED_OUT = "opted_out", _("wants no invitations")
        FAILED = "failed", _("could not be sent")

    member = models.ForeignKey(
        Member, on_delete=models.CASCADE, related_name="invitations", verbose_name=_("member")
    )
    address = models.EmailField(_("e-mail address"), blank=True)
    address_hash = models.CharField(max_length=64, editable=False)
    language = models.CharField(_("language"), max_length=2)
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.WAITING)
    detail = models.CharField(_("detail"), max_length=300, blank=True)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    claimed_at = models.DateTimeField(_("claimed at"), null=True, blank=True)
    asked_at = models.DateTimeField(_("asked for at"))
    sent_at = models.DateTimeField(_("sent at"), null=True, blank=True)
    remind_at = models.DateTimeField(_("reminder due at"), null=True, blank=True)
    clicked_at = models.DateTimeField(_("clicked at"), null=True, blank=True)
    ended_at = models.DateTimeField(_("ended at"), null=True, blank=True)

    class Meta:
        verbose_name = _("invitation")
        verbose_name_plural = _("invitations")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["member", "address_hash"], name="invitation_once_per_address")
        ]
        indexes = [
            models.Index(fields=["address_hash"], name="invitation_by_address"),
            models.Index(
                fields=["remind_at"],
                name="invitation_reminder",
                condition=models.Q(remind_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"


class InvitationOptOut(models.Model):
    """An address that wants no invitations from anybody, by its keyed hash."""

    address_hash = models.CharField(max_length=64, unique=True, editable=False)
    since = models.DateTimeField(_("since"))

    class Meta:
        verbose_name = _("opt-out of invitations")
        verbose_name_plural = _("opt-outs of invitations")

    def __str__(self) -> str:
        return f"#{self.pk}"
