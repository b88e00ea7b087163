"""Leaderboards: who is ahead in a challenge or a period, among those who want to be seen."""

import uuid

from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from loyalty.history import staff_history
from loyalty.ids import new_public_id
from loyalty.translated import TranslatedTextField, in_language
from members.models import Member
from rewards.models.challenge import Challenge


class Leaderboard(models.Model):
    """A comparison of members by what they earned in a period, or by their progress in a challenge."""

    class Basis(models.TextChoices):
        EARNED = "earned", _("points earned")
        CHALLENGE = "challenge", _("progress in a challenge")

    class Period(models.TextChoices):
        WEEK = "week", _("a week")
        MONTH = "month", _("a month")
        YEAR = "year", _("a year")
        EVER = "ever", _("from the beginning")

    public_id = models.UUIDField(_("id"), default=new_public_id, unique=True, editable=False)
    code = models.SlugField(_("code"), max_length=50, unique=True)
    names = TranslatedTextField(_("names"))
    basis = models.CharField(_("by"), max_length=10, choices=Basis.choices)
    period = models.CharField(_("period"), max_length=5, choices=Period.choices, default=Period.MONTH)
    challenge = models.ForeignKey(
        Challenge,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="leaderboards",
        verbose_name=_("challenge"),
    )
    settling_days = models.PositiveSmallIntegerField(
        _("days to settle"),
        default=3,
        validators=[MaxValueValidator(60)],
        help_text=_(
            "For so many days after a period has ended, late purchases and refunds still move its table."
        ),
    )
    position = models.PositiveSmallIntegerField(_("position"), default=0)
    is_active = models.BooleanField(_("shown"), default=True)

    history = staff_history()

    class Meta:
        verbose_name = _("leaderboard")
        verbose_name_plural = _("leaderboards")
        ordering = ["position", "code"]
        constraints = [
            models.CheckConstraint(
                condition=Q(basis="earned", challenge__isnull=True)
                | Q(basis="challenge", challenge__isnull=False),
                name="leaderboard_has_its_basis",
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.code

    @property
    def name(self) -> str:
        return in_language(self.names)


class LeaderboardTable(models.Model):
    """One period of a leaderboard, from ``starts_on`` to the day before ``ends_on`` (None: without an end).

    ``revision`` counts up with every change of its scores, under a lock of this row, so that changes become visible in
    its order; ``removed_revision`` is that of the last change that removed a member. What Redis holds says up to which
    revision it goes, under a key with the ``token`` in it. Once ``closed_at`` is set, no score moves any more.
    """

    leaderboard = models.ForeignKey(
        Leaderboard,
        on_delete=models.CASCADE,
        related_name="tables",
        verbose_name=_("leaderboard"),
        db_index=False,
    )
    token = models.UUIDField(default=uuid.uuid4, editable=False)
    starts_on = models.DateField(_("from"))
    ends_on = models.DateField(_("until (not included)"), null=True)
    revision = models.BigIntegerField(_("revision"), default=0)
    removed_revision = models.BigIntegerField(_("revision of the last removal"), default=0)
    counted_at = models.DateTimeField(_("counted at"), null=True)
    closed_at = models.DateTimeField(_("closed at"), null=True)

    class Meta:
        verbose_name = _("table of a leaderboard")
        verbose_name_plural = _("tables of leaderboards")
        ordering = ["-starts_on", "leaderboard"]
        constraints = [
            models.UniqueConstraint(fields=["leaderboard", "starts_on"], name="table_once_per_period"),
            models.CheckConstraint(
                condition=Q(ends_on__isnull=True) | Q(ends_on__gt=F("starts_on")), name="table_has_length"
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"


class LeaderboardProfile(models.Model):
    """The nickname under which a member wants to be seen. No row: the member is neither shown nor counted.

    ``key`` is the nickname as it is compared: without its case and without what stands between letters and figures.
    """

    member = models.OneToOneField(
        Member,
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="leaderboard_profile",
        verbose_name=_("member"),
    )
    nickname = models.CharField(_("nickname"), max_length=30)
    key = models.CharField(max_length=60, unique=True, editable=False)
    joined_at = models.DateTimeField(_("joined at"))
    renamed_by_staff_at = models.DateTimeField(_("renamed by staff at"), null=True, editable=False)

    class Meta:
        verbose_name = _("nickname")
        verbose_name_plural = _("nicknames")
        ordering = ["-joined_at"]

    def __str__(self) -> str:
        return self.nickname


class LeaderboardScore(models.Model):
    """What a member has in one table. It belongs to the nickname: who leaves takes the scores along.

    Redis is built from these rows, and built again when it is lost. ``revision`` is the table's when the row last
    changed.
    """

    table = models.ForeignKey(
        LeaderboardTable,
        on_delete=models.CASCADE,
        related_name="scores",
        verbose_name=_("table of a leaderboard"),
        db_index=False,
    )
    profile = models.ForeignKey(
        LeaderboardProfile, on_delete=models.CASCADE, related_name="scores", verbose_name=_("nickname")
    )
    score = models.BigIntegerField(
        _("score"), help_text=_("Points, or hundredths of the challenge's progress.")
    )
    revision = models.BigIntegerField(_("revision"))

    class Meta:
        verbose_name = _("score")
        verbose_name_plural = _("scores")
        ordering = ["table_id", "-score", "profile_id"]
        constraints = [
            models.UniqueConstraint(fields=["table", "profile"], name="score_once"),
            models.CheckConstraint(condition=Q(score__gte=0), name="score_not_negative"),
        ]
        indexes = [
            models.Index(fields=["table", "-score", "profile"], name="score_by_rank"),
            models.Index(fields=["table", "revision"], name="score_by_revision"),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"


class ForbiddenWord(models.Model):
    """A word that no nickname may have in it, however it is spelt (see ``rewards.leaderboards.nicknames``)."""

    word = models.CharField(_("word"), max_length=40, unique=True)
    anywhere = models.BooleanField(
        _("also inside other words"),
        default=False,
        help_text=_("Otherwise only as a word of its own: “ass” would forbid “class” too."),
    )

    history = staff_history()

    class Meta:
        verbose_name = _("forbidden word")
        verbose_name_plural = _("forbidden words")
        ordering = ["word"]

    def __str__(self) -> str:
        return self.word
