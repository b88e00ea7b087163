"""Charts as SVG drawn on the server: no script, readable in print, and a table of the same numbers for everybody.

``line`` and ``bars`` give a :class:`Chart`; ``{% chart %}`` (``loyalty.templatetags.charts``) renders it. All
geometry is computed here, in the units of the view box, so the template only writes it down.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from django.utils.formats import number_format
from django.utils.translation import gettext as _

WIDTH, HEIGHT = 720, 260
LEFT, RIGHT, TOP, BOTTOM = 104, 12, 14, 30
COLOURS = ("#1f8a70", "#c2761b", "#4a78c8", "#9a5bb0")
"""Each at least 3:1 against white and against the dark page."""
DASHES = ("", "7 4", "2 4", "9 3 2 3")

Number = int | float | Decimal
Value = Number | None


@dataclass(frozen=True, slots=True)
class Series:
    """One line or one set of bars; ``values`` beside the chart's labels, None where there is no figure."""

    label: str
    values: Sequence[Value]


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on an axis: where it is, what it says."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Mark:
    """One point of a line or one bar, with the words that its tooltip says."""

    x: float
    y: float
    width: float
    height: float
    text: str


@dataclass(frozen=True, slots=True)
class Drawn:
    """A series as it is drawn: ``paths`` of a line, broken where figures are missing, and its marks."""

    label: str
    colour: str
    dash: str
    paths: tuple[str, ...]
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart ready to be written down. ``rows`` is the table: a label and the formatted values."""

    key: str
    title: str
    kind: str
    summary: str
    series: tuple[Drawn, ...]
    headers: tuple[str, ...]
    rows: tuple[tuple[str, tuple[str, ...]], ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    bottom: int = HEIGHT - BOTTOM
    axis: str = ""

    @property
    def is_empty(self) -> bool:
        return not any(drawn.marks for drawn in self.series)


def whole(value: Number) -> str:
    """A number without decimals, as the language writes it."""
    return number_format(value, 0, use_l10n=True, force_grouping=True)


def line(
    *,
    key: str,
    title: str,
    labels: Sequence[str],
    series: Sequence[Series],
    words: Callable[[Number], str] = whole,
) -> Chart:
    """A line a series; ``words`` writes a value."""
    return _chart("line", key=key, title=title, labels=labels, series=series, words=words)


def bars(
    *,
    key: str,
    title: str,
    labels: Sequence[str],
    series: Sequence[Series],
    words: Callable[[Number], str] = whole,
    axis: str = "",
) -> Chart:
    """Bars side by side, one a series and label. ``axis`` says what the labels are, where it is not the time."""
    chart = _chart("bars", key=key, title=title, labels=labels, series=series, words=words)
    return replace(chart, axis=axis)


def nice_step(span: float, ticks: int = 4) -> float:
    """A round step (1, 2, 2.5 or 5 times a power of ten) that divides ``span`` into about ``ticks`` parts."""
    rough = max(span, 1e-9) / ticks
    power = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * (1 - 1e-9))


def _chart(
    kind: str,
    *,
    key: str,
    title: str,
    labels: Sequence[str],
    series: Sequence[Series],
    words: Callable[[Number], str],
) -> Chart:
    present = [float(value) for each in series for value in each.values if value is not None]
    low, high = min([0.0, *present]), max([0.0, *present])
    step = max(1.0, nice_step(high - low))
    low, high = math.floor(low / step) * step, max(math.ceil(high / step), math.floor(low / step) + 1) * step
    place = _Place(len(labels), low, high)
    levels = [low + number * step for number in range(round((high - low) / step) + 1)]
    every = max(1, math.ceil(len(labels) / 8))
    draw = _draw_line if kind == "line" else _draw_bars
    return Chart(
        key=key,
        title=title,
        kind=kind,
        summary=_summary(labels, series, words),
        series=tuple(draw(place, number, series, labels, words) for number in range(len(series))),
        headers=tuple(each.label for each in series),
        rows=tuple(
            (label, tuple("–" if (value := each.values[number]) is None else words(value) for each in series))
            for number, label in enumerate(labels)
        ),
        x_ticks=tuple(
            Tick(place.x(number), label) for number, label in enumerate(labels) if number % every == 0
        ),
        y_ticks=tuple(Tick(place.y(level), words(level)) for level in levels),
    )


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a value lies in the view box."""

    count: int
    low: float
    high: float

    @property
    def slot(self) -> float:
        return (WIDTH - LEFT - RIGHT) / max(1, self.count)

    def x(self, number: int) -> float:
        return round(LEFT + self.slot * (number + 0.5), 1)

    def y(self, value: Number) -> float:
        share = (float(value) - self.low) / (self.high - self.low)
        return round(HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP), 1)


def _text(label: str, each: Series, value: Number, words: Callable[[Number], str]) -> str:
    return f"{label}, {each.label}: {words(value)}"


def _draw_line(
    place: _Place,
    number: int,
    series: Sequence[Series],
    labels: Sequence[str],
    words: Callable[[Number], str],
) -> Drawn:
    each = series[number]
    marks, paths, path = [], [], list[str]()
    for index, value in enumerate(each.values):
        if value is None:
            paths.append(path)
            path = []
            continue
        x, y = place.x(index), place.y(value)
        path.append(f"{'L' if path else 'M'}{x} {y}")
        marks.append(Mark(x, y, place.slot, 0, _text(labels[index], each, value, words)))
    lines = tuple(" ".join(part) for part in [*paths, path] if part)
    return Drawn(each.label, COLOURS[number % 4], DASHES[number % 4], lines, tuple(marks))


def _draw_bars(
    place: _Place,
    number: int,
    series: Sequence[Series],
    labels: Sequence[str],
    words: Callable[[Number], str],
) -> Drawn:
    each = series[number]
    width = round(place.slot * 0.76 / len(series), 2)
    marks = []
    for index, value in enumerate(each.values):
        if value is None:
            continue
        x = place.x(index) - place.slot * 0.38 + width * number
        top, foot = sorted((place.y(value), place.y(0)))
        text = _text(labels[index], each, value, words)
        marks.append(Mark(round(x, 2), top, width, round(foot - top, 1), text))
    return Drawn(each.label, COLOURS[number % 4], "", (), tuple(marks))


def _summary(labels: Sequence[str], series: Sequence[Series], words: Callable[[Number], str]) -> str:
    """What the chart says, in a sentence a series: for those who do not see it."""
    sentences = []
    for each in series:
        known = [
            (value, label) for value, label in zip(each.values, labels, strict=True) if value is not None
        ]
        if not known:
            sentences.append(_("%(label)s: no figures.") % {"label": each.label})
            continue
        peak, when = max(known, key=lambda pair: pair[0])
        sentences.append(
            _("%(label)s: from %(first)s to %(last)s, highest %(peak)s (%(when)s).")
            % {
                "label": each.label,
                "first": words(known[0][0]),
                "last": words(known[-1][0]),
                "peak": words(peak),
                "when": when,
            }
        )
    return " ".join(sentences)
