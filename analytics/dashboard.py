"""What staff see first: the nightly figures of a period as tiles and charts, beside the period before.

``admin_index`` is unfold's dashboard callback; ``templates/admin/index.html`` shows what it puts into the context.
"""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.http import HttpRequest
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django_stubs_ext import StrOrPromise

from analytics.models import DailyFigures
from loyalty import charts, programme
from loyalty.charts import Chart, Number, Series

PERIODS = (30, 90, 365)
WEEKLY_FROM = 180
"""Periods of this many days or more are drawn week by week."""

Days = Sequence[DailyFigures]
Figure = Callable[[Days], Number | None]


@dataclass(frozen=True, slots=True)
class Tile:
    """One figure of the period. ``value`` and ``change`` (a share of the period before, 0.1 = 10 % more) may be None.

    ``shown`` and ``change_shown`` are the same in words; ``direction`` is "up", "down", "level" or "".
    """

    key: str
    label: str
    help: str
    value: Number | None
    shown: str
    change: float | None
    change_shown: str
    direction: str


@dataclass(frozen=True, slots=True)
class Period:
    """One choice of the period: ``?days=`` of the same page."""

    days: int
    label: str
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class Dashboard:
    """All that the page shows. ``through`` is the last day with figures; None while there are none."""

    days: int
    periods: tuple[Period, ...]
    through: dt.date | None
    computed_at: dt.datetime | None
    tiles: tuple[Tile, ...]
    charts: tuple[Chart, ...]


