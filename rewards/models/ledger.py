"""The ledger's rows. ``rewards.ledger`` is the only writer; transfers and allocations are append-only by trigger."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from loyalty.translated import TranslatedTextField, in_language
from members.models import Activity, Member
from rewards.models.rule import ExpiryPolicy, RuleRevision


class Wallet(models.Model):
    """A kind of point. The default wallet holds the points that members spend."""

    code = models.SlugField(_("code"), max_length=30, unique=True)
    names = TranslatedTextField(_("names"))
    is_default = models.BooleanField(_("default"), default=False)

    class Meta:
        verbose_name = _("wallet")
        verbose_name_plural = _("wallets")
        constraints = [
            models.UniqueConstraint(
                fields=["is_default"], condition=Q(is_default=True), name="one_default_wallet"
            )
        ]

    def __str__(self) -> str:
        return self.name or self.code

    @property
    def name(self) -> str:
        return in_language(self.names)


class AccountKind(models.TextChoices):
    """Three accounts of each member and wallet, six of the programme per wallet.

    Gifts pass through ``moved``: what went in for a gift came out for it, so it stands at zero.
    """

    AVAILABLE = "available", _("available")
    PENDING = "pending", _("pending")
    DEBT = "debt", _("debt")
    ISSUED = "issued", _("issued")
    REDEEMED = "redeemed", _("redeemed")
    EXPIRED = "expired", _("expired")
    DONATED = "donated", _("donated")
    ADJUSTED = "adjusted", _("adjusted")
    MOVED = "moved", _("moved between members")


MEMBER_ACCOUNTS = (AccountKind.AVAILABLE, AccountKind.PENDING, AccountKind.DEBT)
PROGRAMME_ACCOUNTS = (
    AccountKind.ISSUED,
    AccountKind.REDEEMED,
    AccountKind.EXPIRED,
    AccountKind.DONATED,
    AccountKind.ADJUSTED,
    AccountKind.MOVED,
)


class Account(models.Model):
    """An account. A member's caches its balance (points in minus points out); a programme account caches nothing.

    ``available`` and ``pending`` are never below zero, ``debt`` is never above it.
    """

    wallet = models.ForeignKey(Wallet, on_delete=models.PROTECT, related_name="+", verbose_name=_("wallet"))
    kind = models.CharField(_("kind"), max_length=10, choices=AccountKind.choices)
    member = models.ForeignKey(
        Member,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="accounts",
        verbose_name=_("member"),
        db_index=False,
    )
    balance = models.BigIntegerField(_("balance"), null=True)

    class Meta:
        verbose_name = _("account")
        verbose_name_plural = _("accounts")
        constraints = [
            models.UniqueConstraint(fields=["member", "wallet", "kind"], name="account_once_per_member"),
            models.UniqueConstraint(
                fields=["wallet", "kind"], condition=Q(member__isnull=True), name="account_once_per_programme"
            ),
            models.CheckConstraint(
                condition=Q(member__isnull=True, balance__isnull=True, kind__in=PROGRAMME_ACCOUNTS)
                | Q(member__isnull=False, balance__isnull=False, kind__in=MEMBER_ACCOUNTS),
                name="account_belongs",
            ),
            models.CheckConstraint(
                condition=Q(balance__isnull=True)
                | Q(kind="debt", balance__lte=0)
                | Q(kind__in=["available", "pending"], balance__gte=0),
                name="account_balance_in_bounds",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} #{self.pk}"


class Transfer(models.Model):
    """A positive number of whole points from one account to another, and why.

    ``occurred_at`` is business time, ``posted_at`` when it was written. ``qualifies_at`` is set on points that count
    towards a tier (and on their reversals): the time at which they count. Sources above this floor (a campaign's
    message, a referral) are named by ``source`` and ``source_id``. ``occasion`` makes a grant happen at most once.
    """

    class Kind(models.TextChoices):
        EARN = "earn", _("earned")
        REPAYMENT = "repayment", _("debt repaid")
        MATURE = "mature", _("made available")
        REDEEM = "redeem", _("redeemed")
        DONATE = "donate", _("donated")
        EXPIRE = "expire", _("expired")
        ADJUST = "adjust", _("adjusted")
        GIFT = "gift", _("moved between members")
        REVERSE = "reverse", _("reversed")

    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices)
    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="transfers", verbose_name=_("member"), db_index=False
    )
    from_account = models.ForeignKey(
        Account, on_delete=models.PROTECT, related_name="+", verbose_name=_("from"), db_index=False
    )
    to_account = models.ForeignKey(
        Account, on_delete=models.PROTECT, related_name="+", verbose_name=_("to"), db_index=False
    )
    points = models.BigIntegerField(_("points"))
    occurred_at = models.DateTimeField(_("occurred at"))
    posted_at = models.DateTimeField(_("posted at"))
    qualifies_at = models.DateTimeField(_("counts towards a tier at"), null=True, blank=True)

    activity = models.ForeignKey(
        Activity,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="transfers",
        verbose_name=_("activity"),
        db_index=False,
    )
    rule_revision = models.ForeignKey(
        RuleRevision,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="transfers",
        verbose_name=_("rule revision"),
        db_index=False,
    )
    reverses = models.ForeignKey(
        "self",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="reversals",
        verbose_name=_("reverses"),
        db_index=False,
    )
    source = models.CharField(_("source"), max_length=40, blank=True)
    source_id = models.BigIntegerField(_("id at the source"), null=True, blank=True)
    occasion = models.CharField(_("occasion"), max_length=100, null=True, blank=True)
    staff = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("staff member"),
        db_index=False,
    )
    note = models.CharField(_("reason given by staff"), max_length=300, blank=True)

    class Meta:
        verbose_name = _("transfer")
        verbose_name_plural = _("transfers")
        ordering = ["-id"]
        permissions = [("adjust_points", "Can adjust points by hand")]
        constraints = [
            models.CheckConstraint(condition=Q(points__gt=0), name="transfer_points_positive"),
            models.CheckConstraint(condition=~Q(from_account=F("to_account")), name="transfer_between_two"),
            models.UniqueConstraint(
                fields=["activity", "rule_revision", "kind"],
                condition=Q(kind__in=["earn", "repayment"]),
                name="grant_once_per_activity_and_rule",
            ),
            models.UniqueConstraint(
                fields=["occasion", "kind"],
                condition=Q(occasion__isnull=False),
                name="transfer_once_per_occasion",
            ),
        ]
        indexes = [
            models.Index(fields=["member", "id"], name="transfer_by_member"),
            models.Index(
                fields=["member", "qualifies_at"],
                include=["points", "reverses", "id"],
                name="transfer_qualifying",
                condition=Q(qualifies_at__isnull=False),
            ),
            models.Index(fields=["reverses"], name="transfer_reversals", condition=Q(reverses__isnull=False)),
            models.Index(fields=["activity"], name="transfer_by_activity"),
            models.Index(
                fields=["member", "rule_revision"],
                include=["activity", "points", "kind"],
                name="transfer_by_rule",
                condition=Q(rule_revision__isnull=False),
            ),
            models.Index(fields=["posted_at"], name="transfer_by_posted"),
            models.Index(fields=["source_id"], name="transfer_of_gift", condition=Q(source="rewards.gift")),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"


class Lot(models.Model):
    """Points that came in together and expire together. ``remaining`` = ``points`` less its allocations.

    A lot lies in a member's ``available`` or ``pending`` account; a pending lot becomes available at
    ``available_at`` (or by confirmation when that is empty), as a new lot with the same ``expires_at``.

    Only lots of a sliding policy name their ``expiry_policy``: the member's activities move their ``expires_at``, and
    ``granted_expiry`` then keeps the one they were granted with (the proof is in :class:`rewards.models.ExpirySlide`).
    So it does when points come back to an expired lot and live on for a grace (:class:`rewards.models.LotGrace`).
    """

    transfer = models.OneToOneField(
        Transfer, on_delete=models.PROTECT, related_name="lot", verbose_name=_("opened by")
    )
    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="lots", verbose_name=_("member"), db_index=False
    )
    account = models.ForeignKey(
        Account, on_delete=models.PROTECT, related_name="lots", verbose_name=_("account"), db_index=False
    )
    points = models.BigIntegerField(_("points"))
    remaining = models.BigIntegerField(_("remaining"))
    earned_at = models.DateTimeField(_("earned at"))
    available_at = models.DateTimeField(_("available at"), null=True, blank=True)
    expires_at = models.DateTimeField(_("expires at"), null=True, blank=True)
    expiry_policy = models.ForeignKey(
        ExpiryPolicy,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("sliding policy"),
        db_index=False,
    )
    granted_expiry = models.DateTimeField(_("expiry when granted"), null=True, blank=True)

    class Meta:
        verbose_name = _("lot")
        verbose_name_plural = _("lots")
        ordering = ["expires_at", "id"]
        constraints = [
            models.CheckConstraint(condition=Q(points__gt=0), name="lot_points_positive"),
            models.CheckConstraint(
                condition=Q(remaining__gte=0, remaining__lte=F("points")), name="lot_remaining_in_bounds"
            ),
        ]
        indexes = [
            models.Index(
                fields=["account", "expires_at", "id"],
                name="lot_live_by_account",
                condition=Q(remaining__gt=0),
            ),
            models.Index(fields=["expires_at"], name="lot_live_by_expiry", condition=Q(remaining__gt=0)),
            models.Index(
                fields=["available_at"],
                name="lot_pending_due",
                condition=Q(remaining__gt=0, available_at__isnull=False),
            ),
            models.Index(
                fields=["account", "expiry_policy"],
                name="lot_sliding",
                condition=Q(remaining__gt=0, expiry_policy__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"


class Allocation(models.Model):
    """Points that a transfer took from a lot (positive), or gave back to it (negative). Append-only by trigger."""

    lot = models.ForeignKey(Lot, on_delete=models.PROTECT, related_name="allocations", verbose_name=_("lot"))
    transfer = models.ForeignKey(
        Transfer, on_delete=models.PROTECT, related_name="allocations", verbose_name=_("transfer")
    )
    points = models.BigIntegerField(_("points"))

    class Meta:
        verbose_name = _("allocation")
        verbose_name_plural = _("allocations")
        constraints = [models.CheckConstraint(condition=~Q(points=0), name="allocation_not_zero")]

    def __str__(self) -> str:
        return f"#{self.pk}"
