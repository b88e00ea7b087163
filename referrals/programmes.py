"""Programmes and their terms: which one is a member's now, and how staff revise, start, pause and end them.

Terms once used are never edited: a revision is the next number, valid from a date on. Called by attribution, the
portal, the API and the admin.
"""

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from itertools import pairwise
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from loyalty import conditions
from loyalty.conditions import Condition
from members.models import ActivityKind, Member
from members.segments.definition import codes_in
from referrals import milestones
from referrals.models import ProgrammeTerms, ProgrammeUse, Referral, ReferralProgramme
from rewards.challenges.taking_part import asking

Status, Trigger = ReferralProgramme.Status, ProgrammeTerms.Trigger
COLUMNS = (
    "trigger", "purchases", "spend", "activity_kind", "minimum_purchase", "within_days", "waiting_days",
    "attribution_days", "touch", "referrer_points", "friend_points", "referrer_voucher_id", "friend_voucher_id",
    "referrer_badge_id", "milestones", "cap", "cap_per_period", "cap_period_days", "budget_points", "hold_from",
)  # fmt: skip
"""What a revision says; a keyword of :func:`revise` each. What is not said stays as it was before."""


class ProgrammeRefused(Exception):
    """The programme cannot be so, or this cannot be done with it; ``field`` is what to mend (blank: the whole)."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


# --- Whose is which -----------------------------------------------------------------------------------------------


def programme_of(member: Member, at: dt.datetime) -> ProgrammeTerms | None:
    """The terms, valid at ``at``, of the first programme by priority that runs then and is meant for the member.

    Two statements; two more where an audience has to be asked. The tier has to be loaded or costs one more.
    """
    valid = valid_terms(running(at), at)
    facts: Mapping[str, Any] | None = None
    for terms in valid.values():
        if terms.programme.audience:
            facts = facts if facts is not None else asking(member, at=at)
            if not _audience(terms.programme).matches(facts, at=at, today=facts["today"]):
                continue
        return terms
    return None


def running(at: dt.datetime) -> QuerySet[ReferralProgramme]:
    """The programmes that take new friends at ``at``, the first by priority first."""
    return ReferralProgramme.objects.filter(
        Q(starts_at=None) | Q(starts_at__lte=at),
        Q(ends_at=None) | Q(ends_at__gt=at),
        status=Status.RUNNING,
        archived_at=None,
    ).order_by("-priority", "code")


def valid_terms(programmes: QuerySet[ReferralProgramme], at: dt.datetime) -> dict[int, ProgrammeTerms]:
    """The terms valid at ``at`` by programme id, in the order of the programmes; without those that have none yet."""
    ordered = list(programmes)
    rows = (
        ProgrammeTerms.objects.filter(programme__in=ordered, valid_from__lte=at)
        .order_by("programme_id", "-valid_from")
        .distinct("programme_id")
    )
    found = {row.programme_id: row for row in rows}
    for programme in ordered:
        if programme.pk in found:
            found[programme.pk].programme = programme
    return {programme.pk: found[programme.pk] for programme in ordered if programme.pk in found}


def terms_at(programme_id: int, at: dt.datetime) -> ProgrammeTerms | None:
    """The terms of a programme valid at ``at``, whether it runs or not."""
    return (
        ProgrammeTerms.objects.filter(programme_id=programme_id, valid_from__lte=at)
        .order_by("-valid_from")
        .first()
    )


def programmes_for_segment(code: str) -> list[str]:
    """The names of programmes in use whose audience names a segment."""
    in_use = ReferralProgramme.objects.filter(archived_at=None).exclude(status=Status.ENDED)
    return [str(each) for each in in_use if each.audience and code in codes_in(_audience(each).node)]


def _audience(programme: ReferralProgramme) -> Condition:
    return conditions.parse(programme.audience, "audience", check_choices=False)


# --- Making and revising ------------------------------------------------------------------------------------------


def create(*, code: str, names: Mapping[str, str], at: dt.datetime, **said: Any) -> ReferralProgramme:
    """A new draft with its first terms; ``said`` are columns of the programme and of its terms.

    Raises ProgrammeRefused for what cannot be.
    """
    of_terms = {name: said.pop(name) for name in COLUMNS if name in said}
    with transaction.atomic():
        programme = ReferralProgramme(code=code, names=dict(names), **said)
        check_programme(programme)
        programme.save()
        revise(programme_id=programme.pk, at=at, **of_terms)
    return programme


def check_programme(programme: ReferralProgramme) -> None:
    """Raise ProgrammeRefused unless its dates and its audience make sense."""
    if programme.starts_at and programme.ends_at and programme.ends_at <= programme.starts_at:
        raise ProgrammeRefused("ends_at", _("Choose an end after the beginning."))
    try:
        conditions.parse(programme.audience or {}, "audience")
    except conditions.ConditionError as error:
        raise ProgrammeRefused("audience", str(error)) from error


def revise(
    *, programme_id: int, at: dt.datetime, valid_from: dt.datetime | None = None, **said: Any
) -> ProgrammeTerms:
    """Put new terms in force from ``valid_from`` on (default: now); ``said`` are any of COLUMNS.

    What a draft has, and what waits to begin, gives way to it as long as no friend came under it. Raises
    ProgrammeRefused for terms that cannot be, a date in the past, or one before terms that are in use. A larger budget
    lets referrals be settled that waited for it.
    """
    if unknown := set(said) - set(COLUMNS):
        raise TypeError(f"No terms of a programme: {', '.join(sorted(unknown))}.")
    with transaction.atomic():
        programme = ReferralProgramme.objects.select_for_update().get(pk=programme_id)
        if programme.archived_at is not None:
            raise ProgrammeRefused("", _("This programme is archived."))
        latest = programme.terms.order_by("-number").first()
        before = {name: getattr(latest, name) for name in COLUMNS} if latest else {}
        replaced = latest is not None and _gives_way(programme, latest, at=at)
        if latest is not None and replaced:
            number, start = (
                latest.number,
                valid_from or (latest.valid_from if programme.status == Status.DRAFT else at),
            )
            latest.delete()
            latest = programme.terms.order_by("-number").first()
        else:
            number, start = (latest.number if latest else 0) + 1, valid_from or at
            if start < at:
                raise ProgrammeRefused(
                    "valid_from", _("Friends of that time have joined already. Choose a later time.")
                )
        _refuse_before(latest, start)
        new = ProgrammeTerms(programme=programme, number=number, valid_from=start, **{**before, **said})
        check(new)
        new.save()
        ProgrammeUse.objects.get_or_create(programme=programme)
        wake(programme_id, due_at=max(start, at))
    return new


def _gives_way(programme: ReferralProgramme, latest: ProgrammeTerms, *, at: dt.datetime) -> bool:
    waits = programme.status == Status.DRAFT or latest.valid_from > at
    return waits and not Referral.objects.filter(terms=latest).exists()


def _refuse_before(latest: ProgrammeTerms | None, start: dt.datetime) -> None:
    if latest is not None and start <= latest.valid_from:
        begins = date_format(localtime(latest.valid_from), "SHORT_DATETIME_FORMAT")
        raise ProgrammeRefused(
            "valid_from",
            _("Other terms begin on %(begins)s. Choose a later time.") % {"begins": begins},
        )


def wake(programme_id: int, *, due_at: dt.datetime, most: int | None = None) -> int:
    """Let referrals be settled again that wait for room in the programme's budget, the oldest first; how many."""
    waiting = Referral.objects.filter(
        terms__programme=programme_id,
        state=Referral.State.QUALIFIED,
        reason=Referral.Reason.BUDGET,
        due_at=None,
    )
    return Referral.objects.filter(pk__in=waiting.order_by("pk").values("pk")[:most]).update(due_at=due_at)


