"""Answers kept for idempotency keys."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from loyalty.partners.models import Partner


class IdempotencyKey(models.Model):
    """The first answer given to a partner's key; written in the transaction of the work itself."""

    partner = models.ForeignKey(
        Partner, on_delete=models.CASCADE, related_name="+", verbose_name=_("partner")
    )
    key = models.CharField(_("key"), max_length=128)
    request_digest = models.BinaryField(_("digest of the request"), max_length=32)
    status = models.PositiveSmallIntegerField(_("status"))
    body = models.TextField(_("answer"))
    created_at = models.DateTimeField(_("created at"))

    class Meta:
        verbose_name = _("idempotency key")
        verbose_name_plural = _("idempotency keys")
        constraints = [models.UniqueConstraint(fields=["partner", "key"], name="idempotency_key_once")]
        indexes = [models.Index(fields=["created_at"], name="idempotency_key_age")]

    def __str__(self) -> str:
        return self.key
