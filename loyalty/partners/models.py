"""Partners (tills, web shops) and their API keys."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from loyalty.history import staff_history
from loyalty.ids import new_public_id


class Partner(models.Model):
    """Somebody who sends activities: a till, a web shop, a chain of the coalition, a file import."""

    public_id = models.UUIDField(_("id"), default=new_public_id, unique=True, editable=False)
    slug = models.SlugField(_("short name"), max_length=50, unique=True)
    name = models.CharField(_("name"), max_length=100)
    is_active = models.BooleanField(
        _("active"), default=True, help_text=_("Keys of an inactive partner are refused.")
    )
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    history = staff_history()

    class Meta:
        verbose_name = _("partner")
        verbose_name_plural = _("partners")
        ordering = ["slug"]

    def __str__(self) -> str:
        return self.name


class Scope(models.TextChoices):
    """What an API key may do."""

    MEMBERS_READ = "members:read", _("read members")
    MEMBERS_WRITE = "members:write", _("enrol members")
    MEMBERS_ERASE = "members:erase", _("erase members who leave")
    ACTIVITIES_READ = "activities:read", _("read activities")
    ACTIVITIES_WRITE = "activities:write", _("record activities")
    POINTS_READ = "points:read", _("read balances and statements")
    OFFERS_WRITE = "offers:write", _("activate personal offers")
    REWARDS_READ = "rewards:read", _("read the catalogue, challenges, causes and leaderboards")
    REDEMPTIONS_READ = "redemptions:read", _("read redemptions")
    REDEMPTIONS_WRITE = "redemptions:write", _("redeem points, cancel and hand over")
    VOUCHERS_READ = "vouchers:read", _("validate vouchers")
    VOUCHERS_USE = "vouchers:use", _("lock, redeem and roll back vouchers")
    VOUCHERS_ISSUE = "vouchers:issue", _("issue vouchers")
    CHALLENGES_WRITE = "challenges:write", _("join members in challenges")
    SEGMENTS_READ = "segments:read", _("read segments and who is in them")
    SEGMENTS_WRITE = "segments:write", _("put members on lists")
    EVENTS_WRITE = "events:write", _("tell of events of the partner's own")
    CAMPAIGNS_READ = "campaigns:read", _("read campaigns")
    CAMPAIGNS_TRIGGER = "campaigns:trigger", _("set campaigns off for members")
    MESSAGES_READ = "messages:read", _("read what became of messages")
    REFERRALS_READ = "referrals:read", _("read referral codes and where referrals stand")


class ApiKey(models.Model):
    """A key of a partner: the prefix is public, the secret is kept as a SHA-256 digest and shown once."""

    partner = models.ForeignKey(
        Partner, on_delete=models.PROTECT, related_name="api_keys", verbose_name=_("partner")
    )
    name = models.CharField(
        _("name"), max_length=100, help_text=_("Where it is used, for example “till, Kamppi”.")
    )
    prefix = models.CharField(_("prefix"), max_length=16, unique=True, editable=False)
    secret_digest = models.BinaryField(_("digest of the secret"), max_length=32, editable=False)
    scopes = ArrayField(models.CharField(max_length=30, choices=Scope.choices), verbose_name=_("scopes"))
    rate_per_minute = models.PositiveIntegerField(
        _("requests per minute"), null=True, blank=True, help_text=_("Empty: the programme's own limit.")
    )
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    expires_at = models.DateTimeField(_("expires at"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("revoked at"), null=True, blank=True)
    last_used_at = models.DateTimeField(_("last used at"), null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")
        ordering = ["partner", "name"]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"
