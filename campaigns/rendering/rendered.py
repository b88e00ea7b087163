"""A message as it goes out."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """One member's message, ready for a channel; what the channel does not use is empty.

    ``subject`` is one line fit for a header. ``body`` is the message alone as plain text, for the ledger. ``text`` is
    the plain part: for e-mail with button and foot, otherwise the body. ``html`` is the whole document for e-mail, and
    for the portal's inbox the paragraphs alone (escaped, only ``p``, ``br`` and ``a``). ``short`` is for text messages
    and notifications. ``button_link`` and the links in the texts go by our redirect unless the member objects.
    ``unsubscribe_url`` is empty for service messages. ``language`` is that of the text, after fallback.
    """

    subject: str = ""
    preheader: str = ""
    heading: str = ""
    body: str = ""
    text: str = ""
    html: str = ""
    short: str = ""
    button_label: str = ""
    button_link: str = ""
    unsubscribe_url: str = ""
    language: str = ""


class NotRendered(Exception):
    """A message cannot be written: there is no text for it, or its text breaks a limit. The words are for staff."""
