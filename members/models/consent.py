"""What a member has agreed to, per purpose and channel: the present state and its append-only history."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from members.models.member import Member


class Purpose(models.TextChoices):
    """What the data or the message is for."""

    MARKETING = "marketing", _("offers and news")
    PROFILING = "profiling", _("offers chosen by my purchases")
    PURCHASE_LINES = "purchase_lines", _("showing my receipts item by item and using them for offers")
    SURVEYS = "surveys", _("surveys")


class ConsentChannel(models.TextChoices):
    """By which way; ``any`` for purposes that are not messages."""

    ANY = "any", _("in general")
    EMAIL = "email", _("e-mail")
    SMS = "sms", _("text message")
    PUSH = "push", _("notification")
    POST = "post", _("post")


class Consent(models.Model):
    """The present state of one consent of one member. No row means: not given."""

    member = models.ForeignKey(
        Member, on_delete=models.CASCADE, related_name="consents", verbose_name=_("member")
    )
    purpose = models.CharField(_("purpose"), max_length=20, choices=Purpose.choices)
    channel = models.CharField(
        _("channel"), max_length=10, choices=ConsentChannel.choices, default=ConsentChannel.ANY
    )
    granted = models.BooleanField(_("granted"))
    changed_at = models.DateTimeField(_("changed at"))

    class Meta:
        verbose_name = _("consent")
        verbose_name_plural = _("consents")
        constraints = [models.UniqueConstraint(fields=["member", "purpose", "channel"], name="consent_once")]

    def __str__(self) -> str:
        return f"{self.purpose}/{self.channel}"


class ConsentChange(models.Model):
    """One consent given or withdrawn. Append-only: a database trigger refuses changes."""

    class Source(models.TextChoices):
        PORTAL = "portal", _("portal")
        STAFF = "staff", _("staff")
        PARTNER = "partner", _("partner")
        IMPORT = "import", _("import")
        MESSAGE = "message", _("link in a message")

    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="consent_changes", verbose_name=_("member")
    )
    purpose = models.CharField(_("purpose"), max_length=20, choices=Purpose.choices)
    channel = models.CharField(_("channel"), max_length=10, choices=ConsentChannel.choices)
    granted = models.BooleanField(_("granted"))
    source = models.CharField(_("by way of"), max_length=10, choices=Source.choices)
    partner = models.ForeignKey(
        "loyalty.Partner",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("partner"),
    )
    staff = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("staff member"),
    )
    changed_at = models.DateTimeField(_("changed at"))

    class Meta:
        verbose_name = _("consent change")
        verbose_name_plural = _("consent changes")
        ordering = ["-id"]
        indexes = [models.Index(fields=["member", "-id"], name="consent_change_by_member")]

    def __str__(self) -> str:
        return f"#{self.pk}"
