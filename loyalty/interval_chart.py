"""A chart of values with their intervals, one below the other, beside a line at nought: what is sure and what is not.

``intervals`` gives an :class:`IntervalChart`; ``{% interval_chart %}`` (``loyalty.templatetags.charts``) writes it as
SVG with a table of the same numbers. The geometry is in the units of the view box.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from loyalty.charts import Tick, nice_step

WIDTH, LEFT, RIGHT, TOP, ROW, FOOT = 480, 140, 24, 10, 44, 30


@dataclass(frozen=True, slots=True)
class Row:
    """A value with the ends of its interval; None where there is nothing to show."""

    label: str
    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Drawn:
    """A row as it is drawn: ``tone`` says which side of nought the whole interval lies on."""

    label: str
    text: str
    y: float
    value: float | None
    low: float | None
    high: float | None
    tone: str


@dataclass(frozen=True, slots=True)
class IntervalChart:
    """Ready to be written down; ``nought`` is where zero lies."""

    key: str
    title: str
    unit: str
    rows: tuple[Drawn, ...]
    ticks: tuple[Tick, ...]
    nought: float
    height: int
    width: int = WIDTH
    left: int = LEFT

    @property
    def is_empty(self) -> bool:
        return all(row.value is None for row in self.rows)

    @property
    def bottom(self) -> int:
        return self.height - FOOT

    @property
    def summary(self) -> str:
        return " ".join(f"{row.label}: {row.text}." for row in self.rows)


def intervals(
    *, key: str, title: str, rows: Sequence[Row], words: Callable[[float], str], unit: str = ""
) -> IntervalChart:
    """The chart; ``words`` writes a value, ``unit`` heads the table's column of values."""
    ends = [end for row in rows for end in (row.low, row.value, row.high) if end is not None]
    low, high = min([0.0, *ends]), max([0.0, *ends])
    step = nice_step(high - low or 1.0)
    low, high = math.floor(low / step) * step, max(math.ceil(high / step), math.floor(low / step) + 1) * step

    def place(value: float) -> float:
        return round(LEFT + (value - low) / (high - low) * (WIDTH - LEFT - RIGHT), 1)

    levels = [low + number * step for number in range(round((high - low) / step) + 1)]
    return IntervalChart(
        key=key,
        title=title,
        unit=unit,
        rows=tuple(_draw(row, number, place, words) for number, row in enumerate(rows)),
        ticks=tuple(Tick(place(level), words(level)) for level in levels),
        nought=place(0.0),
        height=TOP + ROW * len(rows) + FOOT,
    )


def _draw(row: Row, number: int, place: Callable[[float], float], words: Callable[[float], str]) -> Drawn:
    y = TOP + ROW * number + ROW / 2
    if row.value is None or row.low is None or row.high is None:
        return Drawn(row.label, str(_("no figures")), y, None, None, None, "")
    tone = "good" if row.low > 0 else "bad" if row.high < 0 else "open"
    text = _("%(value)s, between %(low)s and %(high)s") % {
        "value": words(row.value),
        "low": words(row.low),
        "high": words(row.high),
    }
    return Drawn(row.label, text, y, place(row.value), place(row.low), place(row.high), tone)
