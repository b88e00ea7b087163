"""The catalogue: what members can get for their points, and what they want or never would."""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from loyalty.history import staff_history
from loyalty.ids import new_public_id
from loyalty.partners.models import Partner
from loyalty.translated import TranslatedTextField, in_language
from members.models import Member, Tier
from rewards.models.rule import RuleRevision


class Picture(models.Model):
    """A picture as it is shown: resized, turned upright, without metadata. Named by what is in it, so never edited."""

    digest = models.CharField(_("SHA-256 of the content"), max_length=64, unique=True, editable=False)
    content = models.BinaryField(_("content"), editable=False)
    thumbnail = models.BinaryField(_("small version"), editable=False)
    width = models.PositiveSmallIntegerField(_("width"), help_text=_("In pixels."))
    height = models.PositiveSmallIntegerField(_("height"), help_text=_("In pixels."))
    added_at = models.DateTimeField(_("added at"))

    class Meta:
        verbose_name = _("picture")
        verbose_name_plural = _("pictures")

    def __str__(self) -> str:
        return self.digest[:12]


class RewardCategory(models.Model):
    """A shelf of the catalogue."""

    code = models.SlugField(_("code"), max_length=50, unique=True)
    names = TranslatedTextField(_("names"))
    position = models.PositiveSmallIntegerField(_("position"), default=0)

    history = staff_history()

    class Meta:
        verbose_name = _("category of rewards")
        verbose_name_plural = _("categories of rewards")
        ordering = ["position", "code"]

    def __str__(self) -> str:
        return self.name or self.code

    @property
    def name(self) -> str:
        return in_language(self.names)


class Aversion(models.Model):
    """Things of which a member usually wants one kind only (oat milk or whole milk). Its kinds exclude each other."""

    code = models.SlugField(_("code"), max_length=50, unique=True)
    names = TranslatedTextField(_("names"))
    purchases = models.PositiveSmallIntegerField(
        _("purchases that show a preference"),
        default=2,
        validators=[MinValueValidator(1)],
        help_text=_(
            "So many purchases of one kind, and none of another, keep the other from being suggested."
        ),
    )
    days = models.PositiveSmallIntegerField(_("within days"), default=365, validators=[MinValueValidator(1)])

    history = staff_history()

    class Meta:
        verbose_name = _("either-or of products")
        verbose_name_plural = _("either-ors of products")
        ordering = ["code"]

    def __str__(self) -> str:
        return in_language(self.names) or self.code


class AversionKind(models.Model):
    """One side of an either-or: the products that belong to it, by SKU or by category of purchase lines."""

    aversion = models.ForeignKey(
        Aversion, on_delete=models.CASCADE, related_name="kinds", verbose_name=_("either-or")
    )
    code = models.SlugField(_("code"), max_length=50)
    names = TranslatedTextField(_("names"))
    skus = ArrayField(models.CharField(max_length=100), verbose_name=_("SKUs"), default=list, blank=True)
    categories = ArrayField(
        models.CharField(max_length=100), verbose_name=_("categories"), default=list, blank=True
    )

    class Meta:
        verbose_name = _("kind")
        verbose_name_plural = _("kinds")
        ordering = ["aversion", "code"]
        constraints = [models.UniqueConstraint(fields=["aversion", "code"], name="aversion_kind_once")]

    def __str__(self) -> str:
        return in_language(self.names) or self.code


class MemberAversion(models.Model):
    """What a member said they never want. It weighs more than what they bought."""

    member = models.ForeignKey(
        Member, on_delete=models.CASCADE, related_name="aversions", verbose_name=_("member")
    )
    kind = models.ForeignKey(AversionKind, on_delete=models.CASCADE, related_name="+", verbose_name=_("kind"))
    said_at = models.DateTimeField(_("said at"))

    class Meta:
        verbose_name = _("preference of a member")
        verbose_name_plural = _("preferences of members")
        constraints = [models.UniqueConstraint(fields=["member", "kind"], name="member_aversion_once")]

    def __str__(self) -> str:
        return f"#{self.pk}"


