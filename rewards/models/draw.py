"""Draws: entries with weights, a seed promised before anybody enters, and winners that anyone can recompute."""

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from loyalty.history import staff_history
from loyalty.ids import new_public_id
from loyalty.translated import TranslatedTextField, in_language
from members.models import Member


class Draw(models.Model):
    """A draw. Its seed's digest is published when it opens, the list of entries when it closes, the seed when held.

    ``sealed`` is what the seed is made from together with the server's secret key (``rewards.draws.sealing``); the seed
    itself is nowhere until the draw is held. Neither is ever copied to the history of what staff edit.
    """

    class State(models.TextChoices):
        DRAFT = "draft", _("draft")
        OPEN = "open", _("open")
        CLOSED = "closed", _("closed")
        DRAWN = "drawn", _("drawn")
        CANCELLED = "cancelled", _("cancelled")

    public_id = models.UUIDField(_("id"), default=new_public_id, unique=True, editable=False)
    code = models.SlugField(_("code"), max_length=50, unique=True)
    names = TranslatedTextField(_("names"))
    descriptions = TranslatedTextField(_("descriptions"), default=dict, blank=True)
    rules = TranslatedTextField(
        _("rules of the draw"),
        default=dict,
        blank=True,
        help_text=_("Organiser, who may enter, how winners hear."),
    )
    state = models.CharField(
        _("state"), max_length=10, choices=State.choices, default=State.DRAFT, editable=False
    )
    opens_at = models.DateTimeField(_("from"))
    closes_at = models.DateTimeField(_("until"))
    draws_at = models.DateTimeField(
        _("drawn from"),
        null=True,
        blank=True,
        help_text=_(
            "Until then everybody can look at the list of entries. Empty: drawn as soon as it closes."
        ),
    )
    entries_per_member = models.PositiveIntegerField(
        _("at most, entries of a member"), null=True, blank=True, validators=[MinValueValidator(1)]
    )
    sealed = models.BinaryField(_("what the seed is made from"), max_length=32, null=True, editable=False)
    commitment = models.CharField(_("SHA-256 of the seed"), max_length=64, blank=True, editable=False)
    opened_at = models.DateTimeField(_("opened at"), null=True, editable=False)
    closed_at = models.DateTimeField(_("closed at"), null=True, editable=False)
    list_digest = models.CharField(
        _("SHA-256 of the list of entries"), max_length=64, blank=True, editable=False
    )
    seed = models.BinaryField(_("seed"), max_length=32, null=True, editable=False)
    drawn_at = models.DateTimeField(_("drawn at"), null=True, editable=False)
    cancelled_at = models.DateTimeField(_("cancelled at"), null=True, editable=False)
    cancelled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        editable=False,
        related_name="+",
        verbose_name=_("cancelled by"),
    )
    cancel_note = models.CharField(_("why it was cancelled"), max_length=300, blank=True, editable=False)

    history = staff_history(excluding=("seed", "sealed"))

    class Meta:
        verbose_name = _("draw")
        verbose_name_plural = _("draws")
        ordering = ["-closes_at"]
        permissions = [("hold_draw", "Can open, hold and cancel draws")]
        constraints = [
            models.CheckConstraint(condition=Q(closes_at__gt=F("opens_at")), name="draw_window_has_length"),
            models.CheckConstraint(
                condition=Q(draws_at__isnull=True) | Q(draws_at__gte=F("closes_at")),
                name="draw_held_after_it_closes",
            ),
            models.CheckConstraint(
                condition=Q(seed__isnull=True) | Q(state="drawn"), name="draw_seed_unknown_until_held"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["draft", "cancelled"]) | ~Q(commitment=""),
                name="draw_open_is_promised",
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.code

    @property
    def name(self) -> str:
        return in_language(self.names)


class DrawPrize(models.Model):
    """A prize of a draw and how many there are: points, a voucher, or (neither) something that staff hand over."""

    draw = models.ForeignKey(Draw, on_delete=models.CASCADE, related_name="prizes", verbose_name=_("draw"))
    position = models.PositiveSmallIntegerField(_("position"), validators=[MinValueValidator(1)])
    names = TranslatedTextField(_("names"))
    quantity = models.PositiveIntegerField(_("how many"), default=1, validators=[MinValueValidator(1)])
    points = models.PositiveIntegerField(_("points"), default=0)
    voucher_family = models.ForeignKey(
        "rewards.VoucherFamily",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("voucher"),
    )

    class Meta:
        verbose_name = _("prize")
        verbose_name_plural = _("prizes")
        ordering = ["draw", "position"]
        constraints = [
            models.UniqueConstraint(fields=["draw", "position"], name="prize_once_per_position"),
            models.CheckConstraint(condition=Q(quantity__gte=1), name="prize_has_a_piece"),
            models.CheckConstraint(
                condition=Q(points=0) | Q(voucher_family__isnull=True), name="prize_points_or_voucher"
            ),
        ]

    def __str__(self) -> str:
        return in_language(self.names)


class DrawEntry(models.Model):
    """A member's entry. ``number`` is public and says nothing of the member; ``weight`` is how many chances it has."""

    draw = models.ForeignKey(Draw, on_delete=models.PROTECT, related_name="entries", verbose_name=_("draw"))
    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="draw_entries", verbose_name=_("member")
    )
    number = models.PositiveIntegerField(_("number"))
    weight = models.PositiveIntegerField(_("chances"), default=1, validators=[MinValueValidator(1)])
    source = models.CharField(_("source"), max_length=40)
    source_id = models.BigIntegerField(_("id at the source"))
    entered_at = models.DateTimeField(_("entered at"))
    cancelled_at = models.DateTimeField(_("cancelled at"), null=True)

    class Meta:
        verbose_name = _("entry")
        verbose_name_plural = _("entries")
        ordering = ["draw", "number"]
        constraints = [
            models.UniqueConstraint(fields=["draw", "number"], name="entry_number_once"),
            models.UniqueConstraint(fields=["source", "source_id", "draw"], name="entry_once_per_source"),
            models.CheckConstraint(condition=Q(weight__gte=1), name="entry_has_a_chance"),
        ]

    def __str__(self) -> str:
        return f"{self.number}"


