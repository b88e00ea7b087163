"""Tiers as names in an order, and the history of who moved when. Their terms are the points floor's business."""

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


class TierChange(models.Model):
    """One move between tiers, with its reason. Append-only: a database trigger refuses changes."""

    class Reason(models.TextChoices):
        ENROLLED = "enrolled", _("joined the programme")
        PROMOTED = "promoted", _("reached the tier's points")
        REVIEWED = "reviewed", _("nightly review")

    member = models.ForeignKey(
        "members.Member", on_delete=models.PROTECT, related_name="tier_changes", verbose_name=_("member")
    )
    from_tier = models.ForeignKey(
        Tier, on_delete=models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("from")
    )
    to_tier = models.ForeignKey(Tier, on_delete=models.PROTECT, related_name="+", verbose_name=_("to"))
    reason = models.CharField(_("reason"), max_length=10, choices=Reason.choices)
    qualifying_points = models.BigIntegerField(_("qualifying points"), default=0)
    changed_at = models.DateTimeField(_("changed at"))

    class Meta:
        verbose_name = _("tier change")
        verbose_name_plural = _("tier changes")
        ordering = ["member", "id"]
        indexes = [models.Index(fields=["member", "changed_at"], name="tier_change_by_member")]

    def __str__(self) -> str:
        return f"#{self.pk}"
