"""A campaign's result as people read it: what may be said in a sentence, tiles, sides, and charts with intervals."""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from campaigns.experiments.figures import Comparison, Figures, Side, Verdict
from campaigns.models import Campaign
from loyalty import programme
from loyalty.interval_chart import IntervalChart, Row, intervals

TONES = {
    Verdict.GAIN: "good",
    Verdict.LOSS: "bad",
    Verdict.MISTRUST: "bad",
    Verdict.NOT_ENOUGH: "warn",
    Verdict.NO_HOLD_OUT: "warn",
}


@dataclass(frozen=True, slots=True)
class Tile:
    """A figure with what it is and what it rests on."""

    name: str
    value: str
    note: str


@dataclass(frozen=True, slots=True)
class Line:
    """A side of the experiment in words; ``share`` and ``most`` draw its bar."""

    name: str
    members: str
    reached: str
    opened: str
    clicked: str
    conversions: str
    rate: str
    interval: str
    revenue_each: str
    difference: str
    p: str
    share: float
    is_held_out: bool = False


@dataclass(frozen=True, slots=True)
class Shown:
    """A whole result, ready for a page."""

    computed_at: dt.datetime
    is_final: bool
    verdict: str
    tone: str
    headline: str
    explanation: str
    tiles: tuple[Tile, ...]
    lines: tuple[Line, ...]
    rates: IntervalChart
    money: IntervalChart
    notes: tuple[str, ...]


def show(figures: Figures) -> Shown:
    """The figures in the active language."""
    return Shown(
        computed_at=figures.computed_at,
        is_final=figures.is_final,
        verdict=figures.verdict.value,
        tone=TONES.get(figures.verdict, "note"),
        headline=_headline(figures),
        explanation=_explanation(figures),
        tiles=tuple(_tiles(figures)),
        lines=tuple(_lines(figures)),
        rates=_rates(figures),
        money=_money_chart(figures),
        notes=tuple(_notes(figures)),
    )


def goal_words(goal: str, days: int) -> str:
    """“a purchase within 14 days”."""
    name = Campaign.Goal(goal).label
    within = ngettext("within %(days)s day", "within %(days)s days", days) % {"days": days}
    return f"{name} {within}"


def percent(share: float | None, digits: int = 1) -> str:
    """A share as the language writes percentages; a dash where there is none."""
    return "–" if share is None else _("%(number)s %%") % {"number": _written(share * 100, digits)}


def points(difference: float, digits: int = 2) -> str:
    """A difference of shares in percentage points, with its sign."""
    return _("%(number)s pp") % {"number": _signed(difference * 100, digits)}


def money(amount: float | None, *, signed: bool = False, digits: int = 2) -> str:
    """An amount in the base currency."""
    if amount is None:
        return "–"
    currency = {"EUR": "€"}.get(code := programme.current().base_currency, code)
    text = _signed(amount, digits) if signed else _written(amount, digits)
    return f"{text} {currency}"


def whole(number: float | None) -> str:
    return "–" if number is None else _written(round(number), 0)


def p_value(p: float | None) -> str:
    if p is None:
        return "–"
    return _("p < 0.001") if p < 0.001 else _("p = %(p)s") % {"p": _written(p, 3)}


def _written(number: float, digits: int) -> str:
    """A number in the language's own way, rounded (``number_format`` cuts off), with a real minus sign."""
    return number_format(round(number, digits) + 0, digits, force_grouping=True).replace("-", "−")


def _signed(value: float, digits: int) -> str:
    text = _written(abs(value), digits)
    sign = "+" if value > 0 else "−" if value < 0 else "±"
    return f"{sign}{text}"


