"""What all campaigns together were worth, as people read it."""

import datetime as dt
from dataclasses import dataclass

from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from campaigns.experiments.figures import Comparison, Verdict
from campaigns.experiments.statistics import Difference, wilson
from campaigns.experiments.together import Together
from campaigns.experiments.wording import TONES, Tile, money, p_value, percent, points, whole
from loyalty.interval_chart import IntervalChart, Row, intervals


@dataclass(frozen=True, slots=True)
class Line:
    """One side in words."""

    name: str
    members: str
    buyers: str
    rate: str
    interval: str
    revenue_each: str


@dataclass(frozen=True, slots=True)
class Shown:
    """The whole, ready for a page; nothing but a headline and its explanation where there is nothing to compare."""

    tone: str
    headline: str
    explanation: str
    period: str
    tiles: tuple[Tile, ...]
    lines: tuple[Line, ...]
    rates: IntervalChart | None
    money: IntervalChart | None
    notes: tuple[str, ...]


def show(found: Together) -> Shown:
    """The figures in the active language."""
    lift = found.lift
    is_compared = lift is not None and bool(found.held_out.members)
    return Shown(
        tone=TONES.get(found.verdict, "note"),
        headline=_headline(found),
        explanation=_explanation(found),
        period=_("From %(since)s to %(at)s.") % {"since": _day(found.since), "at": _day(found.at)},
        tiles=tuple(_tiles(found, lift)) if lift is not None and is_compared else (),
        lines=tuple(_lines(found)) if is_compared else (),
        rates=_chart(
            "rates",
            _("Difference to those held out of everything, in members who bought"),
            _("Percentage points"),
            lift.rate,
            factor=100,
        )
        if lift is not None and is_compared
        else None,
        money=_chart(
            "money",
            _("Difference to those held out of everything, in revenue a member"),
            _("Revenue a member"),
            lift.revenue_each,
        )
        if lift is not None and is_compared
        else None,
        notes=tuple(_notes(found)),
    )


def _day(moment: dt.datetime) -> str:
    return date_format(localtime(moment), "SHORT_DATE_FORMAT")


def _headline(found: Together) -> str:
    match found.verdict:
        case Verdict.NO_HOLD_OUT:
            return _("Nobody is held out of everything, so the whole cannot be measured.")
        case Verdict.NOBODY:
            return _("There are no members yet.")
        case Verdict.MISTRUST:
            return _("This result is not to be trusted.")
        case Verdict.NOT_ENOUGH:
            return _("Not enough yet to say whether campaigns made a difference.")
        case Verdict.NO_DIFFERENCE:
            return _("No difference worth speaking of.")
    each = found.lift.revenue_each if found.lift is not None else None
    return _("Members spent %(amount)s each because of all campaigns together.") % {
        "amount": money(each.value if each else None, signed=True)
    }


def _explanation(found: Together) -> str:
    lift, both = found.lift, found.others.members + found.held_out.members
    match found.verdict:
        case Verdict.NO_HOLD_OUT:
            return _(
                "Hold out one or two per cent in the sending policy: those who are never written to show what would"
                " have been."
            )
        case Verdict.NOBODY:
            return ""
        case Verdict.MISTRUST:
            return _(
                "The sides are not as large as they should be, and chance hardly explains it (%(p)s): perhaps more"
                " members left on one side than on the other."
            ) % {"p": p_value(found.sample_ratio_p)}
        case Verdict.NOT_ENOUGH if lift is None or lift.needed is None:
            return _("Too little was bought on either side to tell the size needed.")
        case Verdict.NOT_ENOUGH:
            return _(
                "There are %(have)s members. To see a change of revenue by a fifth it takes about %(needed)s."
            ) % {
                "have": whole(both),
                "needed": whole(lift.needed if lift else None),
            }
        case Verdict.NO_DIFFERENCE:
            return _(
                "There were enough members to see a change of revenue by a fifth, and none is to be seen."
            )
    each = lift.revenue_each if lift is not None else None
    if each is None:
        return ""
    return _(
        "Revenue a member: %(others)s of those who may be written to, %(held)s of those held out of everything. The"
        " difference lies between %(low)s and %(high)s (95 %%), %(p)s."
    ) % {
        "others": money(found.others.money.mean),
        "held": money(found.held_out.money.mean),
        "low": money(each.interval.low, signed=True),
        "high": money(each.interval.high, signed=True),
        "p": p_value(each.p),
    }


def _tiles(found: Together, lift: Comparison) -> list[Tile]:
    between = _("between %(low)s and %(high)s")
    revenue, extra = lift.revenue_interval, lift.incremental_interval
    return [
        Tile(
            _("Members"),
            whole(found.others.members),
            _("%(held)s held out of everything") % {"held": whole(found.held_out.members)},
        ),
        Tile(
            _("Bought because of campaigns"),
            whole(lift.incremental),
            between % {"low": whole(extra.low), "high": whole(extra.high)} if extra else "",
        ),
        Tile(
            _("Revenue because of campaigns"),
            money(lift.revenue, digits=0),
            between % {"low": money(revenue.low, digits=0), "high": money(revenue.high, digits=0)}
            if revenue
            else "",
        ),
        Tile(
            _("Cost"),
            money(lift.cost),
            _("points, vouchers and sending of %(count)s messages") % {"count": whole(found.messages)},
        ),
        Tile(
            _("Return"),
            percent(lift.roi, 0),
            _("margin %(margin)s less the cost") % {"margin": money(lift.margin, digits=0)},
        ),
    ]


def _lines(found: Together) -> list[Line]:
    sides = ((_("All others"), found.others), (_("Held out of everything"), found.held_out))
    lines = []
    for name, count in sides:
        interval = wilson(count.share)
        lines.append(
            Line(
                name=name,
                members=whole(count.members),
                buyers=whole(count.conversions),
                rate=percent(count.share.rate, 2),
                interval=f"{percent(interval.low, 2)} – {percent(interval.high, 2)}" if interval else "",
                revenue_each=money(count.money.mean),
            )
        )
    return lines


def _chart(key: str, title: str, unit: str, found: Difference | None, *, factor: float = 1) -> IntervalChart:
    low, high = (found.interval.low * factor, found.interval.high * factor) if found else (None, None)
    return intervals(
        key=key,
        title=title,
        rows=[Row(_("All campaigns"), found.value * factor if found else None, low, high)],
        words=(lambda value: points(value / factor))
        if factor != 1
        else (lambda value: money(value, signed=True)),
        unit=unit,
    )


def _notes(found: Together) -> list[str]:
    notes = []
    if found.lift is not None and found.lift.rate is not None and found.held_out.members:
        rate = found.lift.rate
        notes.append(
            _("Share who bought: a difference between %(low)s and %(high)s (95 %%), %(p)s.")
            % {"low": points(rate.interval.low), "high": points(rate.interval.high), "p": p_value(rate.p)}
        )
    if found.began is not None and found.since == found.began:
        notes.append(
            _("Measured from %(day)s only: since then exactly these members have been held out.")
            % {"day": _day(found.began)}
        )
    return notes
