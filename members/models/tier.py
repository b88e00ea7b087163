"""Tiers as names in an order, and the history of who moved when. Their terms are the points floor's business."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from loyalty.history import staff_history
from loyalty.translated import TranslatedTextField, in_language


class Tier(models.Model):
    """A tier: a code for machines, a name for people and a rank (0 is the lowest)."""

    code = models.SlugField(_("code"), max_length=30, unique=True)
    names = TranslatedTextField(_("names"))
    rank = models.PositiveSmallIntegerField(_("rank"), unique=True)

    history = staff_history()

    class Meta:
        verbose_name = _("tier")
        verbose_name_plural = _("tiers")
        ordering = ["rank"]

    def __str__(self) -> str:
        return self.name or self.code

    @property
    def name(self) -> str:
        return in_language(self.names)


class TierHold(models.Model):
    """A tier set by staff: a floor (the member may rise, not fall) or a lock (the tier stays), until a moment.

    A member has one hold at a time. It is over when ``until`` has passed or when staff lifted it (``ended_at``).
    """

    class Kind(models.TextChoices):
        FLOOR = "floor", _("at least this tier")
        LOCK = "lock", _("exactly this tier")

    member = models.ForeignKey(
        "members.Member", on_delete=models.PROTECT, related_name="tier_holds", verbose_name=_("member")
    )
    tier = models.ForeignKey(Tier, on_delete=models.PROTECT, related_name="+", verbose_name=_("tier"))
    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices)
    set_at = models.DateTimeField(_("set at"))
    until = models.DateTimeField(
        _("until"), null=True, blank=True, help_text=_("Empty: until staff lift it.")
    )
    note = models.CharField(_("reason given by staff"), max_length=300)
    staff = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name=_("staff member"),
    )
    ended_at = models.DateTimeField(_("lifted at"), null=True, blank=True)
    ended_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("lifted by"),
    )

    class Meta:
        verbose_name = _("tier set by hand")
        verbose_name_plural = _("tiers set by hand")
        ordering = ["-id"]
        permissions = [("set_tier", "Can set a member's tier by hand")]
        constraints = [
            models.UniqueConstraint(
                fields=["member"], condition=models.Q(ended_at__isnull=True), name="one_tier_hold_per_member"
            ),
            models.CheckConstraint(
                condition=models.Q(until__isnull=True) | models.Q(until__gt=models.F("set_at")),
                name="tier_hold_ends_after_it_begins",
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"


class TierChange(models.Model):
    """One move between tiers, with its reason. Append-only: a database trigger refuses changes.

    ``qualifying_points`` is the amount that counted then: points, money in the base currency or purchases (``basis``).
    """

    class Reason(models.TextChoices):
        ENROLLED = "enrolled", _("joined the programme")
        PROMOTED = "promoted", _("reached the tier's points")
        REVIEWED = "reviewed", _("nightly review")
        STEPPED = "stepped", _("one step down in the nightly review")
        PERIOD_END = "period_end", _("the period ended")
        TERMS = "terms", _("new tier terms")
        BY_HAND = "by_hand", _("by hand")
        HOLD_ENDED = "hold_ended", _("a tier set by hand ended")
        MOVED_IN = "moved_in", _("brought along from an earlier system")

    member = models.ForeignKey(
        "members.Member", on_delete=models.PROTECT, related_name="tier_changes", verbose_name=_("member")
    )
    from_tier = models.ForeignKey(
        Tier, on_delete=models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("from")
    )
    to_tier = models.ForeignKey(Tier, on_delete=models.PROTECT, related_name="+", verbose_name=_("to"))
    reason = models.CharField(_("reason"), max_length=10, choices=Reason.choices)
    qualifying_points = models.BigIntegerField(_("qualifying points"), default=0)
    basis = models.CharField(_("counted in"), max_length=10, default="points", db_default="points")
    hold = models.ForeignKey(
        TierHold,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("set by hand"),
    )
    changed_at = models.DateTimeField(_("changed at"))

    class Meta:
        verbose_name = _("tier change")
        verbose_name_plural = _("tier changes")
        ordering = ["member", "id"]
        indexes = [models.Index(fields=["member", "changed_at"], name="tier_change_by_member")]

    def __str__(self) -> str:
        return f"#{self.pk}"
