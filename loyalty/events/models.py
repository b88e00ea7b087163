"""Announced facts (the queue of record for subscriptions) and the deliveries that failed."""

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class Event(models.Model):
    """One announced fact, written in the transaction of the fact itself; immutable but for ``dispatched_at``."""

    id = models.BigAutoField(primary_key=True)
    name = models.CharField(_("name"), max_length=60)
    member_id = models.BigIntegerField(_("member"), null=True, blank=True)
    partner_id = models.BigIntegerField(_("partner"), null=True, blank=True)
    facts = models.JSONField(_("facts"), default=dict, encoder=DjangoJSONEncoder)
    occurred_at = models.DateTimeField(_("occurred at"))
    announced_at = models.DateTimeField(_("announced at"), db_default=Now(), editable=False)
    dispatched_at = models.DateTimeField(_("dispatched at"), null=True, blank=True)

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        indexes = [
            models.Index(fields=["id"], name="event_waiting", condition=models.Q(dispatched_at__isnull=True)),
            models.Index(fields=["member_id", "id"], name="event_by_member"),
        ]

    def __str__(self) -> str:
        return f"{self.name} #{self.pk}"


class EventFailure(models.Model):
    """One event that one subscription could not take: retried when due, parked after the last attempt."""

    class Status(models.TextChoices):
        RETRYING = "retrying", _("retrying")
        PARKED = "parked", _("parked")
        RESOLVED = "resolved", _("resolved")

    event = models.ForeignKey(
        Event, on_delete=models.CASCADE, related_name="failures", verbose_name=_("event")
    )
    subscription = models.CharField(_("subscription"), max_length=100)
    status = models.CharField(_("status"), max_length=10, choices=Status.choices, default=Status.RETRYING)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=1)
    due_at = models.DateTimeField(_("next attempt at"), null=True, blank=True)
    error = models.TextField(_("error"))
    failed_at = models.DateTimeField(_("last failed at"))

    class Meta:
        verbose_name = _("failed event")
        verbose_name_plural = _("failed events")
        constraints = [
            models.UniqueConstraint(fields=["event", "subscription"], name="failure_once_per_subscription")
        ]
        indexes = [models.Index(fields=["due_at"], name="failure_due", condition=models.Q(status="retrying"))]

    def __str__(self) -> str:
        return f"{self.subscription}: {self.event_id}"
