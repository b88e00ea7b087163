"""The programme's own row, and the models of the rooms below (events, partners, runs, API) gathered for Django."""

from django.core.validators import RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from loyalty.api.models import IdempotencyKey
from loyalty.events.models import Event, EventFailure
from loyalty.history import staff_history
from loyalty.partners.models import ApiKey, Partner
from loyalty.runs.models import Run

__all__ = ["ApiKey", "Event", "EventFailure", "IdempotencyKey", "Partner", "Programme", "Run"]


class Programme(models.Model):
    """The one row of programme-wide settings; read it with :func:`loyalty.programme.current`."""

    name = models.CharField(_("name"), max_length=100, default="Kantis")
    base_currency = models.CharField(
        _("base currency"), max_length=3, default="EUR", validators=[RegexValidator(r"^[A-Z]{3}$")]
    )
    time_zone = models.CharField(_("time zone"), max_length=64, default="Europe/Helsinki")
    default_language = models.CharField(_("default language"), max_length=2, default="fi")
    terms_version = models.PositiveIntegerField(
        _("version of the terms"),
        default=1,
        editable=False,
        help_text=_(
            "Counts up whenever a rule, tier or expiry policy is revised; caches of the terms follow it."
        ),
    )

    history = staff_history()

    class Meta:
        verbose_name = _("programme")
        verbose_name_plural = _("programme")
        constraints = [models.CheckConstraint(condition=models.Q(pk=1), name="programme_is_one_row")]

    def __str__(self) -> str:
        return self.name