def check(terms: ProgrammeTerms) -> None:
    """Raise ProgrammeRefused unless these terms make sense together."""
    try:
        terms.clean_fields(exclude=["programme"])
    except ValidationError as error:
        field, messages = next(iter(error.message_dict.items()))
        raise ProgrammeRefused(field, messages[0]) from error
    if terms.trigger == Trigger.SPEND and terms.spend <= 0:
        raise ProgrammeRefused("spend", _("Give the money that has to be spent."))
    if terms.trigger == Trigger.ACTIVITY and not _is_kind(terms.activity_kind):
        raise ProgrammeRefused("activity_kind", _("Choose a kind of activity."))
    if min(terms.spend, terms.minimum_purchase) < Decimal(0):
        raise ProgrammeRefused("minimum_purchase", _("Give 0 or more."))
    for field in ("cap", "cap_per_period", "cap_period_days", "budget_points", "hold_from"):
        if getattr(terms, field) == 0:
            raise ProgrammeRefused(field, _("Give 1 or more, or leave it empty."))
    _check_rewards(terms)


def _is_kind(code: str) -> bool:
    return bool(code) and ActivityKind.objects.filter(pk=code, is_active=True).exists()


def _check_rewards(terms: ProgrammeTerms) -> None:
    given = (
        terms.referrer_points, terms.friend_points, terms.referrer_voucher_id, terms.friend_voucher_id,
        terms.referrer_badge_id,
    )  # fmt: skip
    if not any(given):
        raise ProgrammeRefused("referrer_points", _("Give at least one side something."))
    try:
        steps = milestones.of(terms)
    except ValueError as error:
        raise ProgrammeRefused("milestones", str(error)) from error
    if any(step.friends < 1 or step.points < 0 for step in steps) or any(
        not step.points and step.voucher_family_id is None for step in steps
    ):
        raise ProgrammeRefused("milestones", _("Each milestone takes a friend or more, and gives something."))
    if any(lower.friends == higher.friends for lower, higher in pairwise(steps)):
        raise ProgrammeRefused("milestones", _("Give each milestone a number of friends of its own."))


