"""Refunds of purchases, in whole, by lines or by an amount; and what becomes of points that were spent already."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from loyalty.ids import new_public_id
from loyalty.partners.models import Partner
from members.models import Activity, ActivityLine, Member


class RefundPolicy(models.Model):
    """What happens to points of a refunded purchase that were spent already. A revision: valid from a date on."""

    class Spent(models.TextChoices):
        DEBT = "debt", _("they become a debt, repaid by later points")
        FORGIVE = "forgive", _("they are forgiven")
        HOLD = "hold", _("staff decide")

    valid_from = models.DateTimeField(_("valid from"), unique=True)
    spent = models.CharField(
        _("points already spent"), max_length=10, choices=Spent.choices, default=Spent.DEBT
    )

    class Meta:
        verbose_name = _("refund policy")
        verbose_name_plural = _("refund policies")
        ordering = ["-valid_from"]

    def __str__(self) -> str:
        return f"#{self.pk}"


class Refund(models.Model):
    """A refund of a purchase, once per partner and external id. ``amount`` is money given back, in the currency."""

    class Status(models.TextChoices):
        POSTED = "posted", _("points taken back")
        HELD = "held", _("waits for staff")

    public_id = models.UUIDField(_("id"), default=new_public_id, unique=True, editable=False)
    activity = models.ForeignKey(
        Activity, on_delete=models.PROTECT, related_name="refunds", verbose_name=_("activity")
    )
    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="refunds", verbose_name=_("member")
    )
    partner = models.ForeignKey(
        Partner, on_delete=models.PROTECT, related_name="+", verbose_name=_("partner"), db_index=False
    )
    external_id = models.CharField(_("external id"), max_length=100)
    amount = models.DecimalField(_("amount"), max_digits=14, decimal_places=2)
    occurred_at = models.DateTimeField(_("occurred at"))
    recorded_at = models.DateTimeField(_("recorded at"))
    content_digest = models.BinaryField(_("digest of the content"), max_length=32, editable=False)
    status = models.CharField(_("status"), max_length=10, choices=Status.choices, default=Status.POSTED)
    points = models.PositiveBigIntegerField(_("points taken back"), default=0)
    forgiven = models.PositiveBigIntegerField(_("points forgiven"), default=0)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("decided by"),
    )

    class Meta:
        verbose_name = _("refund")
        verbose_name_plural = _("refunds")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["partner", "external_id"], name="refund_once_per_partner"),
            models.CheckConstraint(condition=Q(amount__gte=0), name="refund_amount_not_negative"),
        ]
        indexes = [models.Index(fields=["status"], name="refund_held", condition=Q(status="held"))]

    def __str__(self) -> str:
        return self.external_id


class RefundLine(models.Model):
    """What was returned of one purchase line."""

    refund = models.ForeignKey(
        Refund, on_delete=models.PROTECT, related_name="lines", verbose_name=_("refund")
    )
    line = models.ForeignKey(ActivityLine, on_delete=models.PROTECT, related_name="+", verbose_name=_("line"))
    quantity = models.DecimalField(_("quantity"), max_digits=12, decimal_places=3)
    total = models.DecimalField(_("total"), max_digits=14, decimal_places=2)

    class Meta:
        verbose_name = _("refund line")
        verbose_name_plural = _("refund lines")
        constraints = [models.UniqueConstraint(fields=["refund", "line"], name="refund_line_once")]

    def __str__(self) -> str:
        return f"#{self.pk}"
