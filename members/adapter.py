"""How allauth's log-in fits this house: the programme's name, the person's language, and mail in the house's design."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext_lazy as _

from loyalty import programme
from members.models import Member, User
from members.models.signup import SignUp

# The link that a message is about becomes its button: the context's name for it, and the button's words.
ACTIONS: tuple[tuple[str, Any], ...] = (
    ("activate_url", _("Confirm my address")),
    ("password_reset_url", _("Choose a new password")),
    ("signup_url", _("Join")),
)


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """The log-in's hooks."""

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """In the person's own language, from the programme by name."""
        context = {**context, "programme": programme.current()}
        with translation.override(self._language_for(context.get("user"), email)):
            super().send_mail(template_prefix, email, context)

    def render_mail(
        self, template_prefix: str, email: str, context: dict[str, Any], headers: dict[str, str] | None = None
    ) -> EmailMultiAlternatives:
        """The plain text as its template says, and the same text in the house's design beside it."""
        message = super().render_mail(template_prefix, email, context, headers)
        url, label = next(((context[name], text) for name, text in ACTIONS if context.get(name)), ("", ""))
        paragraphs = [
            part.strip()
            for part in message.body.split("\n\n")
            if part.strip() and part.strip() not in {url, "-- "}
        ]
        html = render_to_string(
            "email/account.html",
            {
                "programme": programme.current(),
                "subject": message.subject,
                "paragraphs": paragraphs,
                "code": context.get("code", ""),
                "action_url": url,
                "action_label": label,
            },
        )
        message.attach_alternative(html, "text/html")
        return message

    def post_login(self, request: HttpRequest, user: User, **kwargs: Any) -> HttpResponse:
        """From the log-in on, the pages speak the member's language."""
        response: HttpResponse = super().post_login(request, user, **kwargs)
        if language := Member.objects.filter(user=user).values_list("language", flat=True).first():
            remember_language(response, language)
        return response

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        return reverse("security")

    def _language_for(self, user: User | None, email: str) -> str:
        """The member's language, else the one chosen at sign-up, else the page's."""
        if user is not None and user.pk:
            found = (
                Member.objects.filter(user=user).values_list("language", flat=True).first()
                or SignUp.objects.filter(user=user).values_list("language", flat=True).first()
            )
        else:
            found = (
                Member.objects.filter(email=email.lower(), user__isnull=False)
                .values_list("language", flat=True)
                .first()
            )
        return found or translation.get_language() or settings.LANGUAGE_CODE


def remember_language(response: HttpResponse, language: str) -> None:
    """Set the cookie that Django's language switch uses."""
    response.set_cookie(
        settings.LANGUAGE_COOKIE_NAME,
        language,
        max_age=settings.LANGUAGE_COOKIE_AGE or 365 * 24 * 3600,
        path=settings.LANGUAGE_COOKIE_PATH,
        secure=settings.SESSION_COOKIE_SECURE,
        samesite=settings.LANGUAGE_COOKIE_SAMESITE,
    )
