"""What a campaign came to, as last computed."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from campaigns.models.campaign import Campaign


class CampaignResult(models.Model):
    """The figures of a campaign at one moment, with the version of their definition, so that they can be traced."""

    campaign = models.ForeignKey(
        Campaign, on_delete=models.CASCADE, related_name="results", verbose_name=_("campaign")
    )
    computed_at = models.DateTimeField(_("computed at"))
    version = models.PositiveSmallIntegerField(_("version of the definitions"))
    is_final = models.BooleanField(_("final"), default=False)
    figures = models.JSONField(_("figures"))

    class Meta:
        verbose_name = _("result of a campaign")
        verbose_name_plural = _("results of campaigns")
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"#{self.pk}"
