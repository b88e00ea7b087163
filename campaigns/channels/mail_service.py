"""Mail services by django-anymail: what marks a mail for them, and what their answers mean."""

from typing import TYPE_CHECKING, Any

from django.core.mail import EmailMultiAlternatives

from campaigns.channels.base import OutcomeUnknown, Refused, Undelivered
from campaigns.channels.http import by_status, outcome_of
from campaigns.models import Message

if TYPE_CHECKING:
    from anymail.exceptions import AnymailAPIError

MESSAGE = "message"
"""Under which name a service keeps our number of a message and tells it with its notices."""


def is_one(connection: object) -> bool:
    """Whether mails go to a service's HTTP interface."""
    return hasattr(connection, "esp_name")


def mark(mail: EmailMultiAlternatives, message: Message) -> None:
    """Have a service tell our number with its notices, and leave links and pictures as they are."""
    facts: Any = mail
    facts.metadata = {MESSAGE: str(message.public_id)}
    facts.tags = [message.campaign.code]
    facts.track_opens = facts.track_clicks = False


def hand_over(mail: EmailMultiAlternatives) -> str:
    """Send by the service; returns its number. Raises PassingError, Refused or OutcomeUnknown."""
    from anymail.exceptions import AnymailAPIError, AnymailError

    try:
        mail.send()
    except AnymailAPIError as error:
        raise _trouble(error) from error
    except AnymailError as error:  # every recipient refused, or something that this service cannot send
        raise Refused(str(error)) from error
    status: Any = getattr(mail, "anymail_status", None)
    number = getattr(status, "message_id", None)
    return number[:200] if isinstance(number, str) else ""


def _trouble(error: "AnymailAPIError") -> Undelivered:
    status, words = error.status_code, " ".join(str(error).split())
    if status is None:
        return outcome_of(error)(words)
    if 200 <= status < 300:  # taken, and then an answer that cannot be read
        return OutcomeUnknown(words)
    return by_status(status, words)
