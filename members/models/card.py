"""Cards of other systems that members brought along and that work at the till like their own."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from loyalty.partners.models import Partner
from members.models.member import Member


class FormerCard(models.Model):
    """A card number from the system a member moved in from. Nobody else's card has it."""

    number = models.CharField(_("card number"), max_length=25, unique=True)
    member = models.ForeignKey(
        Member, on_delete=models.CASCADE, related_name="former_cards", verbose_name=_("member")
    )
    partner = models.ForeignKey(
        Partner, on_delete=models.PROTECT, related_name="+", verbose_name=_("brought along from")
    )
    created_at = models.DateTimeField(_("created at"))

    class Meta:
        verbose_name = _("card of an earlier system")
        verbose_name_plural = _("cards of earlier systems")

    def __str__(self) -> str:
        return self.number
