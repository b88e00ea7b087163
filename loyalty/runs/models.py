"""Runs of background work, a row each, so that staff see what ran, how long and how it ended."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Run(models.Model):
    """One run of a piece of background work (nightly metrics, birthday greetings, an import)."""

    class Status(models.TextChoices):
        RUNNING = "running", _("running")
        SUCCEEDED = "succeeded", _("succeeded")
        FAILED = "failed", _("failed")
        ABANDONED = "abandoned", _("abandoned")

    name = models.CharField(_("name"), max_length=100)
    status = models.CharField(_("status"), max_length=10, choices=Status.choices, default=Status.RUNNING)
    at = models.DateTimeField(_("run for"), help_text=_("The moment the run was judged at."))
    started_at = models.DateTimeField(_("started"))
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)
    seen_at = models.DateTimeField(_("last sign of life"))
    done = models.PositiveIntegerField(_("done"), default=0)
    failed = models.PositiveIntegerField(_("failed"), default=0)
    skipped = models.PositiveIntegerField(_("skipped"), default=0)
    total = models.PositiveIntegerField(_("total"), null=True, blank=True)
    detail = models.JSONField(_("detail"), default=dict, blank=True)
    error = models.TextField(_("error"), blank=True)
    process = models.CharField(_("process"), max_length=200, blank=True, editable=False)

    class Meta:
        verbose_name = _("run")
        verbose_name_plural = _("runs")
        ordering = ["-id"]
        indexes = [models.Index(fields=["name", "-id"], name="run_by_name")]

    def __str__(self) -> str:
        return f"{self.name} #{self.pk}"
