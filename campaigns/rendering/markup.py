"""Staff's simple text as Liquid for HTML and for plain text: paragraphs, line breaks, ``[text](address)``, no more.

Everything is settled here, before any member's facts are known: whatever a fact holds, it can only end up inside a
paragraph or a link's words, escaped. Addresses without an insert in them are named by number, for
``campaigns.tracking``; what depends on the member leads straight there.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from html import escape, unescape

LIQUID = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
"""Output and tags, as they stand in a source."""
TARGETS = "_to"
"""The insert that holds the addresses of a template's numbered links."""

_OPEN, _CLOSE = "\ue000", "\ue001"
_ADDRESS = "_address"
_INSERT = re.compile(r"\{\{-?\s*([\w.]+)\s*-?\}\}")
_KEPT = re.compile(f"{_OPEN}(\\d+){_CLOSE}")
_PRIVATE = re.compile("[\ue000-\uf8ff\x00]")
_LINK_OR_BARE = re.compile(
    r"\[([^\[\]\n]+)\]\(\s*([^\s()]+)\s*\)"  # [words](address)
    r"|https?://[^\s<>()\[\]\"“”]+"  # an address alone
    rf"|{_OPEN}\d+{_CLOSE}"  # an insert alone: a link where it is one of our pages
)
_PAGE = re.compile(r"\{\{-?\s*links\.\w+\s*-?\}\}")
_TAG_LINE = re.compile(r"^[ \t]*((?:\{%[^\n]*?%\}[ \t]*)+)\n(?![ \t]*(?:\n|\Z))", re.MULTILINE)
"""A line with nothing but tags leaves no empty line behind."""
_PUNCTUATION = ".,;:!?'’"
_ANCHOR = re.compile(r'<a href="([^"]*)">(.*?)</a>', re.DOTALL)
_TAGS = re.compile(r"</?[a-z][^<>]*>")
_PARAGRAPH = re.compile(r"\n[ \t]*(?:\n[ \t]*)+")
SCHEMES = ("http://", "https://", "mailto:", "tel:")


@dataclass
class Links:
    """The addresses of one text that can be counted, each with its number; ``of`` settles where a link leads."""

    known: dict[str, str] = field(default_factory=dict)
    """What our own inserts for pages stand for: ``links.portal`` -> the address."""
    urls: list[str] = field(default_factory=list)

    def of(self, address: str, *, html: bool = False) -> str:
        """Liquid for the address: a numbered one, or itself where it cannot be counted.

        What an insert gives is looked at again when it is known: it cannot make a link run a script.
        """
        if insert := _INSERT.fullmatch(address):
            address = self.known.get(insert[1], address)
        if not LIQUID.search(address):
            if address.lower().startswith(("http://", "https://")):
                return self._numbered(address)
            return escape(address) if html else address
        return f"{{% capture {_ADDRESS} %}}{address}{{% endcapture %}}{{{{ {_ADDRESS} | web_address }}}}"

    def _numbered(self, url: str) -> str:
        if url not in self.urls:
            self.urls.append(url)
        return f"{{{{ {TARGETS}.u{self.urls.index(url)} }}}}"

    def targets(self, to: Callable[[str], str]) -> dict[str, str]:
        """The insert ``TARGETS``: where each numbered address leads."""
        return {f"u{number}": to(url) for number, url in enumerate(self.urls)}


class _Source:
    """A source whose Liquid is set aside, so that the words around it can be worked on."""

    def __init__(self, source: str) -> None:
        self._kept: list[str] = []
        self.text = LIQUID.sub(self._keep, _TAG_LINE.sub(r"\1", clean(source)))

    def _keep(self, found: re.Match[str]) -> str:
        self._kept.append(found[0])
        return f"{_OPEN}{len(self._kept) - 1}{_CLOSE}"

    def restored(self, text: str) -> str:
        return _KEPT.sub(lambda place: self._kept[int(place[1])], text)

    def with_links(self, link: Callable[[str, str], str], literal: Callable[[str], str]) -> str:
        """The text with ``link(words, address)`` for each link that leads somewhere, and ``literal`` of all between."""
        parts, done = [], 0
        for found in _LINK_OR_BARE.finditer(self.text):
            words, address = found[1], self.restored(found[2] or found[0].rstrip(_PUNCTUATION))
            is_insert = not words and found[0].startswith(_OPEN)
            if not (_PAGE.fullmatch(address) if is_insert else leads_somewhere(address)):
                continue
            parts.append(literal(self.text[done : found.start()]))
            parts.append(link(literal(words) if words else literal(address), address))
            done = found.end() if words else found.start() + len(found[0].rstrip(_PUNCTUATION))
        return "".join([*parts, literal(self.text[done:])])


def as_html(source: str, links: Links) -> str:
    """Liquid whose output is paragraphs: ``p``, ``br`` and ``a``, nothing else."""
    told = _Source(source)
    text = told.with_links(
        lambda words, address: f'<a href="{links.of(address, html=True)}">{words}</a>', escape
    )
    paragraphs = (part.strip().replace("\n", "<br>") for part in _PARAGRAPH.split(text.strip()))
    return told.restored("".join(f"<p>{part}</p>" for part in paragraphs))


def tidied(written: str) -> str:
    """What ``as_html`` gave, filled in, without the paragraphs that turned out to be empty."""
    return written.replace("<br></p>", "</p>").replace("<p><br>", "<p>").replace("<p></p>", "")


def plain(paragraphs: str) -> str:
    """What ``as_html`` gave, filled in and tidied, as plain text: each link's address after its words."""
    text = _ANCHOR.sub(_told, paragraphs).replace("</p><p>", "\n\n").replace("<br>", "\n")
    return unescape(_TAGS.sub("", text)).strip()


def _told(anchor: re.Match[str]) -> str:
    address, words = anchor.groups()
    return address if not words or words.startswith(("http://", "https://")) else f"{words}: {address}"


def as_text(source: str, links: Links) -> str:
    """Liquid whose output is the same as plain text, each link's address after its words."""
    told = _Source(source)

    def named(words: str, address: str) -> str:
        target = links.of(address)
        return target if words == address else f"{words}: {target}"

    return told.restored(told.with_links(named, str).strip())


def addresses(source: str) -> list[str]:
    """Every address that a text links to or seems to, as staff wrote it."""
    told = _Source(source)
    found = _LINK_OR_BARE.finditer(told.text)
    return [told.restored(each[2] or each[0].rstrip(_PUNCTUATION)) for each in found]


def clean(source: str) -> str:
    """The source with one kind of line end and nothing that could stand for a place of ours."""
    return _PRIVATE.sub("", source.replace("\r\n", "\n").replace("\r", "\n"))


def leads_somewhere(address: str) -> bool:
    """Whether a link may have this address: by a known scheme, or by an insert."""
    return address.lower().startswith(SCHEMES) or bool(LIQUID.match(address))
