"""A campaign: who is told what and when, and what they are given: the birthday greeting, a favourite within reach."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from loyalty.history import staff_history
from loyalty.translated import TranslatedTextField, in_language


class Campaign(models.Model):
    """A recurring message on an occasion of the member's own, a greeting with bonus points for instance."""

    class Occasion(models.TextChoices):
        BIRTHDAY = "birthday", _("birthday")
        AFFORDABLE = "affordable", _("a favourite reward is within reach")

    code = models.SlugField(_("code"), max_length=50, unique=True)
    names = TranslatedTextField(_("names"))
    occasion = models.CharField(_("occasion"), max_length=20, choices=Occasion.choices)
    is_active = models.BooleanField(_("active"), default=True)
    bonus_points = models.PositiveIntegerField(_("bonus points"), default=0)
    look_back_days = models.PositiveSmallIntegerField(
        _("look-back in days"),
        default=3,
        help_text=_("A greeting missed by up to this many days is still sent; later it is not."),
    )
    looked_at = models.DateTimeField(
        _("last looked for occasions at"),
        null=True,
        blank=True,
        editable=False,
        help_text=_("Occasions up to here are settled: sent, or skipped with a reason."),
    )
    subjects = TranslatedTextField(_("subjects"))
    bodies = TranslatedTextField(
        _("texts"),
        help_text=_("“{first_name}” and “{points}” are filled in, and “{reward}” where it is about one."),
    )

    history = staff_history()

    class Meta:
        verbose_name = _("campaign")
        verbose_name_plural = _("campaigns")
        ordering = ["code"]

    def __str__(self) -> str:
        return self.name or self.code

    @property
    def name(self) -> str:
        return in_language(self.names)
