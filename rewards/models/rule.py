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
        _("months"), null=True, blank=True, help_text=_("Without months or days points never expire.")
    )
    days = models.PositiveSmallIntegerField(_("days"), null=True, blank=True)
    rounding = models.CharField(
        _("rounding"), max_length=10, choices=Rounding.choices, default=Rounding.MONTH_END
    )
    sliding = models.BooleanField(
        _("moved by activity"),
        default=False,
        db_default=False,
        help_text=_("Each activity of the member moves the expiry of what was granted under this policy."),
    )

    class Meta:
        verbose_name = _("expiry policy")
        verbose_name_plural = _("expiry policies")
        ordering = ["wallet", "-valid_from"]
        constraints = [
            models.UniqueConstraint(fields=["wallet", "valid_from"], name="expiry_policy_once_per_date"),
            models.CheckConstraint(
                condition=Q(months__isnull=True) | Q(days__isnull=True), name="expiry_months_or_days"
            ),
            models.CheckConstraint(
                condition=Q(sliding=False) | Q(months__isnull=False) | Q(days__isnull=False),
                name="expiry_slides_by_a_length",
            ),
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
        FIXED = "fixed", _("a fixed number of points")
        MULTIPLIER = "multiplier", _("a multiple of the base points")
        PER_UNIT = "per_unit", _("points per unit of the matching products")
        PER_LINE = "per_line", _("points per matching purchase line")
        TIER_BONUS = "tier_bonus", _("the tier's extra on top of qualifying points")

    class Rounding(models.TextChoices):
        DOWN = "down", _("down")
        NEAREST = "nearest", _("to the nearest, halves up")
        UP = "up", _("up")

    class Stacking(models.TextChoices):
        ADD = "add", _("added to the others")
        BEST = "best", _("only the best of the group")
        EXCLUSIVE = "exclusive", _("only the first of the group")

    class OverCap(models.TextChoices):
        TRIM = "trim", _("give as much as the cap allows")
        REJECT = "reject", _("give nothing")

    class Period(models.TextChoices):
        DAY = "day", _("a day")
        WEEK = "week", _("a week")
        MONTH = "month", _("a month")
        YEAR = "year", _("a year")
        EVER = "ever", _("in all")

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
    pending_until = models.DateTimeField(
        _("pending until"),
        null=True,
        blank=True,
        help_text=_("Points wait until this moment at the earliest."),
    )
    pending_confirmation = models.BooleanField(
        _("pending until confirmed"),
        default=False,
        help_text=_("Points wait until the partner confirms or cancels them."),
    )
    lines = models.JSONField(
        _("matching purchase lines"),
        default=dict,
        blank=True,
        help_text=_("Which lines count; empty: the whole activity."),
    )
    factor = models.DecimalField(
        _("factor"),
        max_digits=6,
        decimal_places=2,
        null=True,
        blank=True,
        help_text=_("2 doubles the base points: as many again are given."),
    )
    rounding = models.CharField(_("rounding"), max_length=10, choices=Rounding.choices, default=Rounding.DOWN)
    stack_group = models.CharField(
        _("group"), max_length=50, blank=True, help_text=_("Rules of one group compete with each other.")
    )
    stacking = models.CharField(_("stacking"), max_length=10, choices=Stacking.choices, default=Stacking.ADD)
    cap_per_activity = models.PositiveIntegerField(_("at most, per activity"), null=True, blank=True)
    over_cap = models.CharField(
        _("over the cap of an activity"), max_length=10, choices=OverCap.choices, default=OverCap.TRIM
    )
    cap_per_member = models.PositiveIntegerField(_("at most, per member"), null=True, blank=True)
    cap_period = models.CharField(
        _("the member's cap is per"), max_length=10, choices=Period.choices, default=Period.MONTH
    )
    budget = models.PositiveBigIntegerField(
        _("budget in points"), null=True, blank=True, help_text=_("For all members together.")
    )
    cooldown_days = models.PositiveSmallIntegerField(
        _("cooldown in days"),
        default=0,
        help_text=_("Not again for a member within so many days. 0: no limit."),
    )
    needs_activation = models.BooleanField(
        _("personal offer"), default=False, help_text=_("Counts only for members who have activated it.")
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
            models.CheckConstraint(
                condition=~Q(effect="multiplier") | Q(factor__gt=1), name="rule_multiplier_has_factor"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.rule_id}.{self.number}"


class OfferActivation(models.Model):
    """A member took up a personal offer: its rule counts for them from then on, until the rule ends."""

    rule = models.ForeignKey(
        EarningRule, on_delete=models.PROTECT, related_name="activations", verbose_name=_("rule")
    )
    member = models.ForeignKey(
        "members.Member", on_delete=models.PROTECT, related_name="offer_activations", verbose_name=_("member")
    )
    activated_at = models.DateTimeField(_("activated at"))

    class Meta:
        verbose_name = _("activated offer")
        verbose_name_plural = _("activated offers")
        constraints = [models.UniqueConstraint(fields=["rule", "member"], name="offer_activated_once")]

    def __str__(self) -> str:
        return f"#{self.pk}"


class RuleBudget(models.Model):
    """What a rule has given of its budget, all members together; no row: nothing yet."""

    rule = models.OneToOneField(
        EarningRule, on_delete=models.PROTECT, related_name="spent", verbose_name=_("rule")
    )
    used = models.BigIntegerField(_("points given"), default=0)

    class Meta:
        verbose_name = _("use of a budget")
        verbose_name_plural = _("use of budgets")

    def __str__(self) -> str:
        return f"#{self.pk}"


class TierTerms(models.Model):
    """How tiers are reached, kept and lost, from a date on. Revised by new terms, never edited once in force."""

    class Basis(models.TextChoices):
        POINTS = "points", _("qualifying points")
        SPEND = "spend", _("money spent, less refunds")
        PURCHASES = "purchases", _("number of purchases")

    class Window(models.TextChoices):
        ROLLING = "rolling", _("the last so many days")
        CALENDAR_YEAR = "calendar", _("the calendar year")
        MEMBERSHIP_YEAR = "membership", _("the membership year")
        LIFETIME = "lifetime", _("all time")

    class Keep(models.TextChoices):
        NONE = "none", _("as long as the amount in the window is enough")
        DAYS = "days", _("for so many days after it was last reached")
        CALENDAR_YEAR = "calendar", _("until the end of a calendar year")
        MEMBERSHIP_YEAR = "membership", _("until the end of a membership year")

    class Downgrade(models.TextChoices):
        AT_ONCE = "at_once", _("at the next nightly review")
        ONE_STEP = "one_step", _("one tier at a time")
        PERIOD_END = "period_end", _("at the end of the year")
        NEVER = "never", _("never")

    valid_from = models.DateTimeField(_("valid from"), unique=True)
    basis = models.CharField(
        _("tiers are reached by"),
        max_length=10,
        choices=Basis.choices,
        default=Basis.POINTS,
        db_default=Basis.POINTS,
    )
    window = models.CharField(
        _("counted over"),
        max_length=10,
        choices=Window.choices,
        default=Window.ROLLING,
        db_default=Window.ROLLING,
    )
    window_days = models.PositiveSmallIntegerField(_("window in days"), default=365)
    keep = models.CharField(
        _("a tier reached is kept"),
        max_length=10,
        choices=Keep.choices,
        default=Keep.NONE,
        db_default=Keep.NONE,
    )
    keep_length = models.PositiveSmallIntegerField(
        _("kept for"),
        default=0,
        db_default=0,
        help_text=_("Days; or years beyond the one it was reached in: 1 is the end of the next year."),
    )
    downgrade = models.CharField(
        _("a tier is lost"),
        max_length=10,
        choices=Downgrade.choices,
        default=Downgrade.AT_ONCE,
        db_default=Downgrade.AT_ONCE,
    )
    grace_days = models.PositiveSmallIntegerField(
        _("days of grace after the end of the year"), default=0, db_default=0
    )

    class Meta:
        verbose_name = _("tier terms")
        verbose_name_plural = _("tier terms")
        ordering = ["-valid_from"]

    def __str__(self) -> str:
        return f"#{self.pk}"


class TierLevel(models.Model):
    """One tier under some terms: what it takes (points, money or purchases) and what it gives."""

    terms = models.ForeignKey(
        TierTerms, on_delete=models.PROTECT, related_name="levels", verbose_name=_("terms")
    )
    tier = models.ForeignKey(Tier, on_delete=models.PROTECT, related_name="+", verbose_name=_("tier"))
    threshold = models.PositiveBigIntegerField(_("qualifying points"))
    multiplier = models.DecimalField(
        _("multiplier"), max_digits=5, decimal_places=2, default=1, validators=[MinValueValidator(1)]
    )
    birthday_points = models.PositiveIntegerField(
        _("birthday points"), null=True, blank=True, help_text=_("Empty: as many as the campaign gives.")
    )
    benefits = models.JSONField(
        _("further benefits"),
        default=list,
        blank=True,
        help_text=_("Texts by language, as members read them on the tier page."),
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


class TierDraft(models.Model):
    """Tier terms being prepared: who would move is shown first; publishing makes them terms and moves the members.

    ``content`` is what :class:`rewards.tier_drafts.NewTerms` reads and writes. ``preview`` holds who would move, as of
    ``previewed_at``.
    """

    class Status(models.TextChoices):
        DRAFT = "draft", _("draft")
        PUBLISHED = "published", _("published, members not yet moved")
        MOVED = "moved", _("published, members moved")

    name = models.CharField(_("name"), max_length=100)
    status = models.CharField(_("status"), max_length=10, choices=Status.choices, default=Status.DRAFT)
    content = models.JSONField(_("content"), default=dict)
    valid_from = models.DateTimeField(
        _("valid from"), null=True, blank=True, help_text=_("Empty: from the moment it is published.")
    )
    preview = models.JSONField(_("who would move"), null=True, blank=True)
    previewed_at = models.DateTimeField(_("looked ahead at"), null=True, blank=True)
    terms = models.OneToOneField(
        TierTerms,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="draft",
        verbose_name=_("terms"),
    )
    run_id = models.BigIntegerField(_("run"), null=True, blank=True, editable=False)

    history = staff_history()

    class Meta:
        verbose_name = _("draft of tier terms")
        verbose_name_plural = _("drafts of tier terms")
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.name