class Reward(models.Model):
    """Something that members can get for points, or for points and money.

    Who can get it when is decided by ``rewards.catalogue.availability`` alone, for the portal, the API and the
    redemption. ``public_id`` names it outside, ``code`` among staff.
    """

    class Kind(models.TextChoices):
        DISCOUNT = "discount", _("discount")
        PRODUCT = "product", _("free product")
        EXPERIENCE = "experience", _("experience or event")
        PARTNER = "partner", _("partner's reward")
        DONATION = "donation", _("donation to a cause")
        DRAW_ENTRY = "draw_entry", _("entry into a draw")

    class Fulfilment(models.TextChoices):
        VOUCHER = "voucher", _("a voucher at once")
        COLLECT = "collect", _("handed over by staff or a till")
        AT_ONCE = "at_once", _("done at once (donation, draw)")

    public_id = models.UUIDField(_("id"), default=new_public_id, unique=True, editable=False)
    code = models.SlugField(_("code"), max_length=50, unique=True)
    kind = models.CharField(_("kind"), max_length=12, choices=Kind.choices)
    names = TranslatedTextField(_("names"))
    descriptions = TranslatedTextField(_("descriptions"), default=dict, blank=True)
    instructions = TranslatedTextField(
        _("how to use it"), default=dict, blank=True, help_text=_("Shown with the code once it is redeemed.")
    )
    picture = models.ForeignKey(
        Picture, on_delete=models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("picture")
    )
    picture_texts = TranslatedTextField(
        _("what the picture shows"), default=dict, blank=True, help_text=_("For those who cannot see it.")
    )
    category = models.ForeignKey(
        RewardCategory,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="rewards",
        verbose_name=_("category"),
    )
    tags = ArrayField(models.CharField(max_length=50), verbose_name=_("tags"), default=list, blank=True)
    skus = ArrayField(
        models.CharField(max_length=100),
        verbose_name=_("SKUs"),
        default=list,
        blank=True,
        help_text=_("The products that it is about: suggestions leave out what a member would never want."),
    )
    partner = models.ForeignKey(
        Partner,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("partner"),
        help_text=_("Whose reward it is. Empty: the programme's own."),
    )

    points = models.PositiveIntegerField(_("points"), validators=[MinValueValidator(1)])
    money = models.DecimalField(
        _("and money"),
        max_digits=10,
        decimal_places=2,
        default=0,
        help_text=_("Paid at the till in the base currency, on top of the points."),
    )

    is_active = models.BooleanField(_("in the catalogue"), default=False)
    opens_at = models.DateTimeField(_("from"), null=True, blank=True)
    closes_at = models.DateTimeField(_("until"), null=True, blank=True)
    minimum_tier = models.ForeignKey(
        Tier, on_delete=models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("from tier")
    )
    early_opens_at = models.DateTimeField(_("early access from"), null=True, blank=True)
    early_tier = models.ForeignKey(
        Tier,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("early access from tier"),
    )
    conditions = models.JSONField(
        _("for members of whom"), default=dict, blank=True, help_text=_("Empty: for everybody.")
    )

    limit_per_member = models.PositiveIntegerField(_("at most, each member"), null=True, blank=True)
    limit_per_member_period = models.CharField(
        _("in"), max_length=5, choices=RuleRevision.Period.choices, default=RuleRevision.Period.EVER
    )
    limit_in_all = models.PositiveIntegerField(_("at most, all members together"), null=True, blank=True)
    limit_in_all_period = models.CharField(
        _("in"), max_length=5, choices=RuleRevision.Period.choices, default=RuleRevision.Period.DAY
    )

    fulfilment = models.CharField(
        _("given as"), max_length=8, choices=Fulfilment.choices, default=Fulfilment.VOUCHER
    )
    collect_days = models.PositiveSmallIntegerField(
        _("days to collect it"),
        default=14,
        validators=[MinValueValidator(1)],
        help_text=_("What is not collected by then lapses, and the points come back."),
    )
    voucher_family = models.ForeignKey(
        "rewards.VoucherFamily",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="rewards",
        verbose_name=_("voucher"),
    )
    cause = models.ForeignKey(
        "rewards.Cause",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="rewards",
        verbose_name=_("cause"),
    )
    draw = models.ForeignKey(
        "rewards.Draw",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="rewards",
        verbose_name=_("draw"),
    )
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    archived_at = models.DateTimeField(
        _("archived at"),
        null=True,
        blank=True,
        editable=False,
        help_text=_("Out of the catalogue and of the lists; what was redeemed stays."),
    )

    history = staff_history()

    class Meta:
        verbose_name = _("reward")
        verbose_name_plural = _("rewards")
        ordering = ["points", "code"]
        permissions = [("redeem_for_member", "Can redeem rewards for members")]
        constraints = [
            models.CheckConstraint(condition=Q(points__gte=1), name="reward_costs_points"),
            models.CheckConstraint(condition=Q(money__gte=0), name="reward_money_not_negative"),
            models.CheckConstraint(
                condition=Q(opens_at__isnull=True)
                | Q(closes_at__isnull=True)
                | Q(closes_at__gt=F("opens_at")),
                name="reward_window_has_length",
            ),
            models.CheckConstraint(
                condition=Q(early_opens_at__isnull=True, early_tier__isnull=True)
                | Q(early_opens_at__lt=F("opens_at"), early_tier__isnull=False),
                name="reward_early_access_is_early",
            ),
            models.CheckConstraint(
                condition=~Q(fulfilment="voucher") | Q(voucher_family__isnull=False),
                name="reward_has_its_voucher",
            ),
            models.CheckConstraint(
                condition=~Q(kind="donation") | Q(cause__isnull=False, fulfilment="at_once"),
                name="reward_has_its_cause",
            ),
            models.CheckConstraint(
                condition=~Q(kind="draw_entry") | Q(draw__isnull=False, fulfilment="at_once"),
                name="reward_has_its_draw",
            ),
            models.CheckConstraint(
                condition=Q(archived_at__isnull=True) | Q(is_active=False), name="reward_archived_is_out"
            ),
        ]
        indexes = [
            models.Index(fields=["points", "id"], name="reward_shown", condition=Q(is_active=True)),
            GinIndex(fields=["tags"], name="reward_by_tag"),
        ]

    def __str__(self) -> str:
        return self.name or self.code

    @property
    def name(self) -> str:
        return in_language(self.names)


