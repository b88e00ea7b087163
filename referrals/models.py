"""Who brought whom: a member's code, and the friend who came by it."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from members.models import Member


class ReferralCode(models.Model):
    """A member's personal code to share."""

    member = models.OneToOneField(
        Member, on_delete=models.CASCADE, related_name="referral_code", verbose_name=_("member")
    )
    code = models.CharField(_("code"), max_length=20, unique=True)
    created_at = models.DateTimeField(_("created at"))

    class Meta:
        verbose_name = _("referral code")
        verbose_name_plural = _("referral codes")

    def __str__(self) -> str:
        return self.code


class Referral(models.Model):
    """A friend who joined by a member's code. A person is brought at most once."""

    referrer = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="referrals_made", verbose_name=_("referrer")
    )
    friend = models.OneToOneField(
        Member, on_delete=models.PROTECT, related_name="referral", verbose_name=_("friend")
    )
    joined_at = models.DateTimeField(_("joined at"))

    class Meta:
        verbose_name = _("referral")
        verbose_name_plural = _("referrals")
        constraints = [
            models.CheckConstraint(
                condition=~models.Q(referrer=models.F("friend")), name="referral_of_another"
            )
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"
