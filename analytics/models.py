"""Figures of the programme, a row a day, recomputed every night from what changed."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class DailyFigures(models.Model):
    """The figures of one calendar day in the programme's time zone. Money in the base currency."""

    date = models.DateField(_("date"), primary_key=True)
    members = models.PositiveBigIntegerField(_("members"), help_text=_("Enrolled by the end of the day."))
    new_members = models.PositiveBigIntegerField(_("new members"))
    active_members = models.PositiveBigIntegerField(
        _("active members"), help_text=_("Members with at least one activity on the day.")
    )
    purchases = models.PositiveBigIntegerField(_("purchases"))
    revenue = models.DecimalField(_("revenue"), max_digits=18, decimal_places=2)
    points_issued = models.BigIntegerField(
        _("points issued"), help_text=_("Granted, less what was taken back.")
    )
    points_redeemed = models.BigIntegerField(_("points redeemed"))
    points_expired = models.BigIntegerField(_("points expired"))
    points_adjusted = models.BigIntegerField(_("points adjusted"), default=0)
    points_outstanding = models.BigIntegerField(
        _("points outstanding"), help_text=_("Available and pending at the end of the day, less debt.")
    )
    definition = models.PositiveSmallIntegerField(_("version of the definition"), default=1)
    computed_at = models.DateTimeField(_("computed at"))

    class Meta:
        verbose_name = _("daily figures")
        verbose_name_plural = _("daily figures")
        ordering = ["-date"]

    def __str__(self) -> str:
        return self.date.isoformat()


class Watermark(models.Model):
    """How far a nightly step has read its inputs: the last activity, transfer and member it knew of."""

    step = models.CharField(_("step"), max_length=50, primary_key=True)
    position = models.JSONField(_("position"), default=dict)
    updated_at = models.DateTimeField(_("updated at"))

    class Meta:
        verbose_name = _("watermark")
        verbose_name_plural = _("watermarks")

    def __str__(self) -> str:
        return self.step