def _headline(figures: Figures) -> str:
    lift = figures.lift
    match figures.verdict:
        case Verdict.NOBODY:
            return _("Nobody has been decided about yet.")
        case Verdict.NO_HOLD_OUT:
            return _("What it was worth cannot be said: nobody was held out.")
        case Verdict.MISTRUST:
            return _("This result is not to be trusted.")
        case Verdict.NOT_ENOUGH:
            return _("Not enough yet to say whether it made a difference.")
        case Verdict.NO_DIFFERENCE:
            return _("No difference worth speaking of.")
    if figures.goal == Campaign.Goal.SPEND and lift.revenue_each is not None:
        return _("Members spent %(amount)s each because of it.") % {
            "amount": money(lift.revenue_each.value, signed=True)
        }
    change = _written(abs(lift.rate.value) * 100, 2) if lift.rate is not None else "–"
    if figures.verdict is Verdict.GAIN:
        return _("It worked: the share who did what it was for rose by %(change)s percentage points.") % {
            "change": change
        }
    return _("It did harm: the share who did what it was for fell by %(change)s percentage points.") % {
        "change": change
    }


def _explanation(figures: Figures) -> str:
    lift, both = figures.lift, figures.treated.members + figures.held_out.members
    match figures.verdict:
        case Verdict.NOBODY:
            return _("Figures appear here once the campaign has begun.")
        case Verdict.NO_HOLD_OUT:
            return _(
                "Hold out a few per cent next time: those who were not written to show what would have been."
            )
        case Verdict.MISTRUST:
            return _(
                "Members did not fall among the sides as the shares say, and chance hardly explains it (%(p)s)."
                " Something else divided them: a share changed on the way, or rows are missing."
            ) % {"p": p_value(figures.sample_ratio_p)}
        case Verdict.NOT_ENOUGH if lift.needed is None:
            return _("Nobody has reached the goal yet, so the size needed cannot be told.")
        case Verdict.NOT_ENOUGH:
            return _(
                "There are %(have)s members in the experiment. To see a change by a fifth it takes about %(needed)s."
            ) % {"have": whole(both), "needed": whole(lift.needed)}
        case Verdict.NO_DIFFERENCE:
            return _("There were enough members to see a change by a fifth, and none is to be seen.")
    if lift.rate is None:
        return ""
    return _(
        "%(goal)s: %(treated)s of those written to, %(held)s of those held out. The difference lies between"
        " %(low)s and %(high)s (95 %%), %(p)s."
    ) % {
        "goal": goal_words(figures.goal, figures.goal_days).capitalize(),
        "treated": percent(figures.treated.rate, 2),
        "held": percent(figures.held_out.rate, 2),
        "low": points(lift.rate.interval.low),
        "high": points(lift.rate.interval.high),
        "p": p_value(lift.rate.p),
    }


def _tiles(figures: Figures) -> list[Tile]:
    lift, treated = figures.lift, figures.treated
    extra = lift.incremental_interval
    return [
        Tile(
            _("Written to"),
            whole(treated.members),
            _("%(reached)s were reached, %(held)s held out")
            % {"reached": whole(treated.reached), "held": whole(figures.held_out.members)},
        ),
        Tile(
            _("Did it because of the campaign"),
            whole(lift.incremental),
            _between(extra.low, extra.high, whole) if extra else "",
        ),
        Tile(
            _("Revenue because of the campaign"),
            money(lift.revenue, digits=0),
            _between(
                lift.revenue_interval.low, lift.revenue_interval.high, lambda value: money(value, digits=0)
            )
            if lift.revenue_interval
            else "",
        ),
        Tile(_("Cost"), money(lift.cost), _("points, vouchers and sending")),
        Tile(
            _("Return"),
            percent(lift.roi, 0),
            _("margin %(margin)s less the cost") % {"margin": money(lift.margin, digits=0)},
        ),
    ]


def _between(low: float, high: float, words: Callable[[float], str]) -> str:
    return _("between %(low)s and %(high)s") % {"low": words(low), "high": words(high)}


def _lines(figures: Figures) -> list[Line]:
    sides = [*figures.variants, figures.held_out]
    most = max((side.rate or 0 for side in sides), default=0)
    compared: dict[str, Comparison] = {each.code: each for each in figures.against_held_out}
    return [_line(side, compared.get(side.code), most) for side in sides]


