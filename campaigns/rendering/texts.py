"""Texts made ready: parsed once per process and wording, and the choice of the one for a member's language."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urljoin

from django.conf import settings
from django.urls import NoReverseMatch, reverse

from campaigns.models import Text
from campaigns.rendering import liquid, markup, mjml
from campaigns.rendering.liquid import Template
from campaigns.rendering.markup import Links
from campaigns.rendering.rendered import NotRendered
from loyalty import programme

FIELDS = ("subject", "preheader", "heading", "body", "button_label", "button_link", "short_text", "mjml")
PAGES = {"portal": "home", "rewards": "catalogue", "preferences": "message-wishes"}
"""Pages of the portal that inserts name, by the names of their addresses."""
Piece = Template | str
"""A parsed template, or a text without any Liquid."""


@dataclass(frozen=True, slots=True)
class Wording:
    """A text's fields as staff wrote them: what it is parsed by, and remembered by."""

    subject: str
    preheader: str
    heading: str
    body: str
    button_label: str
    button_link: str
    short_text: str
    mjml: str

    @classmethod
    def of(cls, text: Text) -> "Wording":
        return cls(*[markup.clean(getattr(text, name)).strip() for name in FIELDS])


@dataclass(frozen=True, slots=True)
class Ready:
    """A wording, parsed. ``roots`` are the inserts it asks for, ``urls`` its addresses that can be counted."""

    subject: Piece
    preheader: Piece
    heading: Piece
    body: Piece
    button_label: Piece
    button_link: Piece
    short: Piece
    layout: Piece
    layout_text: Piece
    links: Links
    roots: frozenset[str]

    @property
    def urls(self) -> list[str]:
        return self.links.urls


def ready(text: Text) -> Ready:
    """The text, parsed; remembered by its wording, so that an edited one is parsed anew. Raises NotRendered."""
    return _ready(Wording.of(text), settings.PUBLIC_URL)


def choose(texts: Iterable[Text], language: str) -> Text | None:
    """The text in the language, else in the programme's, else English, else any that says something."""
    filled = {text.language: text for text in texts if says_something(text)}
    for code in (language, programme.current().default_language, "en"):
        if code in filled:
            return filled[code]
    return filled[min(filled)] if filled else None


def says_something(text: Text) -> bool:
    return any(getattr(text, name).strip() for name in ("subject", "body", "short_text", "mjml"))


def page(name: str) -> str:
    """The absolute address of one of ``PAGES``; "" where PUBLIC_URL is not set."""
    return _page(PAGES[name], settings.PUBLIC_URL)


def pages() -> dict[str, str]:
    return {name: page(name) for name in PAGES}


def written(piece: Piece, inserts: Mapping[str, object]) -> str:
    """The piece filled in. Raises BadLiquid."""
    return piece if isinstance(piece, str) else liquid.written(piece, inserts)


@lru_cache(maxsize=16)
def _page(url_name: str, public_url: str) -> str:
    try:
        return urljoin(public_url, reverse(url_name)) if public_url else ""
    except NoReverseMatch:
        return ""


@lru_cache(maxsize=1024)
def _ready(wording: Wording, public_url: str) -> Ready:
    counted = ("portal", "rewards")
    links = Links(known={f"links.{name}": _page(PAGES[name], public_url) for name in counted})
    try:
        return _parsed(wording, links, public_url)
    except liquid.BadLiquid as error:
        raise NotRendered(str(error)) from error
    except mjml.BadMjml as error:
        raise NotRendered(f"MJML: {error}") from error


def _parsed(wording: Wording, links: Links, public_url: str) -> Ready:
    for source in (wording.body, wording.short_text, wording.mjml):
        _piece(source)  # an error names the line as staff wrote it
    layout = mjml.own_layout(wording.mjml, links) if wording.mjml else ""
    button = wording.button_link or _page(PAGES["portal"], public_url)
    button = links.of(button) if wording.button_label and markup.leads_somewhere(button) else ""
    pieces = {
        "subject": _piece(wording.subject),
        "preheader": _piece(wording.preheader),
        "heading": _piece(wording.heading or wording.subject),
        "body": _piece(markup.as_html(wording.body, links), html=True),
        "button_label": _piece(wording.button_label),
        "button_link": _piece(button),
        "short": _piece(markup.as_text(wording.short_text or wording.subject, links)),
        "layout": _piece(layout, html=True),
        "layout_text": _piece(mjml.as_text(layout) if layout and not wording.body else ""),
    }
    roots = _roots(list(pieces.values()))
    return Ready(**pieces, links=links, roots=frozenset(roots - {markup.TARGETS}))


def _piece(source: str, *, html: bool = False) -> Piece:
    """Parsed only where there is Liquid in it."""
    return liquid.compiled(source, html=html) if "{{" in source or "{%" in source else source


def _roots(pieces: Sequence[Piece]) -> set[str]:
    return {name for piece in pieces if isinstance(piece, Template) for name in liquid.roots(piece)}
