"""What partners told us of happening with members, each once, by their own id of it."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from loyalty.ids import new_public_id
from loyalty.partners.models import Partner
from members.models import Member


class PartnerEvent(models.Model):
    """An event of a partner's own ("cart_abandoned"), as it was told. Campaigns hear of it by the event bus.

    The row makes a repeated telling harmless; its facts go with the member who is erased.
    """

    public_id = models.UUIDField(_("id"), default=new_public_id, unique=True, editable=False)
    partner = models.ForeignKey(
        Partner, on_delete=models.PROTECT, related_name="+", verbose_name=_("partner")
    )
    external_id = models.CharField(_("external id"), max_length=100)
    name = models.CharField(_("name"), max_length=50)
    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="partner_events", verbose_name=_("member")
    )
    occurred_at = models.DateTimeField(_("occurred at"))
    recorded_at = models.DateTimeField(_("recorded at"))
    facts = models.JSONField(_("facts"), default=dict, blank=True)

    class Meta:
        verbose_name = _("event of a partner")
        verbose_name_plural = _("events of partners")
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["partner", "external_id"], name="partner_event_once")]

    def __str__(self) -> str:
        return f"{self.name} #{self.pk}"