def admin_index(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Put ``dashboard`` (a :class:`Dashboard`) into the context of the admin's first page.

    ``dashboard.tiles``: key, label, help, shown, change_shown, direction; ``dashboard.charts``: render each with
    ``{% load charts %}{% chart each %}``; ``dashboard.periods``: days, label, is_chosen, linked as ``?days=N``;
    ``dashboard.through``: the last day with figures, or None: then say that the first night is still to come.
    """
    asked = request.GET.get("days", "")
    days = int(asked) if asked in {str(period) for period in PERIODS} else PERIODS[0]
    context["dashboard"] = dashboard(days=days)
    return context


def dashboard(*, days: int) -> Dashboard:
    """The last ``days`` days that have figures, and the same number before them; one query."""
    newest = list(DailyFigures.objects.order_by("-date")[: 2 * days])[::-1]
    present, before = newest[-days:], newest[:-days]
    complete = before if len(before) == days else []
    return Dashboard(
        days=days,
        periods=tuple(
            Period(each, ngettext("%(days)d day", "%(days)d days", each) % {"days": each}, each == days)
            for each in PERIODS
        ),
        through=present[-1].date if present else None,
        computed_at=max((row.computed_at for row in present), default=None),
        tiles=tuple(shown.tile(present, complete) for shown in _SHOWN),
        charts=_charts(present) if present else (),
    )


# --- Figures of a span of days ------------------------------------------------------------------------------------


def _sum(name: str) -> Figure:
    return lambda days: sum(getattr(row, name) for row in days) if days else None


def _last(name: str) -> Figure:
    return lambda days: getattr(days[-1], name) if days else None


def _mean(name: str) -> Figure:
    return lambda days: sum(getattr(row, name) for row in days) / len(days) if days else None


def _average_purchase(days: Days) -> Decimal | None:
    """Revenue by purchase; None without purchases."""
    purchases = sum(row.purchases for row in days)
    return sum((row.revenue for row in days), Decimal(0)) / purchases if purchases else None


def _money(value: Number, decimals: int = 0) -> str:
    amount = number_format(value, decimals, use_l10n=True, force_grouping=True)
    return f"{amount}\u00a0{programme.current().base_currency}"


def _money_exact(value: Number) -> str:
    return _money(value, 2)


def _one_decimal(value: Number) -> str:
    return number_format(round(float(value), 1), 1, use_l10n=True, force_grouping=True)


@dataclass(frozen=True, slots=True)
class _Shown:
    """A figure as a tile: its name, how it is computed, what it means, and how its value reads."""

    key: str
    label: StrOrPromise
    figure: Figure
    help: StrOrPromise
    words: Callable[[Number], str] = charts.whole

    def tile(self, present: Days, before: Days) -> Tile:
        value, earlier = self.figure(present), self.figure(before)
        change = _change(value, earlier)
        return Tile(
            key=self.key,
            label=str(self.label),
            help=str(self.help),
            value=value,
            shown="–" if value is None else self.words(value),
            change=change,
            change_shown=_percent(change),
            direction=_direction(change),
        )


_SHOWN = (
    _Shown(
        "members",
        gettext_lazy("Members"),
        _last("members"),
        gettext_lazy("Enrolled by the end of the period."),
    ),
    _Shown(
        "new_members",
        gettext_lazy("New members"),
        _sum("new_members"),
        gettext_lazy("Enrolled in the period."),
    ),
    _Shown(
        "active_members",
        gettext_lazy("Active members a day"),
        _mean("active_members"),
        gettext_lazy("Members with at least one activity, on average per day."),
        _one_decimal,
    ),
    _Shown(
        "purchases", gettext_lazy("Purchases"), _sum("purchases"), gettext_lazy("Purchases in the period.")
    ),
    _Shown(
        "revenue", gettext_lazy("Revenue"), _sum("revenue"), gettext_lazy("Total of the purchases."), _money
    ),
    _Shown(
        "average_purchase",
        gettext_lazy("Average purchase"),
        _average_purchase,
        gettext_lazy("Revenue by purchase."),
        _money_exact,
    ),
    _Shown(
        "points_issued",
        gettext_lazy("Points issued"),
        _sum("points_issued"),
        gettext_lazy("Granted, less what was taken back."),
    ),
    _Shown(
        "points_redeemed",
        gettext_lazy("Points redeemed"),
        _sum("points_redeemed"),
        gettext_lazy("Spent on rewards or donated."),
    ),
    _Shown(
        "points_expired",
        gettext_lazy("Points expired"),
        _sum("points_expired"),
        gettext_lazy("Ran out in the period."),
    ),
    _Shown(
        "points_outstanding",
        gettext_lazy("Points outstanding"),
        _last("points_outstanding"),
        gettext_lazy("What members hold at the end of the period, less debt."),
    ),
)


def _change(value: Number | None, earlier: Number | None) -> float | None:
    """The change as a share of the earlier value; None when there is nothing to compare with."""
    if value is None or not earlier:
        return None
    return (float(value) - float(earlier)) / abs(float(earlier))


def _percent(change: float | None) -> str:
    if change is None:
        return ""
    sign = {"up": "+", "down": "−", "level": "±"}[_direction(change)]
    return f"{sign}{number_format(abs(round(change * 100, 1)), 1, use_l10n=True, force_grouping=True)}\u00a0%"


def _direction(change: float | None) -> str:
    if change is None:
        return ""
    rounded = round(change * 100, 1)
    return "up" if rounded > 0 else "down" if rounded < 0 else "level"


# --- Charts -------------------------------------------------------------------------------------------------------


def _charts(present: Days) -> tuple[Chart, ...]:
    buckets = _buckets(present)
    labels = [date_format(bucket[0].date, "j.n.") for bucket in buckets]

    def series(label: str, figure: Figure) -> Series:
        return Series(label, [figure(bucket) for bucket in buckets])

    def title(text: str) -> str:
        return _("%(what)s by week") % {"what": text} if len(buckets[-1]) > 1 else text

    return (
        charts.bars(
            key="revenue",
            title=title(_("Revenue")),
            labels=labels,
            series=[series(_("Revenue"), _sum("revenue"))],
            words=_money,
        ),
        charts.line(
            key="members",
            title=title(_("Active and new members")),
            labels=labels,
            series=[
                series(_("Active members a day"), _mean("active_members")),
                series(_("New members"), _sum("new_members")),
            ],
        ),
        charts.bars(
            key="points",
            title=title(_("Points issued, redeemed and expired")),
            labels=labels,
            series=[
                series(_("Points issued"), _sum("points_issued")),
                series(_("Points redeemed"), _sum("points_redeemed")),
                series(_("Points expired"), _sum("points_expired")),
            ],
        ),
        charts.line(
            key="outstanding",
            title=title(_("Points outstanding")),
            labels=labels,
            series=[series(_("Points outstanding"), _last("points_outstanding"))],
        ),
    )


def _buckets(present: Days) -> list[Days]:
    """The days one by one, or in whole weeks that end with the last day."""
    if len(present) < WEEKLY_FROM:
        return [[row] for row in present]
    first = len(present) % 7
    return [present[start : start + 7] for start in range(first, len(present), 7)]
