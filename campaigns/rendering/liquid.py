"""Staff's Liquid, kept small: no files, no attributes, no endless work. What is wrong is told with its line.

Two environments share tags and filters: one escapes what goes into HTML, one writes plain text. Templates see plain
dicts, lists, texts and the values of ``campaigns.rendering.values``; an insert that is not there is empty.
"""

import functools
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from django.utils.translation import gettext as _
from liquid import BoundTemplate, Environment, RenderContext
from liquid.exceptions import (
    BlockNestingError,
    ContextDepthError,
    LiquidError,
    LocalNamespaceLimitError,
    LoopIterationLimitError,
    OutputStreamLimitError,
    UnknownFilterError,
)
from liquid.output import LimitedStringIO
from markupsafe import Markup

from campaigns.rendering.values import FILTERS as OUR_FILTERS

LONGEST_SOURCE: Final = 200_000
"""Characters of one template."""
MOST_ROUNDS: Final = 1_000
"""Rounds of all loops of one rendering together."""
LONGEST_VALUE: Final = 20_000
"""Characters of what a filter or an assignment makes."""
MOST_OUTPUT: Final = 300_000
"""Bytes that one template writes; mail programs cut e-mails far earlier."""
LARGEST_NUMBER: Final = 10**30
_RAW = re.compile(r"\{%-?\s*raw\b")

TAGS: Final = frozenset(
    {"if", "unless", "case", "for", "assign", "capture", "comment", "cycle", "break", "continue"}
)
"""Tags that templates may use (with their own inner tags); ``output`` is what stands in double braces."""
_INNER: Final = frozenset({"content", "literal", "output", "illegal", "#"})
_FILTER_NAMES = """
abs append at_least at_most capitalize ceil compact default divided_by downcase first floor last lstrip map minus modulo
plus prepend remove reverse round rstrip size slice sort split strip sum times truncate truncatewords uniq upcase
url_encode where
"""
_BUILT_IN: Final = frozenset(_FILTER_NAMES.split())


@dataclass(eq=False)
class BadLiquid(Exception):
    """A template that cannot be used: what is wrong, in the active language, and the line where (0: not known)."""

    message: str
    line: int = 0

    def __str__(self) -> str:
        return (
            _("Line %(line)s: %(message)s") % {"line": self.line, "message": self.message}
            if self.line
            else self.message
        )


class _TooMuch(LiquidError):
    """A value or a text grew beyond the limits."""

    def __init__(self) -> None:
        super().__init__("too much", token=None)


class _Context(RenderContext):
    """Counts the rounds of all loops together, one after another as well as one within another."""

    rounds = 0

    def raise_for_loop_limit(self, length: int = 1) -> None:
        self.rounds += length
        if self.rounds > MOST_ROUNDS:
            raise LoopIterationLimitError("too many rounds", token=None)

    def get_size_of_locals(self) -> int:
        return sum(_size(value) for value in self.locals.values())


class Template(BoundTemplate):
    """A parsed template; ``source`` is for naming lines."""

    context_class = _Context
    source = ""


class _Environment(Environment):
    block_nesting_limit = 15
    context_depth_limit = 20
    loop_iteration_limit = MOST_ROUNDS
    local_namespace_limit = LONGEST_VALUE
    output_stream_limit = MOST_OUTPUT
    template_class = Template

    def setup_tags_and_filters(self, *, extra: bool = False) -> None:
        super().setup_tags_and_filters(extra=False)
        self.tags = {name: tag for name, tag in self.tags.items() if name in TAGS | _INNER}
        built_in = {name: self.filters[name] for name in _BUILT_IN}
        own = {"replace": _replace, "join": _join, **OUR_FILTERS}
        self.filters = {name: _bounded(filter_) for name, filter_ in {**built_in, **own}.items()}


def _size(value: object) -> int:
    if isinstance(value, str):
        return len(value)
    if isinstance(value, list | tuple):
        return 1 + sum(_size(each) for each in value)
    return 1


def _plain(value: object) -> object:
    """What a filter works on: the text itself, never HTML, so that nothing escaped can be taken apart again."""
    if isinstance(value, Markup):
        return value.unescape()
    if isinstance(value, range) and len(value) > MOST_ROUNDS:
        raise _TooMuch
    return value


