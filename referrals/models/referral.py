"""A friend who came by a member's invitation: where that stands, each step with its reason, and what it gave."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from loyalty.ids import new_public_id
from members.models import Activity, Member
from referrals.models.code import Invitation
from referrals.models.programme import ProgrammeTerms


class Referral(models.Model):
    """One friend of one member. A person is brought at most once."""

    class State(models.TextChoices):
        JOINED = "joined", _("joined")
        PURCHASED = "purchased", _("has bought, not enough yet")
        WAITING = "waiting", _("waiting until a return is no longer likely")
        HELD = "held", _("being checked")
        QUALIFIED = "qualified", _("qualified")
        REWARDED = "rewarded", _("rewarded")
        REJECTED = "rejected", _("rejected")
        REVERSED = "reversed", _("reversed")
        LAPSED = "lapsed", _("lapsed")

    class Reason(models.TextChoices):
        """Why it ended, or brought less than it could."""

        NO_PROGRAMME = "no_programme", _("no programme was running for the referrer")
        TOO_LATE = "too_late", _("the friend did not qualify in time")
        REFUNDED = "refunded", _("the purchase was returned")
        FRAUD = "fraud", _("it looked like fraud, and staff agreed")
        CAP = "cap", _("the referrer has been rewarded as often as they may")
        BUDGET = "budget", _("the programme's budget is used up")
        VOUCHER = "voucher", _("no voucher is left at present")
        LEFT = "left", _("one of the two has left the programme")
        STAFF = "staff", _("by a decision of staff")
        APPEAL = "appeal", _("after an appeal")

    public_id = models.UUIDField(_("id"), default=new_public_id, unique=True, editable=False)
    referrer = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="referrals_made", verbose_name=_("referrer")
    )
    friend = models.OneToOneField(
        Member, on_delete=models.PROTECT, related_name="referral", verbose_name=_("friend")
    )
    terms = models.ForeignKey(
        ProgrammeTerms,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="referrals",
        verbose_name=_("terms"),
    )
    invitation = models.ForeignKey(
        Invitation,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="referrals",
        verbose_name=_("invitation"),
    )
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.JOINED)
    reason = models.CharField(_("reason"), max_length=12, choices=Reason.choices, blank=True)
    clicked_at = models.DateTimeField(_("followed the invitation at"), null=True, blank=True)
    joined_at = models.DateTimeField(_("joined at"))
    purchased_at = models.DateTimeField(_("bought at"), null=True, blank=True)
    lapses_at = models.DateTimeField(_("lapses at"), null=True, blank=True)
    due_at = models.DateTimeField(
        _("settled at the earliest"), null=True, blank=True, help_text=_("When the waiting is over.")
    )
    qualified_at = models.DateTimeField(_("qualified at"), null=True, blank=True)
    rewarded_at = models.DateTimeField(_("rewarded at"), null=True, blank=True)
    ended_at = models.DateTimeField(_("ended at"), null=True, blank=True)
    activity = models.ForeignKey(
        Activity,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("qualifying activity"),
    )
    score = models.PositiveIntegerField(_("fraud score"), default=0)
    appeal = models.TextField(_("appeal"), blank=True)
    appealed_at = models.DateTimeField(_("appealed at"), null=True, blank=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("decided by"),
    )
    decided_at = models.DateTimeField(_("decided at"), null=True, blank=True)

    class Meta:
        verbose_name = _("referral")
        verbose_name_plural = _("referrals")
        ordering = ["-id"]
        constraints = [models.CheckConstraint(condition=~Q(referrer=F("friend")), name="referral_of_another")]
        indexes = [
            models.Index(
                fields=["due_at"],
                name="referral_due",
                condition=Q(state__in=["waiting", "qualified"]),
            ),
            models.Index(
                fields=["lapses_at"],
                name="referral_lapse",
                condition=Q(state__in=["joined", "purchased"]),
            ),
            models.Index(fields=["state", "-id"], name="referral_by_state"),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"


class ReferralStep(models.Model):
    """One step of a referral. Append-only: a database trigger refuses changes."""

    referral = models.ForeignKey(
        Referral, on_delete=models.PROTECT, related_name="steps", verbose_name=_("referral")
    )
    state = models.CharField(_("state"), max_length=10, choices=Referral.State.choices)
    reason = models.CharField(_("reason"), max_length=12, choices=Referral.Reason.choices, blank=True)
    note = models.CharField(_("note"), max_length=500, blank=True)
    activity_id = models.BigIntegerField(_("activity"), null=True, blank=True)
    staff = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("staff member"),
    )
    at = models.DateTimeField(_("at"))

    class Meta:
        verbose_name = _("step of a referral")
        verbose_name_plural = _("steps of referrals")
        ordering = ["id"]

    def __str__(self) -> str:
        return f"#{self.pk}"


class ReferralGrant(models.Model):
    """What one side got for a referral, and whether it was taken back. Each side at most once."""

    class Side(models.TextChoices):
        REFERRER = "referrer", _("referrer")
        FRIEND = "friend", _("friend")

    referral = models.ForeignKey(
        Referral, on_delete=models.PROTECT, related_name="grants", verbose_name=_("referral")
    )
    side = models.CharField(_("side"), max_length=8, choices=Side.choices)
    points = models.PositiveIntegerField(_("points"), default=0)
    voucher_id = models.BigIntegerField(_("voucher"), null=True, blank=True)
    badge_id = models.BigIntegerField(_("badge"), null=True, blank=True)
    reason = models.CharField(_("why not"), max_length=12, choices=Referral.Reason.choices, blank=True)
    given_at = models.DateTimeField(_("given at"))
    reversed_at = models.DateTimeField(_("reversed at"), null=True, blank=True)

    class Meta:
        verbose_name = _("grant for a referral")
        verbose_name_plural = _("grants for referrals")
        constraints = [models.UniqueConstraint(fields=["referral", "side"], name="referral_grant_once")]

    def __str__(self) -> str:
        return f"#{self.pk}"
