"""An earning rule read out as one natural sentence in the active language, and how two revisions differ.

“Double points on products of the category PASTRY, on Saturdays and Sundays, for Silver and above, at most 200 points
per member a month.” Each part is a whole pattern of its own, so that every language can put it its own way.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.utils.formats import date_format, number_format
from django.utils.text import capfirst
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django_stubs_ext import StrOrPromise

from loyalty import conditions
from loyalty.conditions import sentence
from loyalty.conditions.fields import Op
from loyalty.conditions.tree import AllOf, AnyRow, Comparison, Node
from loyalty.programme import current
from rewards.models import RuleRevision

Effect, Period, Stacking = RuleRevision.Effect, RuleRevision.Period, RuleRevision.Stacking


def number(value: int | Decimal) -> str:
    """A number as people write it, without decimals that say nothing."""
    whole = value == int(value)
    return number_format(int(value) if whole else value, force_grouping=True)


def sentence_of(revision: RuleRevision) -> str:
    """The whole rule as one sentence, with capital and full stop. Its wallet has to be loaded."""
    parts = [part for part in _parts(revision) if part]
    return _("%(sentence)s.") % {"sentence": capfirst(", ".join(parts))}


def what_it_gives(revision: RuleRevision) -> str:
    """The heart of it, for lists: “1 point for each full 1 EUR; counts towards tiers”."""
    parts = [what(revision)]
    if revision.qualifying:
        parts.append(_("counts towards tiers"))
    return "; ".join([*parts, *_waiting(revision)])


def when_it_gives(revision: RuleRevision) -> str:
    """The conditions as a sentence of their own."""
    try:
        condition = conditions.parse(revision.conditions or {}, "activity", check_choices=False)
    except conditions.ConditionError:
        return _("These conditions cannot be read.")
    return condition.sentence(always=_("For every activity."))


def _parts(revision: RuleRevision) -> Iterator[str]:
    yield what(revision)
    yield from when(revision)
    yield from limits(revision)
    if revision.needs_activation:
        yield _("once the member has activated the offer")
    yield from _waiting(revision)
    if revision.stack_group and revision.stacking == Stacking.BEST:
        yield _("only when it is the best of the group “%(group)s”") % {"group": revision.stack_group}
    if revision.stack_group and revision.stacking == Stacking.EXCLUSIVE:
        yield _("only when no earlier rule of the group “%(group)s” gives") % {"group": revision.stack_group}
    if not revision.wallet.is_default:
        yield _("into the wallet “%(wallet)s”") % {"wallet": revision.wallet}
    if revision.qualifying:
        yield _("counting towards tiers")


# --- What it gives ----------------------------------------------------------------------------------------------------


def points_text(points: int) -> str:
    """“1 point”, “200 points”."""
    return ngettext("%(points)s point", "%(points)s points", points) % {"points": number(points)}


def what(revision: RuleRevision) -> str:
    """What it gives, and for which products."""
    return _EFFECTS[revision.effect](revision, lines_of(revision))


def _per_amount(revision: RuleRevision, lines: str) -> str:
    words = {
        "points": points_text(revision.points),
        "amount": number(revision.amount or 0),
        "currency": current().base_currency,
        "lines": lines,
    }
    full = revision.rounding == RuleRevision.Rounding.DOWN
    if lines and full:
        return _("%(points)s for each full %(amount)s %(currency)s spent on %(lines)s") % words
    if lines:
        return _("%(points)s for each %(amount)s %(currency)s spent on %(lines)s") % words
    if full:
        return _("%(points)s for each full %(amount)s %(currency)s") % words
    return _("%(points)s for each %(amount)s %(currency)s") % words


def _fixed(revision: RuleRevision, lines: str) -> str:
    words = {"points": points_text(revision.points), "lines": lines}
    return _("%(points)s for buying %(lines)s") % words if lines else words["points"]


def _multiplier(revision: RuleRevision, lines: str) -> str:
    words = {"times": number(revision.factor or 1), "lines": lines}
    if revision.factor == Decimal(2):
        return _("double points on %(lines)s") % words if lines else _("double points")
    if revision.factor == Decimal(3):
        return _("triple points on %(lines)s") % words if lines else _("triple points")
    if lines:
        return _("%(times)s times the base points on %(lines)s") % words
    return _("%(times)s times the base points") % words


def _per_unit(revision: RuleRevision, lines: str) -> str:
    words = {"points": points_text(revision.points), "lines": lines or _("any product")}
    return _("%(points)s for each unit of %(lines)s") % words


def _per_line(revision: RuleRevision, lines: str) -> str:
    words = {"points": points_text(revision.points), "lines": lines or _("any product")}
    return _("%(points)s for each purchase line of %(lines)s") % words


def _tier_bonus(revision: RuleRevision, lines: str) -> str:
    return _("the tier's extra on top of qualifying points")


_EFFECTS: Mapping[str, Callable[[RuleRevision, str], str]] = {
    Effect.PER_AMOUNT: _per_amount,
    Effect.FIXED: _fixed,
    Effect.MULTIPLIER: _multiplier,
    Effect.PER_UNIT: _per_unit,
    Effect.PER_LINE: _per_line,
    Effect.TIER_BONUS: _tier_bonus,
}

_LINES: Mapping[str, StrOrPromise] = {
    "category": gettext_lazy("products of the category %(values)s"),
    "department": gettext_lazy("products of the department %(values)s"),
    "brand": gettext_lazy("products of the brand %(values)s"),
    "sku": gettext_lazy("the product %(values)s"),
}


def lines_of(revision: RuleRevision) -> str:
    """The purchase lines that count, as the object of a clause; "" for all."""
    node = _read(revision.lines, "line")
    if node is None:
        return _("products that cannot be read")
    only = node.children[0] if isinstance(node, AllOf) and len(node.children) == 1 else node
    if only == AllOf(()):
        return ""
    if isinstance(only, Comparison) and only.op in (Op.EQ, Op.IN) and only.field.name in _LINES:
        return str(_LINES[only.field.name]) % {"values": sentence.one_of(_values(only))}
    return _("purchase lines where %(condition)s") % {"condition": sentence.clause(node)}


# --- When and for whom ------------------------------------------------------------------------------------------------

_DAYS: Mapping[str, StrOrPromise] = {
    "1": gettext_lazy("Mondays"),
    "2": gettext_lazy("Tuesdays"),
    "3": gettext_lazy("Wednesdays"),
    "4": gettext_lazy("Thursdays"),
    "5": gettext_lazy("Fridays"),
    "6": gettext_lazy("Saturdays"),
    "7": gettext_lazy("Sundays"),
}


def when(revision: RuleRevision) -> list[str]:
    """The conditions on the activity, each as a part of the sentence; those everybody knows in everyday words."""
    node = _read(revision.conditions, "activity")
    if node is None:
        return [_("under conditions that cannot be read")]
    children = node.children if isinstance(node, AllOf) else (node,)
    spoken = [(child, _everyday(child)) for child in children]
    others = [child for child, said in spoken if not said]
    parts = [said for _child, said in spoken if said]
    if others:
        rest = others[0] if len(others) == 1 else AllOf(tuple(others))
        parts.append(_("when %(condition)s") % {"condition": sentence.clause(rest)})
    return parts


def _everyday(node: Node) -> str:
    """A part such as “on Saturdays and Sundays”; "" when there is no everyday way to say it."""
    if isinstance(node, AnyRow):
        return _buying(node)
    if not isinstance(node, Comparison):
        return ""
    name, values = node.field.name, _values(node)
    if node.op in (Op.EQ, Op.IN):
        if name == "weekday":
            chosen = sorted(node.value if isinstance(node.value, tuple) else (node.value,))
            return _("on %(days)s") % {"days": sentence.all_of([str(_DAYS.get(day, day)) for day in chosen])}
        if name == "tier":
            return _("for %(tiers)s") % {"tiers": sentence.all_of(values)}
        if name == "kind":
            return _("for the activity %(kinds)s") % {"kinds": sentence.one_of(values)}
        if name == "store":
            return _("in the store %(stores)s") % {"stores": sentence.one_of(values)}
        if name == "purchase_number" and node.op is Op.EQ and node.value == 1:
            return _("on the first purchase")
    if name == "tier_reached" and node.op is Op.CONTAINS:
        return _("for %(tier)s and above") % {"tier": values[0]}
    if name == "total" and node.op is Op.GE:
        money = {"amount": number(node.value), "currency": current().base_currency}
        return _("when the total is at least %(amount)s %(currency)s") % money
    return ""


def _buying(node: AnyRow) -> str:
    """“when the purchase has products of the category PASTRY”."""
    where = node.where
    only = where.children[0] if isinstance(where, AllOf) and len(where.children) == 1 else where
    if isinstance(only, Comparison) and only.op in (Op.EQ, Op.IN) and only.field.name in _LINES:
        said = str(_LINES[only.field.name]) % {"values": sentence.one_of(_values(only))}
        return _("when the purchase has %(lines)s") % {"lines": said}
    return ""


def _values(node: Comparison) -> list[str]:
    labels = {code: str(label) for code, label in node.field.options()}
    raw = node.value if isinstance(node.value, tuple) else (node.value,)
    return [labels.get(value, str(value)) for value in raw]


def _read(data: Any, subject: str) -> Node | None:
    try:
        return conditions.parse(data or {}, subject, check_choices=False).node
    except conditions.ConditionError:
        return None


# --- How much at most, and from when ----------------------------------------------------------------------------------

_PER_MEMBER: Mapping[str, StrOrPromise] = {
    Period.DAY: gettext_lazy("at most %(points)s per member a day"),
    Period.WEEK: gettext_lazy("at most %(points)s per member a week"),
    Period.MONTH: gettext_lazy("at most %(points)s per member a month"),
    Period.YEAR: gettext_lazy("at most %(points)s per member a year"),
    Period.EVER: gettext_lazy("at most %(points)s per member in all"),
}


def limits(revision: RuleRevision) -> Iterator[str]:
    """Caps, budget and cooldown."""
    if revision.cap_per_activity is not None:
        cap = {"points": points_text(revision.cap_per_activity)}
        if revision.over_cap == RuleRevision.OverCap.REJECT:
            yield _("nothing when it would be more than %(points)s at once") % cap
        else:
            yield _("at most %(points)s at once") % cap
    if revision.cap_per_member is not None:
        yield str(_PER_MEMBER[revision.cap_period]) % {"points": points_text(revision.cap_per_member)}
    if revision.budget is not None:
        yield _("until %(points)s have been given in all") % {"points": points_text(revision.budget)}
    if days := revision.cooldown_days:
        yield (
            ngettext(
                "not again for a member within %(days)s day",
                "not again for a member within %(days)s days",
                days,
            )
            % {"days": days}
        )


def _waiting(revision: RuleRevision) -> Iterator[str]:
    if revision.pending_confirmation:
        yield _("pending until the partner confirms")
    if days := revision.pending_days:
        yield ngettext("pending for %(days)s day", "pending for %(days)s days", days) % {"days": days}
    if revision.pending_until is not None:
        until = date_format(localtime(revision.pending_until), "SHORT_DATETIME_FORMAT")
        yield _("pending until %(moment)s at the earliest") % {"moment": until}


# --- What changed -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that two revisions say differently; "–" stands for nothing."""

    label: str
    before: str
    after: str