def _line(side: Side, compared: Comparison | None, most: float) -> Line:
    found = compared.rate if compared else None
    interval = side.rate_interval
    held_out = compared is None
    return Line(
        name=_("Held out")
        if held_out
        else _("Variant %(name)s") % {"name": f"{side.code} {side.name}".strip()},
        members=whole(side.members),
        reached="–" if held_out else whole(side.reached),
        opened="–" if held_out else percent(_of(side.opened, side.reached)),
        clicked="–" if held_out else percent(_of(side.clicked, side.reached)),
        conversions=whole(side.conversions),
        rate=percent(side.rate, 2),
        interval=f"{percent(interval.low, 2)} – {percent(interval.high, 2)}" if interval else "",
        revenue_each=money(side.revenue_each),
        difference=points(found.value) if found else "",
        p=p_value(found.p) if found else "",
        share=(side.rate or 0) / most if most else 0,
        is_held_out=held_out,
    )


def _of(part: int, whole_: int) -> float | None:
    return part / whole_ if whole_ else None


def _compared(figures: Figures) -> Sequence[tuple[str, Comparison]]:
    """All written to, and each variant where there are several, beside those held out."""
    several = len(figures.variants) > 1
    variants = [
        (_("Variant %(name)s") % {"name": each.code}, each) for each in figures.against_held_out if several
    ]
    return [(_("All written to"), figures.lift), *variants]


def _rates(figures: Figures) -> IntervalChart:
    def row(name: str, each: Comparison) -> Row:
        if each.rate is None:
            return Row(name, None, None, None)
        return Row(name, each.rate.value * 100, each.rate.interval.low * 100, each.rate.interval.high * 100)

    return intervals(
        key="rates",
        title=_("Difference to those held out, in percentage points: %(goal)s")
        % {"goal": goal_words(figures.goal, figures.goal_days)},
        rows=[row(name, each) for name, each in _compared(figures)],
        words=lambda value: _signed(value, 2),
        unit=_("Percentage points"),
    )


def _money_chart(figures: Figures) -> IntervalChart:
    def row(name: str, each: Comparison) -> Row:
        if each.revenue_each is None:
            return Row(name, None, None, None)
        interval = each.revenue_each.interval
        return Row(name, each.revenue_each.value, interval.low, interval.high)

    return intervals(
        key="money",
        title=_("Difference to those held out, in revenue a member"),
        rows=[row(name, each) for name, each in _compared(figures)],
        words=lambda value: money(value, signed=True),
        unit=_("Revenue a member"),
    )


def _notes(figures: Figures) -> list[str]:
    notes = []
    if figures.of_trial_only:
        notes.append(
            _(
                "The variants are compared by the members they were tried on, before one took over. Those who got the"
                " winner later count with all written to."
            )
        )
    if figures.open_windows:
        notes.append(
            ngettext(
                "The window of %(count)s member is still open: the figures will change.",
                "The windows of %(count)s members are still open: the figures will change.",
                figures.open_windows,
            )
            % {"count": whole(figures.open_windows)}
        )
    if figures.variants_p is not None:
        notes.append(
            _("The two best variants beside each other: %(p)s. Below 0.05 chance alone rarely shows as much.")
            % {"p": p_value(figures.variants_p)}
        )
    if figures.sample_ratio_p is not None and figures.verdict is not Verdict.MISTRUST:
        notes.append(
            _("The sides are as large as they should be (check of the sample ratio: %(p)s).")
            % {"p": p_value(figures.sample_ratio_p)}
        )
    if figures.not_in_experiment:
        notes.append(
            ngettext(
                "%(count)s member could not be written to and is on no side.",
                "%(count)s members could not be written to and are on no side.",
                figures.not_in_experiment,
            )
            % {"count": whole(figures.not_in_experiment)}
        )
    return notes
