"""Vouchers: codes worth money, a share of a purchase or a product, and all that happened to each."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from loyalty.history import staff_history
from loyalty.ids import new_public_id
from loyalty.partners.models import Partner
from loyalty.translated import TranslatedTextField, in_language
from members.models import Member


class VoucherFamily(models.Model):
    """Vouchers of one kind: what they are worth and where they count. Each voucher keeps what it was issued with."""

    class Kind(models.TextChoices):
        AMOUNT = "amount", _("an amount off")
        PERCENT = "percent", _("a percentage off")
        PRODUCT = "product", _("a product for nothing")

    class Source(models.TextChoices):
        GENERATED = "generated", _("codes of our own, one each")
        POOL = "pool", _("codes from a file, one each")
        SHARED = "shared", _("one code for everybody")

    public_id = models.UUIDField(_("id"), default=new_public_id, unique=True, editable=False)
    code = models.SlugField(_("code"), max_length=50, unique=True)
    names = TranslatedTextField(_("names"))
    kind = models.CharField(_("kind"), max_length=8, choices=Kind.choices)
    source = models.CharField(
        _("where codes come from"), max_length=10, choices=Source.choices, default=Source.GENERATED
    )
    value = models.DecimalField(
        _("value"),
        max_digits=10,
        decimal_places=2,
        default=0,
        help_text=_("In the base currency, or in percent. For a product: at most so much, 0 for any price."),
    )
    at_most = models.DecimalField(
        _("at most"),
        max_digits=10,
        decimal_places=2,
        null=True,
        blank=True,
        help_text=_("The most that a percentage takes off, in the base currency."),
    )
    minimum_purchase = models.DecimalField(_("least purchase"), max_digits=10, decimal_places=2, default=0)
    skus = ArrayField(models.CharField(max_length=100), verbose_name=_("SKUs"), default=list, blank=True)
    categories = ArrayField(
        models.CharField(max_length=100), verbose_name=_("categories"), default=list, blank=True
    )
    departments = ArrayField(
        models.CharField(max_length=100), verbose_name=_("departments"), default=list, blank=True
    )
    partner = models.ForeignKey(
        Partner,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("partner"),
        help_text=_("Only this partner takes them. Empty: every partner."),
    )
    prefix = models.CharField(
        _("prefix of the codes"), max_length=6, blank=True, help_text=_("Letters and digits, such as KAHVI.")
    )
    uses = models.PositiveIntegerField(
        _("uses"),
        null=True,
        blank=True,
        default=1,
        validators=[MinValueValidator(1)],
        help_text=_("How often a code can be used. Empty: without limit."),
    )
    uses_per_member = models.PositiveIntegerField(
        _("uses, each member"), null=True, blank=True, help_text=_("For a code that is shared.")
    )
    in_parts = models.BooleanField(
        _("can be used in parts"),
        default=False,
        help_text=_("An amount that a purchase does not use up stays on the voucher."),
    )
    valid_from = models.DateTimeField(_("valid from"), null=True, blank=True)
    valid_to = models.DateTimeField(_("valid to"), null=True, blank=True)
    valid_days = models.PositiveSmallIntegerField(
        _("valid for days"), null=True, blank=True, help_text=_("From issue; the earlier end counts.")
    )
    is_active = models.BooleanField(
        _("is issued"), default=True, help_text=_("Vouchers issued before count all the same.")
    )

    history = staff_history()

    class Meta:
        verbose_name = _("kind of voucher")
        verbose_name_plural = _("kinds of vouchers")
        ordering = ["code"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(kind="percent") | Q(value__gt=0, value__lte=100),
                name="voucher_percent_in_bounds",
            ),
            models.CheckConstraint(
                condition=~Q(kind="amount") | Q(value__gt=0), name="voucher_amount_positive"
            ),
            models.CheckConstraint(
                condition=Q(in_parts=False) | Q(kind="amount"), name="voucher_parts_of_amounts"
            ),
            models.CheckConstraint(
                condition=Q(in_parts=False) | (Q(uses=1) & ~Q(source="shared")),
                name="voucher_parts_of_one_use",
            ),
            models.CheckConstraint(
                condition=Q(uses_per_member__isnull=True) | Q(source="shared"),
                name="voucher_member_uses_of_shared",
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.code

    @property
    def name(self) -> str:
        return in_language(self.names)


class VoucherBatch(models.Model):
    """Codes made or taken in together by a worker, with its progress."""

    class Kind(models.TextChoices):
        GENERATION = "generation", _("made")
        POOL = "pool", _("taken in from a file")

    class State(models.TextChoices):
        QUEUED = "queued", _("waiting")
        RUNNING = "running", _("running")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")

    family = models.ForeignKey(
        VoucherFamily, on_delete=models.PROTECT, related_name="batches", verbose_name=_("kind of voucher")
    )
    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices)
    state = models.CharField(_("state"), max_length=8, choices=State.choices, default=State.QUEUED)
    total = models.PositiveIntegerField(_("codes in all"))
    done = models.PositiveIntegerField(_("done"), default=0)
    refused = models.PositiveIntegerField(_("refused"), default=0)
    problems = models.JSONField(_("why rows were refused"), default=list, editable=False)
    file = models.BinaryField(_("file, gzip"), null=True, editable=False)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("by")
    )
    requested_at = models.DateTimeField(_("requested at"))
    ended_at = models.DateTimeField(_("ended"), null=True)
    error = models.TextField(_("error"), blank=True, editable=False)

    class Meta:
        verbose_name = _("batch of vouchers")
        verbose_name_plural = _("batches of vouchers")
        ordering = ["-id"]
        indexes = [
            models.Index(
                fields=["state"],
                name="voucher_batch_unfinished",
                condition=Q(state__in=["queued", "running"]),
            )
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"


class Voucher(models.Model):
    """One code. ``rewards.vouchers`` is the only writer; what happened is in its steps.

    ``code`` is kept in its canonical form (capitals, no separators); ``spelling`` is how a file spelt it. ``remaining``
    is the money left on a voucher that can be used in parts, and the whole value on all others. ``uses_left`` is empty
    where a code can be used without limit; parts of an amount do not count, the last one is its use.
    """

    class State(models.TextChoices):
        STORED = "stored", _("in the pool")
        ACTIVE = "active", _("active")
        USED = "used", _("used")
        CANCELLED = "cancelled", _("cancelled")
        EXPIRED = "expired", _("expired")

    public_id = models.UUIDField(_("id"), default=new_public_id, unique=True, editable=False)
    family = models.ForeignKey(
        VoucherFamily, on_delete=models.PROTECT, related_name="vouchers", verbose_name=_("kind of voucher")
    )
    code = models.CharField(_("code"), max_length=40, unique=True, editable=False)
    spelling = models.CharField(_("spelling"), max_length=60, blank=True, editable=False)
    state = models.CharField(_("state"), max_length=10, choices=State.choices)
    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, null=True, related_name="vouchers", verbose_name=_("member")
    )
    redemption = models.OneToOneField(
        "rewards.Redemption",
        on_delete=models.PROTECT,
        null=True,
        related_name="voucher",
        verbose_name=_("redemption"),
    )
    batch = models.ForeignKey(
        VoucherBatch, on_delete=models.PROTECT, null=True, related_name="vouchers", verbose_name=_("batch")
    )
    source = models.CharField(_("source"), max_length=40, blank=True)
    source_id = models.BigIntegerField(_("id at the source"), null=True, blank=True)
    occasion = models.CharField(_("occasion"), max_length=100, null=True, blank=True, unique=True)
    value = models.DecimalField(_("value"), max_digits=10, decimal_places=2)
    remaining = models.DecimalField(_("left of it"), max_digits=10, decimal_places=2)
    uses = models.PositiveIntegerField(_("uses"), null=True)
    uses_left = models.PositiveIntegerField(_("uses left"), null=True)
    issued_at = models.DateTimeField(_("issued at"), null=True)
    valid_from = models.DateTimeField(_("valid from"), null=True)
    expires_at = models.DateTimeField(_("expires at"), null=True)

    class Meta:
        verbose_name = _("voucher")
        verbose_name_plural = _("vouchers")
        ordering = ["-id"]
        permissions = [("export_codes", "Can export voucher codes")]
        constraints = [
            models.CheckConstraint(
                condition=Q(remaining__gte=0, remaining__lte=F("value")), name="voucher_remaining_in_bounds"
            ),
            models.CheckConstraint(
                condition=Q(uses__isnull=True, uses_left__isnull=True) | Q(uses_left__lte=F("uses")),
                name="voucher_uses_in_bounds",
            ),
        ]
        indexes = [
            models.Index(fields=["family", "id"], name="voucher_in_pool", condition=Q(state="stored")),
            models.Index(fields=["member", "-id"], name="voucher_by_member"),
            models.Index(fields=["expires_at"], name="voucher_to_expire", condition=Q(state="active")),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"


class VoucherUse(models.Model):
    """A voucher locked for a checkout, used on it, or given back. One row for each checkout of a partner."""

    class State(models.TextChoices):
        LOCKED = "locked", _("locked")
        REDEEMED = "redeemed", _("redeemed")
        ROLLED_BACK = "rolled_back", _("rolled back")
        RELEASED = "released", _("released")

    public_id = models.UUIDField(_("id"), default=new_public_id, unique=True, editable=False)
    voucher = models.ForeignKey(
        Voucher, on_delete=models.PROTECT, related_name="used", verbose_name=_("voucher"), db_index=False
    )
    partner = models.ForeignKey(
        Partner, on_delete=models.PROTECT, related_name="+", verbose_name=_("partner"), db_index=False
    )
    member = models.ForeignKey(
        Member,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        verbose_name=_("member"),
        db_index=False,
    )
    checkout = models.CharField(
        _("checkout"), max_length=100, help_text=_("The till's own name for the sale.")
    )
    state = models.CharField(_("state"), max_length=12, choices=State.choices)
    amount = models.DecimalField(_("amount"), max_digits=10, decimal_places=2, default=0)
    purchase_total = models.DecimalField(
        _("total of the purchase"), max_digits=14, decimal_places=2, null=True
    )
    locked_until = models.DateTimeField(_("locked until"), null=True)
    at = models.DateTimeField(_("at"))

    class Meta:
        verbose_name = _("use of a voucher")
        verbose_name_plural = _("uses of vouchers")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["voucher", "partner", "checkout"], name="voucher_once_per_checkout"
            ),
            models.CheckConstraint(condition=Q(amount__gte=0), name="voucher_use_not_negative"),
        ]
        indexes = [
            models.Index(fields=["locked_until"], name="voucher_lock_to_end", condition=Q(state="locked")),
            models.Index(fields=["voucher"], name="voucher_lock_held", condition=Q(state="locked")),
            models.Index(
                fields=["voucher", "member"], name="voucher_use_by_member", condition=Q(member__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"


class VoucherStep(models.Model):
    """What happened to a voucher. Append-only by trigger."""

    class Kind(models.TextChoices):
        ISSUED = "issued", _("issued")
        LOCKED = "locked", _("locked for a checkout")
        RELEASED = "released", _("released")
        REDEEMED = "redeemed", _("redeemed")
        ROLLED_BACK = "rolled_back", _("rolled back")
        CANCELLED = "cancelled", _("cancelled")
        EXPIRED = "expired", _("expired")

    voucher = models.ForeignKey(
        Voucher, on_delete=models.PROTECT, related_name="steps", verbose_name=_("voucher")
    )
    use = models.ForeignKey(
        VoucherUse, on_delete=models.PROTECT, null=True, related_name="steps", verbose_name=_("use")
    )
    kind = models.CharField(_("kind"), max_length=12, choices=Kind.choices)
    amount = models.DecimalField(_("amount"), max_digits=10, decimal_places=2, default=0)
    at = models.DateTimeField(_("at"))
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
        verbose_name = _("step of a voucher")
        verbose_name_plural = _("steps of vouchers")
        ordering = ["id"]

    def __str__(self) -> str:
        return f"#{self.pk}"
