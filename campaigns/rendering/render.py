"""One member's message from its text and context. Pure: what there is to know was read by ``context.load``."""

from collections.abc import Mapping
from email.utils import parseaddr
from functools import lru_cache
from html import escape
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, override
from markupsafe import Markup

from campaigns import tracking
from campaigns.models import Campaign, ChannelCode, Message
from campaigns.rendering import markup, mjml, texts
from campaigns.rendering.context import Context
from campaigns.rendering.liquid import BadLiquid
from campaigns.rendering.one_line import one_line
from campaigns.rendering.rendered import NotRendered, Rendered
from campaigns.rendering.texts import Ready, written
from campaigns.rendering.values import in_currency, points, web_address

LONGEST_SUBJECT = 200
_PLAIN_SIGNS = str.maketrans(
    {"\N{NO-BREAK SPACE}": " ", "\N{MINUS SIGN}": "-", "–": "-", "’": "'", "“": '"', "”": '"', "…": "..."}
)
"""One sign that is not among the networks' 7-bit characters more than doubles what a text message costs."""


def render(message: Message, context: Context | None, *, for_channel: str) -> Rendered:
    """The message for a channel (a ``ChannelCode``), from what ``context.load`` gave for it. No database: may be
    called in a thread.

    Raises NotRendered where there is no text, or the text breaks a limit of Liquid.
    """
    if context is None:
        raise NotRendered(_("There is no text for this campaign and variant."))
    with override(context.text.language), in_currency(context.programme.base_currency):
        try:
            return _rendered(message, context, for_channel)
        except BadLiquid as error:
            raise NotRendered(str(error)) from error


def _rendered(message: Message, context: Context, channel: str) -> Rendered:
    ready = context.ready or texts.ready(context.text)
    inserts = {**context.inserts, markup.TARGETS: ready.links.targets(_target(message, context))}
    subject = one_line(written(ready.subject, inserts), LONGEST_SUBJECT)
    preheader = one_line(written(ready.preheader, inserts))
    heading = one_line(written(ready.heading, inserts)) or subject
    label = one_line(written(ready.button_label, inserts))
    link = web_address(written(ready.button_link, inserts)) if label else ""
    paragraphs = markup.tidied(written(ready.body, inserts)).replace("\x00", "")
    body = markup.plain(paragraphs)
    short = one_line(written(ready.short, inserts), 1000) or subject
    common = {
        "subject": subject,
        "preheader": preheader,
        "heading": heading,
        "body": body,
        "short": short.translate(_PLAIN_SIGNS) if channel == ChannelCode.SMS else short,
        "button_label": label if link else "",
        "button_link": link,
        "unsubscribe_url": context.unsubscribe_url,
        "language": context.text.language,
    }
    if channel not in (ChannelCode.EMAIL, ChannelCode.INBOX):
        return Rendered(**common, text=body)
    if channel == ChannelCode.INBOX:
        return Rendered(**common, text=body, html=paragraphs)
    return _email(message, context, ready, inserts, common, paragraphs)


def _email(
    message: Message,
    context: Context,
    ready: Ready,
    inserts: dict[str, Any],
    common: dict[str, str],
    paragraphs: str,
) -> Rendered:
    """The whole e-mail: around the same words either staff's own layout or the house's, and the plain part."""
    picture = _picture(message) if context.opens else ""
    if ready.layout:
        inserts["message"] = {**common, "body": Markup(paragraphs)}  # noqa: S704  (escaped by the same Liquid)
        document = written(ready.layout, inserts).replace("\x00", "")
        document = document.replace("</body>", f"{picture}</body>", 1)
        body = common["body"] or written(ready.layout_text, inserts).replace("\x00", "").strip()
    else:
        document = _house(message, context, common, paragraphs, picture)
        body = common["body"]
    return Rendered(**{**common, "body": body}, text=_plain(message, context, common, body), html=document)


def _house(
    message: Message, context: Context, common: Mapping[str, str], paragraphs: str, picture: str
) -> str:
    preferences = texts.page("preferences")
    layout = mjml.house_layout(
        language=context.text.language,
        programme_name=context.programme.name,
        sender=sender_line(),
        is_service=_is_service(message),
        has_gift=message.points > 0,
        has_button=bool(common["button_label"]),
        has_preferences=bool(preferences),
        has_unsubscribe=bool(context.unsubscribe_url),
    )
    shown = {
        name: escape(common[name])
        for name in ("subject", "preheader", "heading", "button_label", "button_link")
    }
    return layout.filled(
        {
            **shown,
            "body": paragraphs,
            "gift": escape(_gift(message.points)),
            "preferences": escape(preferences),
            "unsubscribe": escape(context.unsubscribe_url),
            "picture": picture,
        }
    )


def _plain(message: Message, context: Context, common: Mapping[str, str], body: str) -> str:
    """The plain part: the words, the button as an address, and the same foot."""
    heading = common["heading"] if common["heading"] != common["subject"] else ""
    button = f"{common['button_label']}: {common['button_link']}" if common["button_label"] else ""
    preferences = texts.page("preferences")
    foot = [
        "-- ",
        context.programme.name,
        mjml.reason_for(_is_service(message)),
        f"{_('Change what we may send you')}: {preferences}" if preferences else "",
        f"{_('Stop these messages')}: {context.unsubscribe_url}" if context.unsubscribe_url else "",
        sender_line(),
    ]
    parts = [heading, body, button, "\n".join(line for line in foot if line)]
    return "\n\n".join(part for part in parts if part) + "\n"


def sender_line() -> str:
    """Who writes: the address that answers go to."""
    return _address_in(settings.DEFAULT_FROM_EMAIL)


@lru_cache(maxsize=4)
def _address_in(sender: str) -> str:
    return parseaddr(sender)[1]


def _gift(given: int) -> str:
    return ngettext("+%(shown)s point", "+%(shown)s points", given) % {"shown": points(given)}


def _picture(message: Message) -> str:
    return f'<img src="{escape(tracking.picture(message.pk))}" width="1" height="1" alt="" style="display:block" />'


def _target(message: Message, context: Context) -> Any:
    """Where an address leads: by our redirect where it is counted, else straight there."""

    def target(url: str) -> str:
        link_id = context.links.get(url)
        return url if link_id is None else tracking.tracked(message.pk, link_id)

    return target


def _is_service(message: Message) -> bool:
    return message.campaign.purpose == Campaign.Purpose.SERVICE