class RewardStock(models.Model):
    """How many pieces there are and how many are taken. A reward without this row never runs out.

    The row is the lock under which stock and limits are decided (``rewards.redemption``); ``taken`` counts redemptions
    that are reserved, issued or fulfilled, and never passes ``total``.
    """

    reward = models.OneToOneField(
        Reward, on_delete=models.CASCADE, related_name="stock", verbose_name=_("reward")
    )
    total = models.PositiveIntegerField(_("pieces in all"))
    taken = models.PositiveIntegerField(_("taken"), default=0, editable=False)

    history = staff_history()

    class Meta:
        verbose_name = _("stock")
        verbose_name_plural = _("stock")
        constraints = [models.CheckConstraint(condition=Q(taken__lte=F("total")), name="stock_not_oversold")]

    def __str__(self) -> str:
        return f"{self.taken}/{self.total}"

    @property
    def left(self) -> int:
        return self.total - self.taken


class Favourite(models.Model):
    """A reward that a member marked; ``told_at``: when they last were told that they can afford it."""

    member = models.ForeignKey(
        Member, on_delete=models.CASCADE, related_name="favourites", verbose_name=_("member")
    )
    reward = models.ForeignKey(
        Reward, on_delete=models.CASCADE, related_name="favourites", verbose_name=_("reward")
    )
    marked_at = models.DateTimeField(_("marked at"))
    told_at = models.DateTimeField(_("told that it is affordable at"), null=True, blank=True)

    class Meta:
        verbose_name = _("favourite")
        verbose_name_plural = _("favourites")
        constraints = [models.UniqueConstraint(fields=["member", "reward"], name="favourite_once")]
        indexes = [
            models.Index(fields=["member"], name="favourite_untold", condition=Q(told_at__isnull=True))
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"
