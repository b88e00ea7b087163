"""Points that a member gives to another: the terms, who may be given to, and each gift."""

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from loyalty.history import staff_history
from loyalty.ids import new_public_id
from members.models import Member


class GiftTerms(models.Model):
    """Whether and how much members may give each other, from a date on. Revised by new terms, never edited.

    Limits are per giver, on calendar days and months of the programme's time zone; empty: no limit.
    """

    valid_from = models.DateTimeField(_("valid from"), unique=True)
    is_open = models.BooleanField(_("members may give points"), default=True)
    minimum = models.PositiveIntegerField(
        _("least points of a gift"), default=1, validators=[MinValueValidator(1)]
    )
    per_day = models.PositiveIntegerField(_("at most, a day"), null=True, blank=True)
    per_month = models.PositiveIntegerField(_("at most, a month"), null=True, blank=True)

    class Meta:
        verbose_name = _("terms of gifts")
        verbose_name_plural = _("terms of gifts")
        ordering = ["-valid_from"]
        constraints = [models.CheckConstraint(condition=Q(minimum__gte=1), name="gift_minimum_positive")]

    def __str__(self) -> str:
        return f"#{self.pk}"


class GiftPreference(models.Model):
    """By which of their identifiers others may give a member points; no row: by card number only."""

    member = models.OneToOneField(
        Member, on_delete=models.PROTECT, related_name="gift_preference", verbose_name=_("member")
    )
    by_card = models.BooleanField(_("by card number"), default=True)
    by_email = models.BooleanField(_("by e-mail address"), default=False)

    history = staff_history()

    class Meta:
        verbose_name = _("who may give points")
        verbose_name_plural = _("who may give points")

    def __str__(self) -> str:
        return f"#{self.pk}"


class Gift(models.Model):
    """Points moved from one member to another. ``token`` names the giver's form, so that it is done once."""

    public_id = models.UUIDField(_("id"), default=new_public_id, unique=True, editable=False)
    token = models.UUIDField(_("token"), editable=False)
    giver = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="gifts_given", verbose_name=_("giver"), db_index=False
    )
    receiver = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="gifts_received", verbose_name=_("receiver")
    )
    points = models.PositiveBigIntegerField(_("points"))
    given_at = models.DateTimeField(_("given at"))

    class Meta:
        verbose_name = _("gift of points")
        verbose_name_plural = _("gifts of points")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["giver", "token"], name="gift_once_per_form"),
            models.CheckConstraint(condition=Q(points__gt=0), name="gift_points_positive"),
            models.CheckConstraint(condition=~Q(giver=F("receiver")), name="gift_between_two"),
        ]
        indexes = [models.Index(fields=["giver", "given_at"], name="gift_by_giver")]

    def __str__(self) -> str:
        return f"#{self.pk}"
