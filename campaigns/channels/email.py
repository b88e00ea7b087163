"""E-mail, text and HTML: by SMTP, by a mail service, or in the demo into a folder, as Django's settings say."""

import contextlib
import re
import smtplib
from collections.abc import Iterator
from email.utils import parseaddr
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.mail.backends.base import BaseEmailBackend

from campaigns.channels import mail_service
from campaigns.channels.base import Channel, ChannelDown, OutcomeUnknown, PassingError, Recipient, Refused
from campaigns.channels.smtp import EmailBackend as TellingBackend
from campaigns.models import ChannelCode, Message
from campaigns.rendering.rendered import Rendered

_DJANGOS_SMTP = "django.core.mail.backends.smtp.EmailBackend"
_OURS = f"{TellingBackend.__module__}.{TellingBackend.__qualname__}"

_ONE_ADDRESS = re.compile(r"[^\s,;:<>()\[\]\\\"@\x00-\x1f\x7f]{1,64}@[^\s,;:<>()\\\"@\x00-\x1f\x7f]{1,255}")


class EmailChannel(Channel):
    """One connection a round, checked before each message, so that a stale one costs no message its try."""

    code = ChannelCode.EMAIL.value

    def __init__(self) -> None:
        self._connection: BaseEmailBackend | None = None

    @contextlib.contextmanager
    def opened(self) -> Iterator[None]:
        try:
            self._connection = get_connection(_OURS if settings.EMAIL_BACKEND == _DJANGOS_SMTP else None)
        except ImproperlyConfigured as error:
            raise ChannelDown(f"the mail service is not set up: {error}") from error
        try:
            yield
        finally:
            self._hang_up()

    def ready(self) -> None:
        try:
            smtp = self._smtp()
            if smtp is not None and not _answers(smtp):
                self._hang_up()
            if self._connection is not None:
                self._connection.open()
        except (OSError, smtplib.SMTPException) as error:
            raise ChannelDown(f"the mail server cannot be used: {_words(error)}") from error

    def address_of(self, recipient: Recipient) -> str:
        return recipient.email

    def objection(self, message: Message, recipient: Recipient) -> str:
        return "" if recipient.email else Message.Reason.NO_ADDRESS

    def deliver(self, message: Message, rendered: Rendered, recipient: Recipient) -> str:
        if not _ONE_ADDRESS.fullmatch(recipient.email):
            raise Refused("not one e-mail address")
        mail = compose(message, rendered, to=recipient.email, connection=self._connection)
        if mail_service.is_one(self._connection):
            return mail_service.hand_over(mail)
        self._hand_over(mail)
        return str(mail.extra_headers["Message-ID"])

    def _hand_over(self, mail: EmailMultiAlternatives) -> None:
        """By SMTP, or into the demo's folder."""
        try:
            mail.send()
        except smtplib.SMTPRecipientsRefused as error:
            code, words = next(iter(error.recipients.values()))
            raise _by_code(code, f"{code} {_text(words)}") from error
        except smtplib.SMTPResponseException as error:
            raise _by_code(error.smtp_code, _words(error)) from error
        except (OSError, smtplib.SMTPException) as error:
            text_given = getattr(self._smtp(), "text_given", False)
            self._hang_up()
            raise (OutcomeUnknown if text_given else PassingError)(_words(error)) from error

    def _smtp(self) -> smtplib.SMTP | None:
        smtp: smtplib.SMTP | None = getattr(self._connection, "connection", None)
        return smtp

    def _hang_up(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(OSError, smtplib.SMTPException):
                self._connection.close()


def compose(
    message: Message, rendered: Rendered, *, to: str, connection: Any = None
) -> EmailMultiAlternatives:
    """The mail for a message row. Its Message-ID follows from the row, so logs can be matched."""
    mail = EmailMultiAlternatives(
        subject=" ".join(rendered.subject.split()),
        body=rendered.text or rendered.body,
        to=[to],
        connection=connection,
        headers=headers(message, rendered),
    )
    if rendered.html:
        mail.attach_alternative(rendered.html, "text/html")
    mail_service.mark(mail, message)
    return mail


def headers(message: Message, rendered: Rendered) -> dict[str, str]:
    """What mail programs and services go by. One click of theirs unsubscribes (RFC 8058), but for service messages."""
    domain, campaign = _sender_domain(), message.campaign
    found = {
        "Message-ID": f"<kantis-{message.pk}@{domain}>",
        "Auto-Submitted": "auto-generated",
        "Feedback-ID": f"{campaign.code}:{message.variant_id or 0}:{campaign.purpose}:kantis",
        "List-ID": f"<{campaign.purpose}.{domain}>",
    }
    if rendered.unsubscribe_url:
        ways = [f"<{rendered.unsubscribe_url}>"]
        if settings.UNSUBSCRIBE_MAILTO:
            token = rendered.unsubscribe_url.rstrip("/").rpartition("/")[2]
            ways.append(f"<mailto:{settings.UNSUBSCRIBE_MAILTO}?subject=unsubscribe%20{token}>")
        found["List-Unsubscribe"] = ", ".join(ways)
        found["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    return found


def _sender_domain() -> str:
    return parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2] or "localhost"


def _answers(smtp: smtplib.SMTP) -> bool:
    try:
        return smtp.noop()[0] == 250
    except (OSError, smtplib.SMTPException):
        return False


def _by_code(code: int, words: str) -> Exception:
    return Refused(words) if 500 <= code < 600 else PassingError(words)


def _text(words: bytes | str) -> str:
    return words.decode(errors="replace") if isinstance(words, bytes) else words


def _words(error: Exception) -> str:
    """What the other side said, or what broke."""
    if isinstance(error, smtplib.SMTPResponseException):
        return f"{error.smtp_code} {_text(error.smtp_error)}"
    return str(error) or type(error).__name__