# --- Starting and ending ------------------------------------------------------------------------------------------


def start(*, programme_id: int, at: dt.datetime) -> bool:
    """Let a draft or paused programme take new friends; False when it does. Raises ProgrammeRefused."""
    with transaction.atomic():
        programme = _locked(programme_id)
        if programme.status == Status.RUNNING:
            return False
        if programme.status == Status.ENDED:
            raise ProgrammeRefused("", _("This programme has ended. Make a new one."))
        check_programme(programme)
        if programme.ends_at is not None and programme.ends_at <= at:
            raise ProgrammeRefused("ends_at", _("It would be over before it starts. Choose a later end."))
        if not programme.terms.exists():
            raise ProgrammeRefused("", _("Give the programme its terms first."))
        programme.status = Status.RUNNING
        programme.starts_at = programme.starts_at or at
        programme.save(update_fields=["status", "starts_at"])
    return True


def pause(*, programme_id: int, at: dt.datetime) -> bool:
    """Let it take no new friends for a while; those who came go on under their terms. False when it does not run."""
    with transaction.atomic():
        programme = _locked(programme_id)
        if programme.status != Status.RUNNING:
            return False
        programme.status = Status.PAUSED
        programme.save(update_fields=["status"])
    return True


def end(*, programme_id: int, at: dt.datetime) -> bool:
    """Let it take no new friends any more; those who came go on under their terms. False when it had ended."""
    with transaction.atomic():
        programme = _locked(programme_id)
        if programme.status == Status.ENDED:
            return False
        if programme.status == Status.DRAFT:
            raise ProgrammeRefused("", _("It has not begun: archive it instead."))
        programme.status = Status.ENDED
        programme.ends_at = min(programme.ends_at, at) if programme.ends_at else at
        programme.save(update_fields=["status", "ends_at"])
    return True


def archive(*, programme_id: int, at: dt.datetime) -> bool:
    """Put a draft or an ended programme out of sight; False when it was. Raises ProgrammeRefused while it runs."""
    with transaction.atomic():
        programme = _locked(programme_id)
        if programme.archived_at is not None:
            return False
        if programme.status not in (Status.DRAFT, Status.ENDED):
            raise ProgrammeRefused("", _("End the programme before you archive it."))
        programme.archived_at = at
        programme.save(update_fields=["archived_at"])
    return True


def _locked(programme_id: int) -> ReferralProgramme:
    return ReferralProgramme.objects.select_for_update().get(pk=programme_id)
