"""What is kept about expiry beyond the policies: moves of sliding expiries, and notices ahead of them."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from loyalty.history import staff_history
from members.models import Activity, Member
from rewards.models.ledger import Lot
from rewards.models.rule import ExpiryPolicy


class ExpirySlide(models.Model):
    """An activity moved the expiry of what a member holds under a sliding policy. Append-only by trigger.

    One row per member, policy and new expiry: the proof of every lot whose expiry is not the one it was granted with.
    """

    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="+", verbose_name=_("member"), db_index=False
    )
    policy = models.ForeignKey(
        ExpiryPolicy, on_delete=models.PROTECT, related_name="+", verbose_name=_("policy"), db_index=False
    )
    activity = models.ForeignKey(
        Activity, on_delete=models.PROTECT, related_name="+", verbose_name=_("activity"), db_index=False
    )
    active_at = models.DateTimeField(_("active at"))
    expires_at = models.DateTimeField(_("expires at"))
    moved_at = models.DateTimeField(_("moved at"))

    class Meta:
        verbose_name = _("move of an expiry")
        verbose_name_plural = _("moves of expiries")
        constraints = [
            models.UniqueConstraint(fields=["member", "policy", "expires_at"], name="expiry_slide_once")
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"


class ExpiryNotice(models.Model):
    """How many days ahead members hear that points expire; staff add and remove notices."""

    days = models.PositiveSmallIntegerField(_("days ahead"), unique=True)

    history = staff_history()

    class Meta:
        verbose_name = _("notice of expiry")
        verbose_name_plural = _("notices of expiry")
        ordering = ["-days"]
        constraints = [models.CheckConstraint(condition=Q(days__gte=1, days__lte=365), name="notice_days")]

    def __str__(self) -> str:
        return f"{self.days}"


class LotNotice(models.Model):
    """A lot was announced as expiring, so many days ahead: once for each expiry it has had.

    ``announced`` is false where a nearer notice was due at the same time and was given instead.
    """

    lot = models.ForeignKey(
        Lot, on_delete=models.PROTECT, related_name="+", verbose_name=_("lot"), db_index=False
    )
    days = models.PositiveSmallIntegerField(_("days ahead"))
    expires_at = models.DateTimeField(_("expires at"))
    noticed_at = models.DateTimeField(_("noticed at"))
    announced = models.BooleanField(_("announced"))

    class Meta:
        verbose_name = _("notice given")
        verbose_name_plural = _("notices given")
        constraints = [models.UniqueConstraint(fields=["lot", "days", "expires_at"], name="lot_notice_once")]

    def __str__(self) -> str:
        return f"#{self.pk}"
