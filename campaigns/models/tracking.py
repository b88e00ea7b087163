"""Where links in messages lead, and who followed them."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from campaigns.models.campaign import Campaign
from campaigns.models.message import Message


class Link(models.Model):
    """An address that a campaign's messages lead to, by way of our own redirect."""

    campaign = models.ForeignKey(
        Campaign,
        on_delete=models.CASCADE,
        related_name="links",
        verbose_name=_("campaign"),
        db_index=False,
    )
    url = models.TextField(_("address"))
    url_hash = models.CharField(max_length=64, editable=False)

    class Meta:
        verbose_name = _("link")
        verbose_name_plural = _("links")
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["campaign", "url_hash"], name="link_once")]

    def __str__(self) -> str:
        return self.url


class Click(models.Model):
    """One following of a link in a message, by a member who does not object to its being counted."""

    message = models.ForeignKey(
        Message, on_delete=models.CASCADE, related_name="clicks", verbose_name=_("message")
    )
    link = models.ForeignKey(Link, on_delete=models.CASCADE, related_name="clicks", verbose_name=_("link"))
    at = models.DateTimeField(_("at"))

    class Meta:
        verbose_name = _("click")
        verbose_name_plural = _("clicks")
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"#{self.pk}"
