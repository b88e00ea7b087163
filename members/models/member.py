"""A member of the programme, and the names partners know them by."""

from django.conf import settings
from django.db import models
from django.db.models.functions import ExtractDay, ExtractMonth, Lower
from django.utils.translation import gettext_lazy as _

from loyalty.ids import new_public_id
from loyalty.partners.models import Partner
from members.models.tier import Tier


class Member(models.Model):
    """A person in the programme. Personal data lives here and nowhere else."""

    class Status(models.TextChoices):
        ACTIVE = "active", _("active")
        CLOSED = "closed", _("closed")
        ERASED = "erased", _("erased")

    class Source(models.TextChoices):
        PORTAL = "portal", _("portal")
        STAFF = "staff", _("staff")
        PARTNER = "partner", _("partner")
        IMPORT = "import", _("import")

    class AcquisitionChannel(models.TextChoices):
        ORGANIC = "organic", _("on their own")
        REFERRAL = "referral", _("referral")
        WEB_ADVERTISING = "web_advertising", _("web advertising")
        DIRECT_MAIL = "direct_mail", _("direct mail")
        PARTNER = "partner", _("partner")
        STORE = "store", _("in store")
        EVENT = "event", _("event")

    public_id = models.UUIDField(_("id"), default=new_public_id, unique=True, editable=False)
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="member",
        verbose_name=_("log-in"),
    )
    card_number = models.CharField(_("card number"), max_length=16, unique=True, editable=False)
    status = models.CharField(_("status"), max_length=10, choices=Status.choices, default=Status.ACTIVE)

    first_name = models.CharField(_("first name"), max_length=100, blank=True)
    last_name = models.CharField(_("last name"), max_length=100, blank=True)
    email = models.EmailField(_("e-mail address"), blank=True)
    phone = models.CharField(_("phone"), max_length=20, blank=True, help_text=_("International form, +358…"))
    birth_date = models.DateField(_("date of birth"), null=True, blank=True)
    language = models.CharField(_("language"), max_length=2, choices=settings.LANGUAGES, default="fi")
    time_zone = models.CharField(_("time zone"), max_length=64, default="Europe/Helsinki")

    joined_at = models.DateTimeField(_("joined at"))
    source = models.CharField(_("enrolled by way of"), max_length=10, choices=Source.choices)
    enrolled_by = models.ForeignKey(
        Partner,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("enrolled by"),
    )
    acquisition_channel = models.CharField(
        _("acquisition channel"),
        max_length=20,
        choices=AcquisitionChannel.choices,
        default=AcquisitionChannel.ORGANIC,
    )

    tier = models.ForeignKey(Tier, on_delete=models.PROTECT, related_name="members", verbose_name=_("tier"))
    tier_since = models.DateTimeField(_("in the tier since"))
    tier_as_of = models.DateTimeField(
        _("tier judged at"),
        help_text=_("When the tier was last decided: on a promotion or in the nightly review."),
    )
    tier_transfer_id = models.BigIntegerField(
        _("tier judged up to transfer"), default=0, help_text=_("The last ledger row that decision knew of.")
    )
    tier_activity_id = models.BigIntegerField(
        _("tier judged up to activity"),
        default=0,
        db_default=0,
        help_text=_("The last activity that decision knew of, where tiers count spend or purchases."),
    )
    tier_refund_id = models.BigIntegerField(
        _("tier judged up to refund"), default=0, db_default=0, help_text=_("The same for refunds.")
    )

    class Meta:
        verbose_name = _("member")
        verbose_name_plural = _("members")
        ordering = ["-id"]
        permissions = [("erase_member", "Can erase a member who leaves the programme")]
        constraints = [
            models.UniqueConstraint(Lower("email"), name="member_email_once", condition=~models.Q(email="")),
        ]
        indexes = [
            models.Index(fields=["phone"], name="member_by_phone", condition=~models.Q(phone="")),
            models.Index(fields=["tier", "id"], name="member_by_tier"),
            models.Index(fields=["joined_at"], name="member_by_joined"),
            models.Index(
                ExtractMonth("birth_date"),
                ExtractDay("birth_date"),
                name="member_by_birthday",
                condition=models.Q(birth_date__isnull=False, status="active"),
            ),
        ]

    def __str__(self) -> str:
        return self.full_name or self.card_number

    @property
    def full_name(self) -> str:
        return f"{self.first_name} {self.last_name}".strip()


class ExternalId(models.Model):
    """The name a partner's own system knows a member by."""

    partner = models.ForeignKey(
        Partner, on_delete=models.PROTECT, related_name="external_ids", verbose_name=_("partner")
    )
    external_id = models.CharField(_("external id"), max_length=100)
    member = models.ForeignKey(
        Member, on_delete=models.CASCADE, related_name="external_ids", verbose_name=_("member")
    )
    content_digest = models.BinaryField(
        _("digest of the enrolment"),
        max_length=32,
        null=True,
        editable=False,
        help_text=_("Tells a repeated enrolment from another person's; empty when the id was added later."),
    )
    created_at = models.DateTimeField(_("created at"))

    class Meta:
        verbose_name = _("external id")
        verbose_name_plural = _("external ids")
        constraints = [
            models.UniqueConstraint(fields=["partner", "external_id"], name="external_id_once_per_partner"),
            models.UniqueConstraint(
                fields=["partner", "member"], name="one_external_id_per_partner_and_member"
            ),
        ]

    def __str__(self) -> str:
        return self.external_id
