"""What a person chose in the sign-up form, kept until their e-mail address is verified."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class SignUp(models.Model):
    """The choices that came with a sign-up. Nobody is a member, and nobody's consent counts, before the address is
    verified: until then anyone might have typed it. The row goes when the user is enrolled, or with the user."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="signup", verbose_name=_("log-in")
    )
    language = models.CharField(_("language"), max_length=2, choices=settings.LANGUAGES)
    consents = models.JSONField(_("consents"), default=list, help_text=_("Pairs of purpose and channel."))
    referral_code = models.CharField(
        _("code of a friend"),
        max_length=20,
        blank=True,
        help_text=_("The code in the link that they came by."),
    )
    visitor = models.UUIDField(
        _("visitor"),
        null=True,
        blank=True,
        help_text=_("The number of the browser that followed a link here."),
    )
    created_at = models.DateTimeField(_("created at"))

    class Meta:
        verbose_name = _("sign-up")
        verbose_name_plural = _("sign-ups")

    def __str__(self) -> str:
        return f"#{self.pk}"
