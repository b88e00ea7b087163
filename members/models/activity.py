"""What members did: purchases with their lines, and activities of other kinds."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from loyalty.history import staff_history
from loyalty.ids import new_public_id
from loyalty.partners.models import Partner
from loyalty.translated import TranslatedTextField, in_language
from members.models.member import Member


class ActivityKind(models.Model):
    """A kind of activity: purchase, visit, review … Kinds are data; staff add their own."""

    code = models.SlugField(_("code"), max_length=30, primary_key=True)
    names = TranslatedTextField(_("names"))
    is_active = models.BooleanField(_("active"), default=True)
    rewarded_per_day = models.PositiveSmallIntegerField(
        _("rewarded per day"),
        null=True,
        blank=True,
        help_text=_("How many of a member's activities of this kind can earn points on one day. Empty: all."),
    )

    history = staff_history()

    class Meta:
        verbose_name = _("kind of activity")
        verbose_name_plural = _("kinds of activity")
        ordering = ["code"]

    def __str__(self) -> str:
        return self.name or self.code

    @property
    def name(self) -> str:
        return in_language(self.names)


class Store(models.Model):
    """A place where a partner's activities happen; comes into being when first seen."""

    partner = models.ForeignKey(
        Partner, on_delete=models.PROTECT, related_name="stores", verbose_name=_("partner")
    )
    code = models.CharField(_("code"), max_length=100)
    name = models.CharField(_("name"), max_length=200, blank=True)
    time_zone = models.CharField(
        _("time zone"), max_length=64, blank=True, db_default="", help_text=_("Empty: the programme's own.")
    )

    class Meta:
        verbose_name = _("store")
        verbose_name_plural = _("stores")
        ordering = ["code"]
        constraints = [models.UniqueConstraint(fields=["partner", "code"], name="store_once_per_partner")]

    def __str__(self) -> str:
        return self.name or self.code


class SalesChannel(models.Model):
    """The way an activity came about (store, web, app); comes into being when first seen."""

    code = models.CharField(_("code"), max_length=50, unique=True)
    name = models.CharField(_("name"), max_length=100, blank=True)

    class Meta:
        verbose_name = _("sales channel")
        verbose_name_plural = _("sales channels")
        ordering = ["code"]

    def __str__(self) -> str:
        return self.name or self.code


class Category(models.Model):
    """A category of products within a department (either may be empty), as the partners name them."""

    name = models.CharField(_("category"), max_length=100, blank=True)
    department = models.CharField(_("department"), max_length=100, blank=True)

    class Meta:
        verbose_name = _("product category")
        verbose_name_plural = _("product categories")
        ordering = ["department", "name"]
        constraints = [models.UniqueConstraint(fields=["name", "department"], name="category_once")]

    def __str__(self) -> str:
        return " / ".join(part for part in (self.department, self.name) if part)


class Product(models.Model):
    """A partner's product; comes into being when first seen, with the category it is first seen in."""

    partner = models.ForeignKey(
        Partner, on_delete=models.PROTECT, related_name="products", verbose_name=_("partner")
    )
    sku = models.CharField(_("SKU"), max_length=100)
    brand = models.CharField(_("brand"), max_length=100, blank=True, db_default="")
    name = models.CharField(_("name"), max_length=200, blank=True)
    category = models.ForeignKey(
        Category,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="products",
        verbose_name=_("category"),
    )

    class Meta:
        verbose_name = _("product")
        verbose_name_plural = _("products")
        ordering = ["sku"]
        constraints = [models.UniqueConstraint(fields=["partner", "sku"], name="product_once_per_partner")]

    def __str__(self) -> str:
        return self.name or self.sku


class Activity(models.Model):
    """Something a member did, as a partner (or the programme itself) reported it. Once recorded it does not change."""

    public_id = models.UUIDField(_("id"), default=new_public_id, unique=True, editable=False)
    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="activities", verbose_name=_("member")
    )
    partner = models.ForeignKey(
        Partner, on_delete=models.PROTECT, related_name="activities", verbose_name=_("partner")
    )
    external_id = models.CharField(_("external id"), max_length=100)
    kind = models.ForeignKey(ActivityKind, on_delete=models.PROTECT, related_name="+", verbose_name=_("kind"))
    occurred_at = models.DateTimeField(_("occurred at"))
    recorded_at = models.DateTimeField(_("recorded at"))
    store = models.ForeignKey(
        Store, on_delete=models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("store")
    )
    channel = models.ForeignKey(
        SalesChannel,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("channel"),
    )
    currency = models.CharField(_("currency"), max_length=3)
    total = models.DecimalField(_("total"), max_digits=14, decimal_places=2)
    content_digest = models.BinaryField(_("digest of the content"), max_length=32, editable=False)

    class Meta:
        verbose_name = _("activity")
        verbose_name_plural = _("activities")
        ordering = ["-occurred_at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["partner", "external_id"], name="activity_once_per_partner"),
            models.CheckConstraint(condition=Q(total__gte=0), name="activity_total_not_negative"),
        ]
        indexes = [
            models.Index(fields=["member", "occurred_at"], name="activity_by_member"),
            models.Index(fields=["occurred_at"], name="activity_by_time"),
            models.Index(fields=["recorded_at"], name="activity_by_recorded"),
        ]

    def __str__(self) -> str:
        return self.external_id


class ActivityLine(models.Model):
    """One line of a purchase. The category is kept as it was at the purchase."""

    activity = models.ForeignKey(
        Activity, on_delete=models.PROTECT, related_name="lines", verbose_name=_("activity"), db_index=False
    )
    position = models.PositiveSmallIntegerField(_("position"))
    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="+", verbose_name=_("member"), db_index=False
    )
    product = models.ForeignKey(
        Product,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="lines",
        verbose_name=_("product"),
    )
    category = models.ForeignKey(
        Category,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("category"),
        db_index=False,
    )
    quantity = models.DecimalField(_("quantity"), max_digits=12, decimal_places=3)
    total = models.DecimalField(_("total"), max_digits=14, decimal_places=2)

    class Meta:
        verbose_name = _("activity line")
        verbose_name_plural = _("activity lines")
        ordering = ["activity", "position"]
        constraints = [
            models.UniqueConstraint(fields=["activity", "position"], name="line_once_per_position"),
            models.CheckConstraint(condition=Q(quantity__gte=0), name="line_quantity_not_negative"),
            models.CheckConstraint(condition=Q(total__gte=0), name="line_total_not_negative"),
        ]

    def __str__(self) -> str:
        return f"#{self.position}"
