"""Causes: points given away become money at a stated value."""

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from loyalty.history import staff_history
from loyalty.ids import new_public_id
from loyalty.translated import TranslatedTextField, in_language
from members.models import Member
from rewards.models.redemption import Redemption
from rewards.models.reward import Picture


class Cause(models.Model):
    """Somebody to whom members can give points. ``point_value`` is for gifts from now on; each keeps its amount."""

    public_id = models.UUIDField(_("id"), default=new_public_id, unique=True, editable=False)
    code = models.SlugField(_("code"), max_length=50, unique=True)
    names = TranslatedTextField(_("names"))
    descriptions = TranslatedTextField(_("descriptions"), default=dict, blank=True)
    thanks = TranslatedTextField(_("words of thanks"), default=dict, blank=True)
    recipient = models.CharField(_("recipient"), max_length=200, help_text=_("Who gets the money."))
    website = models.URLField(_("website"), blank=True)
    picture = models.ForeignKey(
        Picture, on_delete=models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("picture")
    )
    point_value = models.DecimalField(
        _("value of a point"),
        max_digits=8,
        decimal_places=4,
        validators=[MinValueValidator(0.0001)],
        help_text=_("What a point given becomes, in the base currency."),
    )
    least_points = models.PositiveIntegerField(
        _("least points of a gift"), default=1, validators=[MinValueValidator(1)]
    )
    goal = models.DecimalField(
        _("goal"),
        max_digits=12,
        decimal_places=2,
        null=True,
        blank=True,
        help_text=_("In the base currency."),
    )
    opens_at = models.DateTimeField(_("from"), null=True, blank=True)
    closes_at = models.DateTimeField(_("until"), null=True, blank=True)
    is_active = models.BooleanField(_("open"), default=True)

    history = staff_history()

    class Meta:
        verbose_name = _("cause")
        verbose_name_plural = _("causes")
        ordering = ["code"]
        constraints = [
            models.CheckConstraint(condition=Q(point_value__gt=0), name="cause_gives_money"),
            models.CheckConstraint(
                condition=Q(goal__isnull=True) | Q(goal__gt=0), name="cause_goal_positive"
            ),
            models.CheckConstraint(
                condition=Q(opens_at__isnull=True)
                | Q(closes_at__isnull=True)
                | Q(closes_at__gt=F("opens_at")),
                name="cause_window_has_length",
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.code

    @property
    def name(self) -> str:
        return in_language(self.names)


class Donation(models.Model):
    """Points that a member gave to a cause, and the money they became. Taken back only with its redemption."""

    cause = models.ForeignKey(
        Cause, on_delete=models.PROTECT, related_name="donations", verbose_name=_("cause"), db_index=False
    )
    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="donations", verbose_name=_("member"), db_index=False
    )
    redemption = models.OneToOneField(
        Redemption, on_delete=models.PROTECT, related_name="donation", verbose_name=_("redemption")
    )
    points = models.PositiveIntegerField(_("points"))
    amount = models.DecimalField(_("amount"), max_digits=12, decimal_places=2)
    given_at = models.DateTimeField(_("given at"))
    cancelled_at = models.DateTimeField(_("cancelled at"), null=True, blank=True)

    class Meta:
        verbose_name = _("donation")
        verbose_name_plural = _("donations")
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=Q(points__gt=0, amount__gt=0), name="donation_gives_something")
        ]
        indexes = [
            models.Index(fields=["cause", "given_at"], name="donation_by_cause"),
            models.Index(fields=["member", "given_at"], name="donation_by_member"),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"


class Payout(models.Model):
    """Money paid on to a cause, written down by staff so that everybody sees that it was.

    One written down wrongly is taken back with a reason and stays visible to staff. ``token`` makes a form good once.
    """

    cause = models.ForeignKey(
        Cause, on_delete=models.PROTECT, related_name="payouts", verbose_name=_("cause")
    )
    amount = models.DecimalField(_("amount"), max_digits=12, decimal_places=2)
    paid_on = models.DateField(_("paid on"))
    reference = models.CharField(_("reference"), max_length=100, blank=True)
    staff = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        editable=False,
        related_name="+",
        verbose_name=_("staff member"),
    )
    recorded_at = models.DateTimeField(_("recorded at"), editable=False)
    token = models.UUIDField(default=new_public_id, unique=True, editable=False)
    withdrawn_at = models.DateTimeField(_("taken back at"), null=True, editable=False)
    withdrawn_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        editable=False,
        related_name="+",
        verbose_name=_("taken back by"),
    )
    withdrawn_note = models.CharField(_("why it was taken back"), max_length=300, blank=True, editable=False)

    class Meta:
        verbose_name = _("payment to a cause")
        verbose_name_plural = _("payments to causes")
        ordering = ["-paid_on", "-id"]
        constraints = [models.CheckConstraint(condition=Q(amount__gt=0), name="payout_positive")]

    def __str__(self) -> str:
        return f"#{self.pk}"
