"""What makes a referral look like fraud: marks that members share, weights that staff set, signals that were found."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from loyalty.history import staff_history
from members.models import Member
from referrals.models.referral import Referral


class SignalKind(models.TextChoices):
    SAME_EMAIL = "same_email", _("the same e-mail address, written otherwise")
    SAME_PHONE = "same_phone", _("the same phone number")
    SAME_DEVICE = "same_device", _("the same device")
    SAME_ADDRESS = "same_address", _("the same network or postal address")
    SAME_PAYMENT = "same_payment", _("the same means of payment")
    VELOCITY = "velocity", _("many friends in a short time")
    CIRCLE = "circle", _("they brought each other, straight or through others")
    CHAIN = "chain", _("a long chain of members who each brought one")
    JUST_ENOUGH = "just_enough", _("a purchase just over the minimum")
    RETURNED = "returned", _("earlier friends' purchases were returned")
    DISPOSABLE = "disposable", _("a throw-away e-mail address")


class SignalWeight(models.Model):
    """How much a signal counts, as staff set it; 0 switches it off."""

    kind = models.CharField(_("signal"), max_length=16, choices=SignalKind.choices, primary_key=True)
    weight = models.PositiveSmallIntegerField(_("weight"))

    history = staff_history()

    class Meta:
        verbose_name = _("weight of a signal")
        verbose_name_plural = _("weights of signals")
        ordering = ["kind"]

    def __str__(self) -> str:
        return self.get_kind_display()


class Signal(models.Model):
    """A signal found on a referral, with the weight it had then. Found again, it stays one."""

    referral = models.ForeignKey(
        Referral, on_delete=models.CASCADE, related_name="signals", verbose_name=_("referral")
    )
    kind = models.CharField(_("signal"), max_length=16, choices=SignalKind.choices)
    weight = models.PositiveSmallIntegerField(_("weight"))
    facts = models.JSONField(_("facts"), default=dict, blank=True)
    found_at = models.DateTimeField(_("found at"))

    class Meta:
        verbose_name = _("fraud signal")
        verbose_name_plural = _("fraud signals")
        ordering = ["-weight", "id"]
        constraints = [models.UniqueConstraint(fields=["referral", "kind"], name="signal_once")]

    def __str__(self) -> str:
        return self.get_kind_display()


class Mark(models.Model):
    """Something that tells people apart, by its keyed hash: two members with the same one may be one person."""

    class Kind(models.TextChoices):
        EMAIL = "email", _("e-mail address")
        PHONE = "phone", _("phone")
        DEVICE = "device", _("device")
        ADDRESS = "address", _("address")
        PAYMENT = "payment", _("means of payment")

    member = models.ForeignKey(
        Member, on_delete=models.CASCADE, related_name="marks", verbose_name=_("member")
    )
    kind = models.CharField(_("kind"), max_length=8, choices=Kind.choices)
    hash = models.CharField(_("hash"), max_length=64)
    first_seen = models.DateTimeField(_("first seen"))
    last_seen = models.DateTimeField(_("last seen"))

    class Meta:
        verbose_name = _("mark")
        verbose_name_plural = _("marks")
        constraints = [models.UniqueConstraint(fields=["member", "kind", "hash"], name="mark_once")]
        indexes = [models.Index(fields=["kind", "hash"], name="mark_by_hash")]

    def __str__(self) -> str:
        return f"#{self.pk}"


class DisposableDomain(models.Model):
    """A domain of throw-away addresses."""

    domain = models.CharField(_("domain"), max_length=253, unique=True)

    class Meta:
        verbose_name = _("throw-away domain")
        verbose_name_plural = _("throw-away domains")
        ordering = ["domain"]

    def __str__(self) -> str:
        return self.domain
