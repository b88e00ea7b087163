"""Referral programmes: what both sides get and when. Their terms are revised by date, never edited once used."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from loyalty.history import staff_history
from loyalty.ids import new_public_id
from loyalty.translated import TranslatedTextField, in_language
from members.models import Member
from rewards.models import Badge, VoucherFamily


class ReferralProgramme(models.Model):
    """One way of thanking for friends. Several may run at once: a member's is the first that they may take part in."""

    class Status(models.TextChoices):
        DRAFT = "draft", _("draft")
        RUNNING = "running", _("running")
        PAUSED = "paused", _("paused")
        ENDED = "ended", _("ended")

    public_id = models.UUIDField(_("id"), default=new_public_id, unique=True, editable=False)
    code = models.SlugField(_("code"), max_length=50, unique=True)
    names = TranslatedTextField(_("names"))
    descriptions = TranslatedTextField(
        _("description"), default=dict, blank=True, help_text=_("Shown on the invitation's page.")
    )
    share_texts = TranslatedTextField(
        _("ready text to share"),
        default=dict,
        blank=True,
        help_text=_("“{link}” and “{gift}” are filled in."),
    )
    status = models.CharField(_("status"), max_length=10, choices=Status.choices, default=Status.DRAFT)
    priority = models.PositiveSmallIntegerField(
        _("priority"),
        default=50,
        help_text=_("Of several that a member may take part in, the highest counts."),
    )
    audience = models.JSONField(_("who may invite"), default=dict, blank=True)
    starts_at = models.DateTimeField(_("starts at"), null=True, blank=True)
    ends_at = models.DateTimeField(_("ends at"), null=True, blank=True)
    has_leaderboard = models.BooleanField(_("shows a leaderboard"), default=False)
    archived_at = models.DateTimeField(_("archived at"), null=True, blank=True, editable=False)

    history = staff_history()

    class Meta:
        verbose_name = _("referral programme")
        verbose_name_plural = _("referral programmes")
        ordering = ["-priority", "code"]

    def __str__(self) -> str:
        return self.name or self.code

    @property
    def name(self) -> str:
        return in_language(self.names)


class ProgrammeTerms(models.Model):
    """The terms of a programme from a date on. A referral keeps those under which the friend joined."""

    class Trigger(models.TextChoices):
        FIRST_PURCHASE = "first_purchase", _("the friend's first purchase")
        NTH_PURCHASE = "nth_purchase", _("the friend's n-th purchase")
        SPEND = "spend", _("so much spent within some days")
        ACTIVITY = "activity", _("an activity of a kind (a survey for instance)")

    class Touch(models.TextChoices):
        FIRST = "first", _("the first invitation that was followed")
        LAST = "last", _("the last invitation that was followed")

    programme = models.ForeignKey(
        ReferralProgramme, on_delete=models.PROTECT, related_name="terms", verbose_name=_("programme")
    )
    number = models.PositiveIntegerField(_("revision"))
    valid_from = models.DateTimeField(_("valid from"))

    trigger = models.CharField(
        _("what qualifies"), max_length=16, choices=Trigger.choices, default=Trigger.FIRST_PURCHASE
    )
    purchases = models.PositiveSmallIntegerField(
        _("which purchase"), default=1, validators=[MinValueValidator(1), MaxValueValidator(100)]
    )
    spend = models.DecimalField(
        _("money spent"),
        max_digits=10,
        decimal_places=2,
        default=0,
        help_text=_("In the base currency, less refunds."),
    )
    activity_kind = models.CharField(_("kind of activity"), max_length=50, blank=True)
    minimum_purchase = models.DecimalField(_("least purchase"), max_digits=10, decimal_places=2, default=0)
    within_days = models.PositiveSmallIntegerField(
        _("within days of joining"),
        default=90,
        validators=[MinValueValidator(1)],
        help_text=_("A friend who has not qualified by then brings nothing any more."),
    )
    waiting_days = models.PositiveSmallIntegerField(
        _("waiting days"),
        default=14,
        help_text=_("Until a return is no longer likely; a refund in that time takes it all back."),
    )
    attribution_days = models.PositiveSmallIntegerField(
        _("attribution window in days"),
        default=30,
        validators=[MinValueValidator(1), MaxValueValidator(365)],
        help_text=_("From following the invitation to joining."),
    )
    touch = models.CharField(_("counts"), max_length=5, choices=Touch.choices, default=Touch.LAST)

    referrer_points = models.PositiveIntegerField(_("points for the referrer"), default=0)
    friend_points = models.PositiveIntegerField(_("points for the friend"), default=0)
    referrer_voucher = models.ForeignKey(
        VoucherFamily,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("voucher for the referrer"),
    )
    friend_voucher = models.ForeignKey(
        VoucherFamily,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("voucher for the friend"),
    )
    referrer_badge = models.ForeignKey(
        Badge,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("badge for the referrer"),
    )
    milestones = models.JSONField(
        _("milestones"), default=list, blank=True, help_text=_("What the 3rd, 10th … friend brings besides.")
    )
    cap = models.PositiveIntegerField(_("rewarded friends at most, each member"), null=True, blank=True)
    cap_per_period = models.PositiveIntegerField(_("at most in a period"), null=True, blank=True)
    cap_period_days = models.PositiveSmallIntegerField(_("days of that period"), default=30)
    budget_points = models.PositiveBigIntegerField(
        _("budget in points"),
        null=True,
        blank=True,
        help_text=_("For both sides together, over the whole programme."),
    )
    hold_from = models.PositiveSmallIntegerField(
        _("held for review from"),
        default=100,
        help_text=_("The weights of a referral's fraud signals add up to its score."),
    )

    class Meta:
        verbose_name = _("terms of a referral programme")
        verbose_name_plural = _("terms of referral programmes")
        ordering = ["programme", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["programme", "number"], name="referral_terms_number"),
            models.UniqueConstraint(fields=["programme", "valid_from"], name="referral_terms_date"),
        ]

    def __str__(self) -> str:
        return f"{self.programme_id}/{self.number}"


class ProgrammeUse(models.Model):
    """What a programme has given so far, one row each: the row to lock when the budget counts."""

    programme = models.OneToOneField(
        ReferralProgramme,
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="use",
        verbose_name=_("programme"),
    )
    points = models.PositiveBigIntegerField(_("points given"), default=0)
    rewarded = models.PositiveIntegerField(_("referrals rewarded"), default=0)

    class Meta:
        verbose_name = _("use of a programme")
        verbose_name_plural = _("use of programmes")

    def __str__(self) -> str:
        return f"#{self.pk}"


class MilestoneReached(models.Model):
    """A member has brought so many friends in a programme: once each, whatever is reversed and brought again."""

    programme = models.ForeignKey(
        ReferralProgramme, on_delete=models.PROTECT, related_name="+", verbose_name=_("programme")
    )
    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="referral_milestones", verbose_name=_("member")
    )
    friends = models.PositiveSmallIntegerField(_("friends"))
    points = models.PositiveIntegerField(_("points"), default=0)
    voucher_id = models.BigIntegerField(_("voucher"), null=True, blank=True)
    reached_at = models.DateTimeField(_("reached at"))
    reversed_at = models.DateTimeField(_("reversed at"), null=True, blank=True)

    class Meta:
        verbose_name = _("milestone reached")
        verbose_name_plural = _("milestones reached")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["programme", "member", "friends"],
                condition=Q(reversed_at__isnull=True),
                name="referral_milestone_once",
            )
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"