def _bounded(function: Callable[..., Any]) -> Callable[..., Any]:
    """The filter on plain texts, its outcome within the limits."""

    @functools.wraps(function)
    def filtered(*args: Any, **named: Any) -> Any:
        value = function(*[_plain(each) for each in args], **named)
        if isinstance(value, int) and abs(value) > LARGEST_NUMBER:
            raise _TooMuch
        if isinstance(value, str | list | tuple) and _size(value) > LONGEST_VALUE:
            raise _TooMuch
        return value

    return filtered


def _replace(text: object, old: object, new: object = "") -> str:
    whole, gone, come = str(text), str(old), str(new)
    if not gone:
        return whole
    if len(whole) + whole.count(gone) * len(come) > LONGEST_VALUE:
        raise _TooMuch
    return whole.replace(gone, come)


def _join(items: object, separator: object = " ") -> str:
    if not isinstance(items, list | tuple | range):
        return str(items)
    texts = [str(each) for each in items]
    if sum(map(len, texts)) + len(texts) * len(str(separator)) > LONGEST_VALUE:
        raise _TooMuch
    return str(separator).join(texts)


_HTML = _Environment(autoescape=True)
_TEXT = _Environment(autoescape=False)


def compiled(source: str, *, html: bool = False) -> Template:
    """The template, parsed and with every filter known. Raises BadLiquid."""
    if raw := _RAW.search(source):
        raise BadLiquid(_("The tag “raw” cannot be used here."), source.count("\n", 0, raw.start()) + 1)
    if len(source) > LONGEST_SOURCE:
        raise BadLiquid(_("The text is too long: %(most)s characters at most.") % {"most": LONGEST_SOURCE})
    try:
        template = cast(Template, (_HTML if html else _TEXT).from_string(source))
        template.source = source
        _refuse_unknown_filters(template)
    except (LiquidError, RecursionError) as error:
        told = _told(error)
        if not told.line and isinstance(error, LiquidError) and error.token is not None:
            told.line = source.count("\n") + 1  # it ends too early
        raise told from error
    return template


def written(template: Template, inserts: Mapping[str, object]) -> str:
    """The template filled in. Raises BadLiquid when a limit is reached or a filter is given what it cannot take."""
    try:
        output = LimitedStringIO(MOST_OUTPUT)
        template.render_with_context(_Context(template, globals=inserts), output)
        return output.getvalue()
    except Exception as error:  # whatever staff's text makes Liquid do, it is that text's fault alone
        raise _told(error) from error


def roots(template: Template) -> set[str]:
    """The names of the inserts that a template asks for, without what it sets itself."""
    return {name for name in template.analyze(include_partials=False).globals if isinstance(name, str)}


def paths(template: Template) -> Iterator[tuple[tuple[str, ...], int]]:
    """Every insert asked for, as its path ("member", "first_name") up to the first index, and its line."""
    for uses in template.analyze(include_partials=False).globals.values():
        for use in uses:
            path: list[str] = []
            for segment in use.segments:
                if not isinstance(segment, str):
                    break
                path.append(segment)
            yield tuple(path), _line_at(template, use.span.index)


def _line_at(template: Template, index: int) -> int:
    return template.source.count("\n", 0, max(index, 0)) + 1


def _refuse_unknown_filters(template: Template) -> None:
    known = template.env.filters
    for name, spans in template.analyze(include_partials=False).filters.items():
        if name not in known:
            raise BadLiquid(
                _("There is no filter “%(name)s”.") % {"name": name}, _line_at(template, spans[0].index)
            )


def _told(error: BaseException) -> BadLiquid:
    """What went wrong, in words for staff."""
    limits = (
        LoopIterationLimitError,
        LocalNamespaceLimitError,
        OutputStreamLimitError,
        ContextDepthError,
        _TooMuch,
    )
    line = 0
    if isinstance(error, BadLiquid):
        return error
    if isinstance(error, LiquidError) and error.token is not None and error.token.start_index >= 0:
        line = error.token.source.count("\n", 0, error.token.start_index) + 1
    if isinstance(error, (*limits, BlockNestingError, RecursionError, MemoryError)):
        return BadLiquid(
            _("The text makes too much work: shorten its loops and what it puts together."), line
        )
    if isinstance(error, UnknownFilterError):
        return BadLiquid(str(error.message), line)
    said = error.message if isinstance(error, LiquidError) else error
    return BadLiquid(_("Liquid does not understand it: %(said)s.") % {"said": str(said).rstrip(".")}, line)
