"""Where members come from, and what each channel cost."""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from loyalty.ids import new_public_id
from members.models import Member

AcquisitionChannel = Member.AcquisitionChannel


class Visit(models.Model):
    """Somebody came to the portal by a link that names a campaign or a member, before they joined.

    ``visitor`` is a random number from a signed cookie; nothing here tells who it was until they join.
    """

    visitor = models.UUIDField(_("visitor"))
    channel = models.CharField(_("channel"), max_length=20, choices=AcquisitionChannel.choices)
    code = models.CharField(_("referral code"), max_length=20, blank=True)
    utm = models.JSONField(_("UTM parameters"), default=dict, blank=True)
    landing = models.CharField(_("landing page"), max_length=200, blank=True)
    at = models.DateTimeField(_("at"))

    class Meta:
        verbose_name = _("visit")
        verbose_name_plural = _("visits")
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["visitor", "at"], name="visit_by_visitor"),
            models.Index(fields=["code", "at"], name="visit_by_code", condition=~Q(code="")),
            models.Index(fields=["at"], name="visit_by_time"),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"


class Acquisition(models.Model):
    """By which channel a member was first and last touched before they joined."""

    member = models.OneToOneField(
        Member,
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="acquisition",
        verbose_name=_("member"),
    )
    first_channel = models.CharField(_("first touch"), max_length=20, choices=AcquisitionChannel.choices)
    first_at = models.DateTimeField(_("first touched at"))
    first_utm = models.JSONField(_("UTM parameters of the first touch"), default=dict, blank=True)
    last_channel = models.CharField(_("last touch"), max_length=20, choices=AcquisitionChannel.choices)
    last_at = models.DateTimeField(_("last touched at"))
    last_utm = models.JSONField(_("UTM parameters of the last touch"), default=dict, blank=True)

    class Meta:
        verbose_name = _("acquisition")
        verbose_name_plural = _("acquisitions")
        indexes = [
            models.Index(fields=["first_channel"], name="acquisition_by_first"),
            models.Index(fields=["last_channel"], name="acquisition_by_last"),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"


class ChannelSpend(models.Model):
    """Money spent on a channel in a period, in the base currency. Periods are whole days, both ends included."""

    class Source(models.TextChoices):
        STAFF = "staff", _("staff")
        FILE = "file", _("file")
        API = "api", _("API")

    public_id = models.UUIDField(_("id"), default=new_public_id, unique=True, editable=False)
    channel = models.CharField(_("channel"), max_length=20, choices=AcquisitionChannel.choices)
    starts_on = models.DateField(_("from"))
    ends_on = models.DateField(_("to"))
    amount = models.DecimalField(_("amount"), max_digits=12, decimal_places=2)
    reference = models.CharField(
        _("reference"),
        max_length=100,
        blank=True,
        help_text=_("The same reference of a channel is entered once: sent again it is replaced."),
    )
    note = models.CharField(_("note"), max_length=300, blank=True)
    source = models.CharField(_("by way of"), max_length=5, choices=Source.choices, default=Source.STAFF)
    entered_at = models.DateTimeField(_("entered at"))

    class Meta:
        verbose_name = _("spend on a channel")
        verbose_name_plural = _("spend on channels")
        ordering = ["-starts_on", "channel"]
        constraints = [
            models.CheckConstraint(condition=Q(ends_on__gte=F("starts_on")), name="spend_period"),
            models.CheckConstraint(condition=Q(amount__gte=0), name="spend_not_negative"),
            models.UniqueConstraint(
                fields=["channel", "reference"], condition=~Q(reference=""), name="spend_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.starts_on}"