class DrawWinner(models.Model):
    """A prize won. ``position`` is the order in which the winners were drawn; ``staff`` handed the prize over."""

    draw = models.ForeignKey(Draw, on_delete=models.PROTECT, related_name="winners", verbose_name=_("draw"))
    prize = models.ForeignKey(
        DrawPrize, on_delete=models.PROTECT, related_name="winners", verbose_name=_("prize")
    )
    entry = models.ForeignKey(
        DrawEntry, on_delete=models.PROTECT, related_name="wins", verbose_name=_("entry")
    )
    position = models.PositiveIntegerField(_("position"))
    voucher = models.OneToOneField(
        "rewards.Voucher", on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("voucher")
    )
    fulfilled_at = models.DateTimeField(_("handed over at"), null=True, blank=True)
    staff = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        verbose_name=_("staff member"),
    )
    note = models.CharField(_("note"), max_length=300, blank=True)

    class Meta:
        verbose_name = _("winner")
        verbose_name_plural = _("winners")
        ordering = ["draw", "position"]
        permissions = [("hand_over_prize", "Can hand over prizes of draws")]
        constraints = [
            models.UniqueConstraint(fields=["draw", "position"], name="winner_once_per_position"),
            models.UniqueConstraint(fields=["entry"], name="winner_once_per_entry"),
        ]
        indexes = [
            models.Index(fields=["draw"], name="winner_waiting", condition=Q(fulfilled_at__isnull=True))
        ]

    def __str__(self) -> str:
        return f"#{self.position}"
