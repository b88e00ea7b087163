"""Redemptions: points turned into rewards, or into money off at a till, with every state they went through."""

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from loyalty.ids import new_public_id
from loyalty.partners.models import Partner
from members.models import Activity, Member
from rewards.models.ledger import Lot, Transfer, Wallet
from rewards.models.reward import Reward, RewardStock


class RedemptionTerms(models.Model):
    """What holds for redemptions from a date on. Revised by new terms, never edited."""

    valid_from = models.DateTimeField(_("valid from"), unique=True)
    grace_days = models.PositiveSmallIntegerField(
        _("grace for expired points, in days"),
        default=14,
        help_text=_("Points that come back from a cancelled redemption after they expired live on so long."),
    )
    cancel_days = models.PositiveSmallIntegerField(
        _("days in which members may cancel"),
        default=14,
        help_text=_("0: only staff cancel. A voucher that was used is never cancelled."),
    )
    point_value = models.DecimalField(
        _("value of a point at the till"),
        max_digits=8,
        decimal_places=4,
        null=True,
        blank=True,
        help_text=_("In the base currency. Empty: points cannot be used as money."),
    )
    least_points = models.PositiveIntegerField(
        _("least points as money"), default=100, validators=[MinValueValidator(1)]
    )
    point_step = models.PositiveIntegerField(_("in steps of"), default=1, validators=[MinValueValidator(1)])

    class Meta:
        verbose_name = _("terms of redemptions")
        verbose_name_plural = _("terms of redemptions")
        ordering = ["-valid_from"]

    def __str__(self) -> str:
        return f"#{self.pk}"


class Redemption(models.Model):
    """One reward taken, or points used as money (``reward`` empty). ``rewards.redemption`` is the only writer.

    ``points`` left the member's account by ``transfer``; cancelling and lapsing reverse that transfer. ``money`` is
    what the member pays on top (a reward), or what the points were worth (points as money). ``code`` is what is shown
    to have a reservation handed over, in its canonical form; a voucher has a code of its own. ``stock`` is the row
    whose piece it took, empty where the reward never ran out then.

    ``external_id`` makes it happen once: per partner, or (without a partner) per member, for a form sent twice.
    """

    class State(models.TextChoices):
        RESERVED = "reserved", _("reserved")
        ISSUED = "issued", _("issued")
        FULFILLED = "fulfilled", _("fulfilled")
        CANCELLED = "cancelled", _("cancelled")
        EXPIRED = "expired", _("lapsed")

    class Via(models.TextChoices):
        PORTAL = "portal", _("portal")
        API = "api", _("partner")
        STAFF = "staff", _("staff")

    public_id = models.UUIDField(_("id"), default=new_public_id, unique=True, editable=False)
    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="redemptions", verbose_name=_("member"), db_index=False
    )
    reward = models.ForeignKey(
        Reward,
        on_delete=models.PROTECT,
        null=True,
        related_name="redemptions",
        verbose_name=_("reward"),
        db_index=False,
    )
    stock = models.ForeignKey(
        RewardStock,
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name=_("stock"),
        db_index=False,
    )
    wallet = models.ForeignKey(
        Wallet, on_delete=models.PROTECT, related_name="+", verbose_name=_("wallet"), db_index=False
    )
    state = models.CharField(_("state"), max_length=10, choices=State.choices)
    via = models.CharField(_("by way of"), max_length=10, choices=Via.choices)
    points = models.PositiveIntegerField(_("points"))
    money = models.DecimalField(_("money"), max_digits=14, decimal_places=2, default=0)
    transfer = models.OneToOneField(
        Transfer, on_delete=models.PROTECT, related_name="redemption", verbose_name=_("transfer")
    )
    partner = models.ForeignKey(
        Partner, on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("partner")
    )
    external_id = models.CharField(_("external id"), max_length=100, null=True, blank=True)
    code = models.CharField(_("code"), max_length=20, null=True, unique=True, editable=False)
    content_digest = models.BinaryField(_("digest of the content"), max_length=32, null=True, editable=False)
    activity = models.ForeignKey(
        Activity, on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("activity")
    )
    redeemed_at = models.DateTimeField(_("redeemed at"))
    collect_by = models.DateTimeField(_("to be collected by"), null=True, blank=True)
    ended_at = models.DateTimeField(_("fulfilled, cancelled or lapsed at"), null=True, blank=True)

    class Meta:
        verbose_name = _("redemption")
        verbose_name_plural = _("redemptions")
        ordering = ["-id"]
        permissions = [
            ("fulfil_redemption", "Can hand over redeemed rewards"),
            ("cancel_redemption", "Can cancel redemptions"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(points__gt=0), name="redemption_points_positive"),
            models.UniqueConstraint(
                fields=["partner", "external_id"],
                condition=Q(external_id__isnull=False),
                name="redemption_once_per_partner",
            ),
            models.UniqueConstraint(
                fields=["member", "external_id"],
                condition=Q(external_id__isnull=False, partner__isnull=True),
                name="redemption_once_per_form",
            ),
        ]
        indexes = [
            models.Index(fields=["member", "-id"], name="redemption_by_member"),
            models.Index(fields=["reward", "redeemed_at"], name="redemption_by_reward"),
            models.Index(
                fields=["collect_by"], name="redemption_to_lapse", condition=Q(state__in=["reserved"])
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"


class RedemptionStep(models.Model):
    """A redemption's change of state: when, and by whom. Append-only by trigger."""

    redemption = models.ForeignKey(
        Redemption, on_delete=models.PROTECT, related_name="steps", verbose_name=_("redemption")
    )
    from_state = models.CharField(_("from"), max_length=10, choices=Redemption.State.choices, blank=True)
    to_state = models.CharField(_("to"), max_length=10, choices=Redemption.State.choices)
    at = models.DateTimeField(_("at"))
    via = models.CharField(_("by way of"), max_length=10, choices=Redemption.Via.choices, blank=True)
    partner = models.ForeignKey(
        Partner, on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("partner")
    )
    staff = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        verbose_name=_("staff member"),
    )
    note = models.CharField(_("note"), max_length=300, blank=True)

    class Meta:
        verbose_name = _("step of a redemption")
        verbose_name_plural = _("steps of redemptions")
        ordering = ["id"]

    def __str__(self) -> str:
        return f"#{self.pk}"


class LotGrace(models.Model):
    """Points came back to a lot after its expiry, so the whole lot lives on until ``until``. Append-only by trigger.

    ``transfer`` is the reversal that brought them; ``expired_at`` is the lot's own expiry, which no grace changes.
    """

    lot = models.ForeignKey(Lot, on_delete=models.PROTECT, related_name="graces", verbose_name=_("lot"))
    transfer = models.ForeignKey(
        Transfer, on_delete=models.PROTECT, related_name="graces", verbose_name=_("transfer")
    )
    expired_at = models.DateTimeField(_("expired at"))
    until = models.DateTimeField(_("lives on until"))

    class Meta:
        verbose_name = _("grace of expired points")
        verbose_name_plural = _("graces of expired points")
        constraints = [
            models.UniqueConstraint(fields=["lot", "transfer"], name="lot_grace_once_per_transfer"),
            models.CheckConstraint(condition=Q(until__gt=models.F("expired_at")), name="lot_grace_is_later"),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"
