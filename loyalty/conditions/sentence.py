"""Reads a condition out as a sentence in the active language.

Every operator has a whole pattern of its own, positive and negative, with the field's label as its nominative
subject: no word is inflected or glued on, so Finnish and Swedish translate each pattern as they need.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django_stubs_ext import StrOrPromise

from .fields import OF_DAYS, Field, FieldType, Op
from .tree import AllOf, AnyOf, AnyRow, Comparison, Node, Not, RowMeasure, measured_field

_PATTERNS: Mapping[str, StrOrPromise] = {
    "eq": gettext_lazy("%(field)s is %(value)s"),
    "not eq": gettext_lazy("%(field)s is not %(value)s"),
    "ne": gettext_lazy("%(field)s is something other than %(value)s"),
    "not ne": gettext_lazy("%(field)s is %(value)s or not known"),
    "lt": gettext_lazy("%(field)s is less than %(value)s"),
    "not lt": gettext_lazy("%(field)s is not less than %(value)s"),
    "le": gettext_lazy("%(field)s is at most %(value)s"),
    "not le": gettext_lazy("%(field)s is not at most %(value)s"),
    "gt": gettext_lazy("%(field)s is more than %(value)s"),
    "not gt": gettext_lazy("%(field)s is not more than %(value)s"),
    "ge": gettext_lazy("%(field)s is at least %(value)s"),
    "not ge": gettext_lazy("%(field)s is not at least %(value)s"),
    "in": gettext_lazy("%(field)s is %(value)s"),
    "not in": gettext_lazy("%(field)s is not %(value)s"),
    "between": gettext_lazy("%(field)s is between %(low)s and %(high)s"),
    "not between": gettext_lazy("%(field)s is not between %(low)s and %(high)s"),
    "within_last": gettext_lazy("%(field)s is within the last %(value)s"),
    "not within_last": gettext_lazy("%(field)s is not within the last %(value)s"),
    "within_next": gettext_lazy("%(field)s is within the next %(value)s"),
    "not within_next": gettext_lazy("%(field)s is not within the next %(value)s"),
    "contains": gettext_lazy("%(field)s contains %(value)s"),
    "not contains": gettext_lazy("%(field)s does not contain %(value)s"),
    "is_set": gettext_lazy("%(field)s is known"),
    "not is_set": gettext_lazy("%(field)s is not known"),
}

_MOMENT_PATTERNS: Mapping[str, StrOrPromise] = {
    "lt": gettext_lazy("%(field)s is before %(value)s"),
    "not lt": gettext_lazy("%(field)s is not before %(value)s"),
    "le": gettext_lazy("%(field)s is no later than %(value)s"),
    "not le": gettext_lazy("%(field)s is not %(value)s or earlier"),
    "gt": gettext_lazy("%(field)s is after %(value)s"),
    "not gt": gettext_lazy("%(field)s is not after %(value)s"),
    "ge": gettext_lazy("%(field)s is no earlier than %(value)s"),
    "not ge": gettext_lazy("%(field)s is not %(value)s or later"),
}

_BOOLEAN_PATTERNS: Mapping[str, StrOrPromise] = {
    "eq": gettext_lazy("%(field)s: %(value)s"),
    "not eq": gettext_lazy("%(field)s: not %(value)s"),
}

_LIST_PATTERNS: Mapping[str, StrOrPromise] = {
    "in": gettext_lazy("%(field)s contains %(value)s"),
    "not in": gettext_lazy("%(field)s does not contain %(value)s"),
    "is_set": gettext_lazy("%(field)s is not empty"),
    "not is_set": gettext_lazy("%(field)s is empty"),
}

_BY_TYPE: Mapping[FieldType, Mapping[str, StrOrPromise]] = {
    FieldType.DATE: _MOMENT_PATTERNS,
    FieldType.DATETIME: _MOMENT_PATTERNS,
    FieldType.BOOLEAN: _BOOLEAN_PATTERNS,
    FieldType.TEXT_LIST: _LIST_PATTERNS,
}


def sentence(node: Node, *, always: StrOrPromise = "") -> str:
    """One sentence with its capital and full stop. `always` is what to say when there is nothing to ask."""
    if node == AllOf(()):
        return str(always or _("Always."))
    spoken = clause(node)
    bracket = "(" if spoken.startswith("(") else ""
    return _("%(sentence)s.") % {"sentence": bracket + str(capfirst(spoken.removeprefix(bracket)))}


def clause(node: Node) -> str:
    """The condition as a clause, in lower case and without a full stop."""
    match node:
        case AllOf(children):
            return all_of([_inner(child) for child in children])
        case AnyOf(children):
            return one_of([_inner(child) for child in children])
        case Not(child):
            return _negation(child)
        case _:
            return _leaf(node, negated=False)


def _inner(node: Node) -> str:
    """A child of a group: another group of several parts stands in brackets, so that nothing is ambiguous."""
    if isinstance(node, AllOf | AnyOf) and len(node.children) > 1:
        return _bracketed(clause(node))
    return clause(node)


def _negation(node: Node) -> str:
    match node:
        case Not(child):
            return clause(child)
        case AllOf((only,)) | AnyOf((only,)):
            return _negation(only)
        case AllOf():
            return _("it is not so that %(clause)s") % {"clause": _bracketed(clause(node))}
        case AnyOf(children):
            choice = one_of([_inner(child) for child in children])
            return _("none of these holds: %(clause)s") % {"clause": _bracketed(choice)}
        case _:
            return _leaf(node, negated=True)


def _leaf(node: Comparison | AnyRow | RowMeasure, *, negated: bool) -> str:
    match node:
        case Comparison(field, op, value):
            return _comparison(field, op, value, label=str(field.label), negated=negated)
        case AnyRow(relation, where):
            phrase = str(relation.none if negated else relation.some)
            if where == AllOf(()):
                return phrase
            return _("%(phrase)s with %(clause)s") % {"phrase": phrase, "clause": _bracketed(clause(where))}
        case RowMeasure(relation, where, measure, op, value):
            label = str(measure.label)
            if where != AllOf(()):
                inner = _bracketed(clause(where))
                label = _("%(measure)s with %(clause)s") % {"measure": label, "clause": inner}
            return _comparison(measured_field(relation, measure), op, value, label=label, negated=negated)


def _comparison(field: Field, op: Op, value: Any, *, label: str, negated: bool) -> str:
    key = f"not {op}" if negated else str(op)
    pattern = field.phrases.get(key) or _BY_TYPE.get(field.type, {}).get(key) or _PATTERNS[key]
    words = {"field": label, "value": "", "low": "", "high": ""}
    labels = {code: str(said) for code, said in field.options()} if isinstance(value, str | tuple) else {}
    if op is Op.BETWEEN:
        words["low"], words["high"] = (_said(field, item, labels) for item in value)
    elif op in OF_DAYS:
        words["value"] = ngettext("%(count)s day", "%(count)s days", value) % {"count": number_format(value)}
    elif op is Op.IN:
        words["value"] = one_of([_said(field, item, labels) for item in value])
    elif op is not Op.IS_SET:
        words["value"] = _said(field, value, labels)
    return str(pattern) % words


def _said(field: Field, value: Any, labels: Mapping[str, str]) -> str:
    """A value as people of the active language write it."""
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, datetime):
        return date_format(timezone.localtime(value), "SHORT_DATETIME_FORMAT")
    if isinstance(value, date):
        return date_format(value, "SHORT_DATE_FORMAT")
    if isinstance(value, int | Decimal):
        number = _number(value, money=bool(field.unit))
        return _("%(number)s %(unit)s") % {"number": number, "unit": field.unit} if field.unit else number
    return labels.get(value) or _("“%(text)s”") % {"text": value}


def _number(value: int | Decimal, *, money: bool) -> str:
    """A number with its own decimals; with a unit never just one ("20,50 €")."""
    places = 2 if money and Decimal(value).as_tuple().exponent == -1 else None
    return number_format(
        value, decimal_pos=places, use_l10n=True, force_grouping=not -10_000 < value < 10_000
    )


def _bracketed(text: str) -> str:
    return _("(%(clause)s)") % {"clause": text}


def all_of(parts: Sequence[str]) -> str:
    """ "a, b and c" """
    if len(parts) == 1:
        return parts[0]
    return _("%(first)s and %(last)s") % {"first": ", ".join(parts[:-1]), "last": parts[-1]}


def one_of(parts: Sequence[str]) -> str:
    """ "a, b or c" """
    if len(parts) == 1:
        return parts[0]
    return _("%(first)s or %(last)s") % {"first": ", ".join(parts[:-1]), "last": parts[-1]}
