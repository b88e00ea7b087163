"""The e-mail around the text: the programme's own layout, or staff's own in MJML, as HTML with places to fill.

MJML becomes HTML once for each layout, never for each member. Liquid in an own layout is set aside meanwhile: it is
no XML.
"""

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from html.parser import HTMLParser

from django.template.loader import render_to_string
from django.utils.translation import gettext as _
from django.utils.translation import override

from campaigns.rendering.markup import LIQUID, Links, clean

_SLOT = re.compile(r"\[\[(\w+)\]\]")
_KEPT = re.compile(r"kliquid(\d+)q")
_HREF = re.compile(r'(<a\b[^>]*?\bhref=")([^"]*)(")', re.IGNORECASE)
_TAG = re.compile(r"</?\s*(mj-?[\w-]*)", re.IGNORECASE)
_TAG_NAMES = """
mjml mj-head mj-body mj-accordion mj-accordion-element mj-accordion-text mj-accordion-title mj-all mj-attributes
mj-breakpoint mj-button mj-carousel mj-carousel-image mj-class mj-column mj-divider mj-font mj-group mj-hero mj-image
mj-navbar mj-navbar-link mj-preview mj-raw mj-section mj-social mj-social-element mj-spacer mj-style mj-table mj-text
mj-title mj-wrapper
"""
KNOWN_TAGS = frozenset(_TAG_NAMES.split())


class BadMjml(Exception):
    """An own layout that is no MJML; the words are for staff."""


@dataclass(frozen=True, slots=True)
class Layout:
    """HTML cut at its places: texts in between, and the names of the places."""

    parts: tuple[str, ...]
    places: tuple[str, ...]

    def filled(self, values: Mapping[str, str]) -> str:
        """The HTML; ``values`` are HTML already."""
        pieces = [self.parts[0]]
        for place, part in zip(self.places, self.parts[1:], strict=True):
            pieces += (values[place], part)
        return "".join(pieces)


@lru_cache(maxsize=128)
def house_layout(
    *,
    language: str,
    programme_name: str,
    sender: str,
    is_service: bool,
    has_gift: bool,
    has_button: bool,
    has_preferences: bool,
    has_unsubscribe: bool,
) -> Layout:
    """The programme's own layout, made once per process for each of its forms."""
    with override(language):
        source = render_to_string(
            "email/campaign.mjml",
            {
                "language": language,
                "programme_name": _SLOT.sub("", programme_name),
                "sender": _SLOT.sub("", sender),
                "why": reason_for(is_service),
                "has_gift": has_gift,
                "has_button": has_button,
                "has_preferences": has_preferences,
                "has_unsubscribe": has_unsubscribe,
            },
        )
    pieces = _SLOT.split(_compiled(source))
    return Layout(tuple(pieces[::2]), tuple(pieces[1::2]))


def reason_for(is_service: bool) -> str:
    """Why a member gets it, in the active language."""
    if is_service:
        return _("You get this message because it is about your own account.")
    return _("You get this message because you have agreed to e-mail from us.")


def own_layout(source: str, links: Links) -> str:
    """Staff's MJML as Liquid that gives HTML, its addresses numbered in ``links``. Raises BadMjml."""
    aside, kept = _without_liquid(clean(source))

    def numbered(found: re.Match[str]) -> str:
        address = _restored(html.unescape(found[2]), kept)
        return f"{found[1]}{links.of(address, html=True)}{found[3]}"

    return _restored(_HREF.sub(numbered, _compiled(aside)), kept)


def unknown_tags(source: str) -> list[str]:
    """MJML tags that there are not; the compiler would leave them out without a word."""
    return sorted({name for name in _TAG.findall(LIQUID.sub("", source)) if name.lower() not in KNOWN_TAGS})


def as_text(source: str) -> str:
    """An own layout's words as Liquid for plain text, each link's address after them."""
    aside, kept = _without_liquid(source)
    reader = _Reader()
    reader.feed(aside)
    lines = (line.strip() for line in "".join(reader.pieces).splitlines())
    return _restored(re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip(), kept)


def _without_liquid(source: str) -> tuple[str, list[str]]:
    """The source with a plain word in the place of each output and tag, and those."""
    kept: list[str] = []

    def keep(found: re.Match[str]) -> str:
        kept.append(found[0])
        return f"kliquid{len(kept) - 1}q"

    return LIQUID.sub(keep, source.replace("kliquid", "k-liquid")), kept


def _restored(text: str, kept: list[str]) -> str:
    return _KEPT.sub(lambda place: kept[int(place[1])], text)


def _compiled(source: str) -> str:
    import mjml

    try:
        return mjml.mjml2html(source, disable_comments=False, fonts={})  # none from other houses
    except ValueError as error:
        raise BadMjml(str(error)) from error


class _Reader(HTMLParser):
    """Collects what is read, with a line for each block."""

    _BLOCKS = frozenset({"p", "div", "tr", "table", "h1", "h2", "h3", "h4", "li", "ul", "ol", "br", "hr"})
    _UNREAD = frozenset({"head", "style", "title", "script"})

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self._unread = 0
        self._address = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        if tag in self._UNREAD:
            self._unread += 1
        elif tag == "a":
            self._address = named.get("href") or ""
        elif tag == "img":
            self.pieces.append(named.get("alt") or "")
        if tag in self._BLOCKS:
            self.pieces.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in self._UNREAD:
            self._unread -= 1
        elif tag == "a" and self._address:
            self.pieces.append(f": {self._address}")
            self._address = ""
        if tag in self._BLOCKS:
            self.pieces.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._unread:
            self.pieces.append(data)
