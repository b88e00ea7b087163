"""A programme's terms read out for staff: one sentence, what a revision changed, and what the programme has come to."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Count
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from referrals import milestones, programmes, wording
from referrals.models import ProgrammeTerms, ProgrammeUse, Referral, ReferralProgramme
from referrals.states import EARNED, OPEN, State
from rewards.models import VoucherFamily
from rewards.wording import number

_SHOWN = (
    "trigger", "purchases", "spend", "activity_kind", "minimum_purchase", "within_days", "waiting_days",
    "attribution_days", "touch", "referrer_points", "friend_points", "referrer_voucher", "friend_voucher",
    "referrer_badge", "milestones", "cap", "cap_per_period", "cap_period_days", "budget_points", "hold_from",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Change:
    """A column of the terms that a revision changed, in words."""

    label: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What a programme has come to: friends by where they stand, points given, and what is left of its budget.

    ``waiting`` counts those who have qualified and wait; ``budget_left`` is None without a budget.
    """

    joined: int
    open: int
    waiting: int
    held: int
    rewarded: int
    points: int
    budget: int | None
    budget_left: int | None


def sentence(terms: ProgrammeTerms) -> str:
    """“The referrer gets 500 points and the friend 500 points, for a first purchase … ” as staff read it back."""
    referrer, friend = wording.referrers_gift(terms), wording.friends_gift(terms)
    if terms.referrer_badge is not None:
        badge = _("the badge %(badge)s") % {"badge": terms.referrer_badge}
        referrer = _(" and ").join(part for part in (referrer, badge) if part)
    parts = [
        _("The referrer gets %(referrer)s, the friend %(friend)s, for %(what)s")
        % {
            "referrer": referrer or _("nothing"),
            "friend": friend or _("nothing"),
            "what": wording.what_it_takes(terms),
        },
        ngettext("within %(days)s day of joining", "within %(days)s days of joining", terms.within_days)
        % {"days": terms.within_days},
    ]
    if terms.waiting_days:
        parts.append(
            ngettext("after waiting for %(days)s day", "after waiting for %(days)s days", terms.waiting_days)
            % {"days": terms.waiting_days}
        )
    return ", ".join([*parts, *_limits(terms)]) + "."


def _limits(terms: ProgrammeTerms) -> Iterable[str]:
    if terms.cap:
        yield ngettext("at most %(count)s friend each", "at most %(count)s friends each", terms.cap) % {
            "count": number(terms.cap)
        }
    if terms.cap_per_period:
        yield _("%(count)s in %(days)s days") % {
            "count": number(terms.cap_per_period),
            "days": terms.cap_period_days,
        }
    if terms.budget_points:
        yield _("until %(points)s points have been given in all") % {"points": number(terms.budget_points)}


def milestone_texts(terms: ProgrammeTerms) -> list[str]:
    """“3 friends: 500 points” for each milestone."""
    steps = milestones.of(terms)
    families = VoucherFamily.objects.in_bulk(
        [step.voucher_family_id for step in steps if step.voucher_family_id]
    )
    return [
        "{}: {}".format(
            ngettext("%(count)s friend", "%(count)s friends", step.friends) % {"count": number(step.friends)},
            wording.what_it_gives(step.points, families.get(step.voucher_family_id or 0)),
        )
        for step in steps
    ]


def differences(earlier: ProgrammeTerms, later: ProgrammeTerms) -> list[Change]:
    """What the later terms changed, column by column."""
    return [
        Change(capfirst(str(_label(name))), _value(earlier, name), _value(later, name))
        for name in _SHOWN
        if getattr(earlier, name) != getattr(later, name)
    ]


def _label(name: str) -> Any:
    return ProgrammeTerms._meta.get_field(name).verbose_name  # type: ignore[union-attr]


def _value(terms: ProgrammeTerms, name: str) -> str:
    if name == "milestones":
        return "; ".join(milestone_texts(terms)) or "–"
    display = getattr(terms, f"get_{name}_display", None)
    value = display() if display else getattr(terms, name)
    if value in (None, ""):
        return "–"
    return number(value) if isinstance(value, int) else str(value)


def figures_of(programme: ReferralProgramme, *, at: dt.datetime) -> Figures:
    """What a programme has come to by ``at``. Three statements, however many friends."""
    by_state = dict(
        Referral.objects.filter(terms__programme=programme)
        .order_by()
        .values_list("state")
        .annotate(count=Count("pk"))
    )
    use = ProgrammeUse.objects.filter(programme=programme).first()
    given = use.points if use else 0
    terms = programmes.terms_at(programme.pk, at) or programme.terms.order_by("number").first()
    budget = terms.budget_points if terms else None
    return Figures(
        joined=sum(by_state.values()),
        open=sum(by_state.get(state, 0) for state in OPEN),
        waiting=sum(by_state.get(state, 0) for state in EARNED - {State.HELD}),
        held=by_state.get(State.HELD, 0),
        rewarded=by_state.get(State.REWARDED, 0),
        points=given,
        budget=budget,
        budget_left=max(budget - given, 0) if budget is not None else None,
    )