def differences(before: RuleRevision, after: RuleRevision) -> list[Change]:
    """What the later of two revisions changed, in the order of the form."""
    old, new = _table(before), _table(after)
    return [Change(label, old.get(label, "–"), said) for label, said in new.items() if said != old.get(label)]


def _table(revision: RuleRevision) -> dict[str, str]:
    names: Sequence[str] = (
        "effect", "points", "amount", "factor", "rounding", "stack_group", "stacking", "priority", "wallet",
        "qualifying", "needs_activation", "cap_per_activity", "over_cap", "cap_per_member", "cap_period", "budget",
        "cooldown_days", "pending_days", "pending_until", "pending_confirmation",
    )  # fmt: skip
    table = {_label(name): _shown(revision, name) for name in names}
    table[str(capfirst(_label("lines")))] = lines_of(revision) or _("all")
    table[str(capfirst(_label("conditions")))] = ", ".join(when(revision)) or _("every activity")
    return table


def _label(name: str) -> str:
    return str(capfirst(str(RuleRevision._meta.get_field(name).verbose_name)))  # type: ignore[union-attr]


def _shown(revision: RuleRevision, name: str) -> str:
    value = getattr(revision, name)
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if hasattr(revision, f"get_{name}_display"):
        return str(getattr(revision, f"get_{name}_display")())
    if isinstance(value, int | Decimal):
        return number(value)
    if hasattr(value, "tzinfo"):
        return date_format(localtime(value), "SHORT_DATETIME_FORMAT")
    return str(value)
