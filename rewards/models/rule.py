"""The terms under which points are granted: rules, tiers and expiry, each revised by date, never edited."""

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from loyalty.history import staff_history
from loyalty.translated import TranslatedTextField, in_language
from members.models import Tier


class ExpiryPolicy(models.Model):
    """When points expire. A revision: valid from a date on; lots keep the expiry they were granted with."""

    class Rounding(models.TextChoices):
        EXACT = "exact", _("to the day")
        MONTH_END = "month_end", _("at the end of the month")
        YEAR_END = "year_end", _("at the end of the year")

    wallet = models.ForeignKey(
        "rewards.Wallet", on_delete=models.PROTECT, related_name="expiry_policies", verbose_name=_("wallet")
    )
    valid_from = models.DateTimeField(_("valid from"))
    months = models.PositiveSmallIntegerField(
        _("months"), null=True, blank=True, help_text=_("Empty: points never expire.")
    )
    rounding = models.CharField(
        _("rounding"), max_length=10, choices=Rounding.choices, default=Rounding.MONTH_END
    )

    class Meta:
        verbose_name = _("expiry policy")
        verbose_name_plural = _("expiry policies")
        ordering = ["wallet", "-valid_from"]
        constraints = [
            models.UniqueConstraint(fields=["wallet", "valid_from"], name="expiry_policy_once_per_date")
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"


class EarningRule(models.Model):
    """A rule by its lasting name. What it gives stands in its revisions."""

    code = models.CharField(_("code"), max_length=50, unique=True)
    names = TranslatedTextField(_("names"))
    is_active = models.BooleanField(_("active"), default=True)

    history = staff_history()

    class Meta:
        verbose_name = _("earning rule")
        verbose_name_plural = _("earning rules")
        ordering = ["code"]

    def __str__(self) -> str:
        return self.name or self.code

    @property
    def name(self) -> str:
        return in_language(self.names)


class RuleRevision(models.Model):
    """What a rule gives from a date on. Grants name the revision; a used one is never edited."""

    class Effect(models.TextChoices):
        PER_AMOUNT = "per_amount", _("points per full amount of money")
        TIER_BONUS = "tier_bonus", _("the tier's extra on top of qualifying points")
        FIXED = "fixed", _("a fixed number of points")

    rule = models.ForeignKey(
        EarningRule, on_delete=models.PROTECT, related_name="revisions", verbose_name=_("rule")
    )
    number = models.PositiveIntegerField(_("revision"), validators=[MinValueValidator(1)])
    wallet = models.ForeignKey(
        "rewards.Wallet", on_delete=models.PROTECT, related_name="+", verbose_name=_("wallet")
    )
    valid_from = models.DateTimeField(_("valid from"), help_text=_("Judged by the time of the purchase."))
    valid_to = models.DateTimeField(_("valid to"), null=True, blank=True)
    priority = models.SmallIntegerField(
        _("priority"), default=0, help_text=_("Lower numbers are judged first.")
    )
    conditions = models.JSONField(_("conditions"), default=dict, blank=True)
    effect = models.CharField(_("effect"), max_length=20, choices=Effect.choices)
    points = models.PositiveIntegerField(_("points"), default=1)
    amount = models.DecimalField(
        _("per amount"),
        max_digits=12,
        decimal_places=2,
        null=True,
        blank=True,
        help_text=_("In the base currency."),
    )
    qualifying = models.BooleanField(
        _("counts towards tiers"),
        default=False,
        help_text=_("Points of this rule count towards reaching a tier."),
    )
    pending_days = models.PositiveSmallIntegerField(
        _("pending for days"), default=0, help_text=_("0: available at once.")
    )
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    class Meta:
        verbose_name = _("rule revision")
        verbose_name_plural = _("rule revisions")
        ordering = ["rule", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["rule", "number"], name="rule_revision_once"),
            models.CheckConstraint(
                condition=~Q(effect="per_amount") | Q(amount__gt=0), name="rule_per_amount_has_amount"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.rule_id}.{self.number}"


class TierTerms(models.Model):
    """How tiers are reached, from a date on: the window over which qualifying points count."""

    valid_from = models.DateTimeField(_("valid from"), unique=True)
    window_days = models.PositiveSmallIntegerField(_("window in days"), default=365)

    class Meta:
        verbose_name = _("tier terms")
        verbose_name_plural = _("tier terms")
        ordering = ["-valid_from"]

    def __str__(self) -> str:
        return f"#{self.pk}"


class TierLevel(models.Model):
    """One tier under some terms: the qualifying points it takes and the multiplier it gives."""

    terms = models.ForeignKey(
        TierTerms, on_delete=models.PROTECT, related_name="levels", verbose_name=_("terms")
    )
    tier = models.ForeignKey(Tier, on_delete=models.PROTECT, related_name="+", verbose_name=_("tier"))
    threshold = models.PositiveBigIntegerField(_("qualifying points"))
    multiplier = models.DecimalField(
        _("multiplier"), max_digits=5, decimal_places=2, default=1, validators=[MinValueValidator(1)]
    )

    class Meta:
        verbose_name = _("tier level")
        verbose_name_plural = _("tier levels")
        ordering = ["terms", "threshold"]
        constraints = [
            models.UniqueConstraint(fields=["terms", "tier"], name="tier_once_per_terms"),
            models.UniqueConstraint(fields=["terms", "threshold"], name="threshold_once_per_terms"),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"
