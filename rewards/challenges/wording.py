"""Challenges in words: what a step takes, what it brings, and the whole as one sentence that staff read back."""

import datetime as dt
from decimal import Decimal

from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, npgettext

from loyalty import programme
from loyalty.conditions.sentence import all_of
from loyalty.translated import in_language
from rewards.challenges.goals import Measure, Recurs, Window
from rewards.challenges.terms import Terms
from rewards.models import ChallengeStep


def figure(amount: Decimal) -> str:
    """An amount without needless decimals, as the language writes it."""
    places = 0 if amount == amount.to_integral_value() else 2
    return number_format(amount, places, use_l10n=True, force_grouping=True)


def amount_text(measure: str, amount: Decimal) -> str:
    """“5 different categories”, “100 EUR”, “3 weeks in a row”."""
    number = int(amount)
    words = {"count": figure(amount), "currency": programme.current().base_currency}
    text = {
        Measure.COUNT: ngettext("%(count)s time", "%(count)s times", number),
        Measure.SPEND: _("%(count)s %(currency)s"),
        Measure.QUANTITY: ngettext("%(count)s product", "%(count)s products", number),
        Measure.CATEGORIES: ngettext("%(count)s category", "%(count)s different categories", number),
        Measure.DEPARTMENTS: ngettext("%(count)s department", "%(count)s different departments", number),
        Measure.STORES: ngettext("%(count)s store", "%(count)s different stores", number),
        Measure.STREAK_DAYS: npgettext("streak", "%(count)s day", "%(count)s days in a row", number),
        Measure.STREAK_WEEKS: npgettext("streak", "%(count)s week", "%(count)s weeks in a row", number),
    }[Measure(measure)]
    return text % words


def missing_text(measure: str, amount: Decimal) -> str:
    """What is missing to the next step: “2 categories to go”."""
    number = int(amount)
    words = {"count": figure(amount), "currency": programme.current().base_currency}
    text = {
        Measure.COUNT: ngettext("%(count)s time to go", "%(count)s times to go", number),
        Measure.SPEND: _("%(count)s %(currency)s to go"),
        Measure.QUANTITY: ngettext("%(count)s product to go", "%(count)s products to go", number),
        Measure.CATEGORIES: ngettext("%(count)s category to go", "%(count)s categories to go", number),
        Measure.DEPARTMENTS: ngettext("%(count)s department to go", "%(count)s departments to go", number),
        Measure.STORES: ngettext("%(count)s store to go", "%(count)s stores to go", number),
        Measure.STREAK_DAYS: ngettext("%(count)s day to go", "%(count)s days to go", number),
        Measure.STREAK_WEEKS: ngettext("%(count)s week to go", "%(count)s weeks to go", number),
    }[Measure(measure)]
    return text % words


def prizes(step: ChallengeStep) -> list[str]:
    """What a step brings, a phrase for each prize."""
    found = []
    if step.points:
        text = ngettext("%(count)s point", "%(count)s points", step.points)
        found.append(text % {"count": number_format(step.points, force_grouping=True)})
    if step.badge is not None:
        found.append(badge_text(in_language(step.badge.names), step.badge_level, step.badge.levels))
    if step.voucher_family is not None:
        found.append(_("voucher: %(name)s") % {"name": step.voucher_family.name})
    if step.draw is not None:
        text = ngettext(
            "%(count)s chance in the draw “%(name)s”",
            "%(count)s chances in the draw “%(name)s”",
            step.draw_chances,
        )
        found.append(text % {"count": step.draw_chances, "name": step.draw.name})
    return found


def badge_text(name: str, level: int, levels: int) -> str:
    """“badge Explorer”, or with its level where it has several."""
    if levels > 1:
        return _("badge “%(name)s”, level %(level)s") % {"name": name, "level": level}
    return _("badge “%(name)s”") % {"name": name}


def time_left(ends_at: dt.datetime | None, *, at: dt.datetime) -> str:
    """“3 days left”, “5 hours left”; "" without an end. Days are whole days still to come."""
    if ends_at is None or ends_at <= at:
        return ""
    left = ends_at - at
    if left >= dt.timedelta(days=1):
        return ngettext("%(count)s day left", "%(count)s days left", left.days) % {"count": left.days}
    hours = left.seconds // 3600
    if hours:
        return ngettext("%(count)s hour left", "%(count)s hours left", hours) % {"count": hours}
    return _("less than an hour left")


def sentence(known: Terms) -> str:
    """The whole challenge as staff read it back, in the active language."""
    goal = known.goal
    parts = [_taking_part(known), _when(known), _again(known)]
    for target in goal.targets:
        step = known.steps[target.step_id]
        words = {
            "amount": amount_text(goal.measure, target.amount),
            "prizes": all_of(prizes(step) or [_("nothing")]),
        }
        parts.append(_("%(amount)s: %(prizes)s.") % words)
    if goal.grace:
        missed = ngettext("%(count)s may be missed.", "%(count)s may be missed.", goal.grace)
        parts.append(missed % {"count": goal.grace})
    if known.condition:
        parts.append(_("What counts: %(condition)s") % {"condition": known.condition.sentence()})
    if known.lines:
        parts.append(_("Products that count: %(condition)s") % {"condition": known.lines.sentence()})
    return " ".join(part for part in parts if part)


def _taking_part(known: Terms) -> str:
    asked = []
    if known.challenge.minimum_tier is not None:
        asked.append(_("from tier %(tier)s") % {"tier": known.challenge.minimum_tier})
    text = (
        _("Members who join in take part")
        if known.goal.by_choice
        else _("Everybody takes part from the first activity that counts")
    )
    if asked:
        text = _("%(who)s, %(limit)s") % {"who": text, "limit": asked[0]}
    said = _("%(sentence)s.") % {"sentence": text}
    if known.audience:
        said += " " + _("For whom: %(condition)s") % {"condition": known.audience.sentence()}
    return said


def _when(known: Terms) -> str:
    goal = known.goal
    words = {
        "start": _moment(goal.starts_at),
        "end": _moment(goal.ends_at) if goal.ends_at else "",
        "count": goal.days,
    }
    open_ = (
        _("From %(start)s until %(end)s.") % words
        if goal.ends_at
        else _("From %(start)s, without an end.") % words
    )
    if goal.window == Window.FROM_JOINING:
        days = ngettext(
            "Each member has the day of joining in and %(count)s day more.",
            "Each member has the day of joining in and %(count)s days more.",
            goal.days or 0,
        )
        return f"{open_} {days % words}"
    return open_


def _moment(at: dt.datetime) -> str:
    return date_format(timezone.localtime(at), "SHORT_DATETIME_FORMAT")


def _again(known: Terms) -> str:
    return {
        Recurs.NEVER: _("Once."),
        Recurs.ON_COMPLETION: _("Anew as soon as it is completed."),
        Recurs.WEEKLY: _("Anew every week."),
        Recurs.MONTHLY: _("Anew every month."),
    }[Recurs(known.goal.recurs)]
