"""What can be seen from the fields of one text: Liquid and MJML that do not parse, inserts and links without an aim."""

import difflib
import re
from collections.abc import Iterator
from html import unescape
from urllib.parse import urlsplit

from django.conf import settings
from django.utils.translation import gettext as _

from campaigns.models import Campaign, Text
from campaigns.rendering import inserts, liquid, markup, mjml, texts
from campaigns.rendering.problems import Problem

_OLD_PLACE = re.compile(r"(?<!\{)\{\s*(first_name|points|reward)\s*\}(?!\})")
_NEW_PLACES = {"first_name": "member.first_name", "points": "points", "reward": "reward.name"}
_TRY_OUT = re.compile(
    r"(^|\.)(example|test|invalid|localhost)$|(^|\.)example\.(com|org|net)$|^127\.|^0\.0\.0\.0$"
)
_TRY_OUT_NAMES = frozenset({"yourdomain.com", "domain.com", "esimerkki.fi", "exempel.se", "yoursite.com"})
_HREF = re.compile(r"""\b(?:href|src)\s*=\s*(?:"([^"]*)"|'([^']*)')""", re.IGNORECASE)
_PICTURE = re.compile(r"<(mj-image|img)\b[^>]*>", re.IGNORECASE | re.DOTALL)
_ALT = re.compile(r"\balt\s*=", re.IGNORECASE)
_SRC = re.compile(r"""\bsrc\s*=\s*["']http://""", re.IGNORECASE)
_POSITION = re.compile(r"position (\d+)")


def of_text(campaign: Campaign, text: Text) -> Iterator[Problem]:
    """Findings in the text's fields, each with its field; variant and language are the caller's to add."""
    for field in texts.FIELDS:
        source = markup.clean(getattr(text, field))
        if source.strip():
            yield from _of_liquid(campaign, field, source)
    yield from _of_links(text)
    yield from _of_button(text)
    if text.mjml.strip():
        yield from _of_mjml(campaign, text)


def _of_liquid(campaign: Campaign, field: str, source: str) -> Iterator[Problem]:
    for place in _OLD_PLACE.finditer(source):
        message = _("Write {{ %(new)s }} in place of %(old)s.")
        yield _error(field, message % {"new": _NEW_PLACES[place[1]], "old": place[0]})
    try:
        template = liquid.compiled(source)
    except liquid.BadLiquid as error:
        yield _error(field, str(error))
        return
    told = set()
    for path, line in liquid.paths(template):
        if path in told or (field == "mjml" and path[:1] == ("message",)):
            continue
        told.add(path)
        yield from _of_insert(campaign, field, path, line)


def _of_insert(campaign: Campaign, field: str, path: tuple[str, ...], line: int) -> Iterator[Problem]:
    written = ".".join(path)
    insert = _known(path)
    if insert is None:
        close = difflib.get_close_matches(written, [each.path for each in inserts.INSERTS], n=1, cutoff=0.6)
        hint = _("Did you mean %(insert)s?") % {"insert": close[0]} if close else _("Take it out.")
        message = _("Line %(line)s: there is no insert “%(insert)s”, so nothing would stand there. %(hint)s")
        yield _error(field, message % {"line": line, "insert": written, "hint": hint})
    elif why := insert.missing(campaign):
        message = _(
            "Line %(line)s: “%(insert)s” stays empty in this campaign (%(why)s). Take it out, or change that."
        )
        yield _warning(field, message % {"line": line, "insert": written, "why": why})


def _known(path: tuple[str, ...]) -> inserts.Insert | None:
    """The insert that a path asks for: itself, a whole of which it is a part, or a part of a list or of an event."""
    written = ".".join(path)
    for insert in inserts.INSERTS:
        if written == insert.path or insert.path.startswith(f"{written}."):
            return insert
        if not written.startswith(f"{insert.path}."):
            continue
        rest = path[insert.path.count(".") + 1 :]
        if insert.free or (insert.of_each and rest[0] in {"size", "first", "last", *insert.of_each}):
            return insert
        if rest == ("size",):
            return insert
    return None


def _of_links(text: Text) -> Iterator[Problem]:
    for field, address in _addresses(text):
        if markup.LIQUID.match(address):
            continue
        if not markup.leads_somewhere(address):
            message = _("The link “%(address)s” leads nowhere: begin it with https://.")
            yield _error(field, message % {"address": address[:80]})
        elif _is_try_out(address):
            message = _("The link “%(address)s” leads to a made-up address: put the real one there.")
            yield _warning(field, message % {"address": address[:80]})
        elif address.lower().startswith("http://"):
            message = _("The link “%(address)s” is not encrypted: use https://.")
            yield _warning(field, message % {"address": address[:80]})


def _addresses(text: Text) -> Iterator[tuple[str, str]]:
    for field in ("body", "short_text"):
        for address in markup.addresses(getattr(text, field)):
            yield field, address
    if link := text.button_link.strip():
        yield "button_link", link
    for found in _HREF.finditer(text.mjml):
        if address := unescape(found[1] or found[2] or "").strip():
            yield "mjml", address


def _is_try_out(address: str) -> bool:
    try:
        host = (urlsplit(address).hostname or "").lower()
    except ValueError:
        return True
    ours = urlsplit(settings.PUBLIC_URL).hostname if settings.PUBLIC_URL else None
    if address.lower().startswith(("mailto:", "tel:")) or host == ours:
        return False
    return not host or host in _TRY_OUT_NAMES or bool(_TRY_OUT.search(host))


def _of_button(text: Text) -> Iterator[Problem]:
    label, link = text.button_label.strip(), text.button_link.strip()
    if label and not link and not texts.page("portal"):
        yield _warning("button_link", _("The button leads nowhere and is left out: give its link."))
    if link and not label:
        yield _warning("button_label", _("The button has no words and is left out: write what it says."))


def _of_mjml(campaign: Campaign, text: Text) -> Iterator[Problem]:
    source = text.mjml
    try:
        mjml.own_layout(source, markup.Links())
    except mjml.BadMjml as error:
        message = _("Line %(line)s: the MJML cannot be read. See that every tag is closed. (%(said)s)")
        yield _error("mjml", message % {"line": _line(source, str(error)), "said": error})
        return
    for name in mjml.unknown_tags(source):
        yield _error(
            "mjml", _("There is no tag <%(name)s> in MJML: what it holds would be lost.") % {"name": name}
        )
    if campaign.purpose != Campaign.Purpose.SERVICE and "links.unsubscribe" not in source:
        message = _("Offers need a way to stop them: add a link to {{ links.unsubscribe }}.")
        yield _error("mjml", message)
    for picture in _PICTURE.finditer(source):
        line = source.count("\n", 0, picture.start()) + 1
        if not _ALT.search(picture[0]):
            message = _('Line %(line)s: the picture has no text: add alt="…", empty where it only decorates.')
            yield _warning("mjml", message % {"line": line})
        if _SRC.search(picture[0]):
            message = _("Line %(line)s: the picture is not encrypted: use https://.")
            yield _warning("mjml", message % {"line": line})


def _line(source: str, said: str) -> int:
    position = _POSITION.search(said)
    return source.count("\n", 0, int(position[1])) + 1 if position else 1


def _error(field: str, message: str) -> Problem:
    return Problem(level="error", field=field, message=message)


def _warning(field: str, message: str) -> Problem:
    return Problem(level="warning", field=field, message=message)
