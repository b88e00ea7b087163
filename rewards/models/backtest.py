"""Drafts of a change of terms, and the backtests that say what a draft would have done. Neither touches the ledger."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from loyalty.runs.models import Run


class Draft(models.Model):
    """A change of terms that staff think over: rules, tiers, expiry. Publishing it makes the revisions.

    ``changes`` is ``{"rules": [{"code", "names", "terms"}], "tiers": {…}, "expiry": [{…}]}``, as ``rewards.drafts``
    reads and writes it; ``terms`` null ends the rule.
    """

    name = models.CharField(_("name"), max_length=100)
    note = models.TextField(_("note"), blank=True, help_text=_("What it is meant to bring."))
    changes = models.JSONField(_("changes"), default=dict, blank=True, editable=False)
    created_at = models.DateTimeField(_("created at"), editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        editable=False,
        related_name="+",
        verbose_name=_("created by"),
    )
    published_at = models.DateTimeField(_("published at"), null=True, editable=False)
    published_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        editable=False,
        related_name="+",
        verbose_name=_("published by"),
    )

    class Meta:
        verbose_name = _("draft of new terms")
        verbose_name_plural = _("drafts of new terms")
        ordering = ["-id"]
        permissions = [("publish_draft", "Can publish a draft of new terms")]

    def __str__(self) -> str:
        return self.name


class Backtest(models.Model):
    """One replay of a past period against a draft as it stood then (``changes``), kept for comparison."""

    class Status(models.TextChoices):
        QUEUED = "queued", _("waiting")
        RUNNING = "running", _("running")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")
        CANCELLED = "cancelled", _("cancelled")

    draft = models.ForeignKey(
        Draft, on_delete=models.PROTECT, related_name="backtests", verbose_name=_("draft")
    )
    changes = models.JSONField(_("changes"), default=dict, editable=False)
    starts_at = models.DateTimeField(_("from"), help_text=_("By the time of the activities."))
    ends_at = models.DateTimeField(_("until"))
    point_value = models.DecimalField(
        _("cost of a point"), max_digits=8, decimal_places=4, help_text=_("In the base currency.")
    )
    status = models.CharField(_("status"), max_length=10, choices=Status.choices, default=Status.QUEUED)
    cancel_asked = models.BooleanField(_("to be cancelled"), default=False, editable=False)
    done = models.PositiveIntegerField(_("activities judged"), default=0, editable=False)
    total = models.PositiveIntegerField(_("activities"), null=True, editable=False)
    result = models.JSONField(_("result"), null=True, editable=False)
    error = models.TextField(_("error"), blank=True, editable=False)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        verbose_name=_("requested by"),
    )
    requested_at = models.DateTimeField(_("requested at"))
    ended_at = models.DateTimeField(_("ended"), null=True, editable=False)
    run = models.ForeignKey(
        Run, on_delete=models.SET_NULL, null=True, editable=False, related_name="+", verbose_name=_("run")
    )

    class Meta:
        verbose_name = _("backtest")
        verbose_name_plural = _("backtests")
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=Q(ends_at__gt=F("starts_at")), name="backtest_period_has_length")
        ]
        indexes = [
            models.Index(
                fields=["status"], name="backtest_unfinished", condition=Q(status__in=["queued", "running"])
            )
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"
