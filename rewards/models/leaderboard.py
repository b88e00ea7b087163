"""Leaderboards: who is ahead in a challenge or a period, among those who want to be seen."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from loyalty.history import staff_history
from loyalty.ids import new_public_id
from loyalty.translated import TranslatedTextField, in_language
from members.models import Member
from rewards.models.challenge import Challenge


class Leaderboard(models.Model):
    """A table of members by what they earned in a period, or by their progress in a challenge."""

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
    is_active = models.BooleanField(_("shown"), default=True)

    history = staff_history()

    class Meta:
        verbose_name = _("leaderboard")
        verbose_name_plural = _("leaderboards")
        ordering = ["code"]
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


class LeaderboardProfile(models.Model):
    """The nickname under which a member wants to be seen. No row: the member is never shown."""

    member = models.OneToOneField(
        Member, on_delete=models.CASCADE, related_name="leaderboard_profile", verbose_name=_("member")
    )
    nickname = models.CharField(_("nickname"), max_length=30)
    joined_at = models.DateTimeField(_("joined at"))

    class Meta:
        verbose_name = _("nickname")
        verbose_name_plural = _("nicknames")
        constraints = [models.UniqueConstraint(Lower("nickname"), name="nickname_once")]

    def __str__(self) -> str:
        return self.nickname


class LeaderboardScore(models.Model):
    """What a member has in one period of a leaderboard. Redis is built from these rows, and built again when lost."""

    leaderboard = models.ForeignKey(
        Leaderboard,
        on_delete=models.CASCADE,
        related_name="scores",
        verbose_name=_("leaderboard"),
        db_index=False,
    )
    starts_on = models.DateField(_("period from"))
    member = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="+", verbose_name=_("member"))
    score = models.BigIntegerField(
        _("score"), help_text=_("Points, or hundredths of the challenge's progress.")
    )

    class Meta:
        verbose_name = _("score")
        verbose_name_plural = _("scores")
        ordering = ["leaderboard", "starts_on", "-score"]
        constraints = [
            models.UniqueConstraint(fields=["leaderboard", "starts_on", "member"], name="score_once")
        ]
        indexes = [
            models.Index(fields=["leaderboard", "starts_on", "-score"], name="score_by_rank"),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"
