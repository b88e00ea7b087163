"""What recording an activity would answer, at any date, with nothing written. Called by the API.

It judges by the same pure functions as ``rewards.earning``; the database itself refuses a write meanwhile.
"""

import datetime as dt
from uuid import UUID

from django.db import connection, transaction

from members.activities import ActivityConflict, NewActivity
from members.models import Activity, Member
from rewards import facts, ledger, rules, terms, tiers
from rewards.case import Case
from rewards.earning import Outcome, grant_of, reason_of, reasons_of
from rewards.facts import Asked
from rewards.terms import Terms
from rewards.tiers import Moment, Standing
from rewards.usage import Usage

ANYBODY = 0
"""Stands for the member where none is named: somebody new, at the lowest tier, who has bought nothing yet."""
NOT_RECORDED = UUID(int=0)


def simulate(new: NewActivity, *, at: dt.datetime) -> Outcome:
    """The outcome that recording ``new`` at ``at`` would have, were nothing else to happen before.

    An activity of a later time is judged as if recorded then. ``new.member_id`` may be ANYBODY. One whose external id
    is recorded already gets that one's answer, as a replay; raises ActivityConflict where its content is another.
    """
    at = max(at, new.occurred_at)
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION READ ONLY")
        return _recorded_before(new) or _would_be(new, at=at)


def _would_be(new: NewActivity, *, at: dt.datetime) -> Outcome:
    """Judge it as ``earning`` does, and plan the grants on books that nobody will write."""
    standing, known = _standing(new, at=at)
    books = ledger.glance([new.member_id], known.wallet_ids)
    (more,) = facts.gather([Asked(None, new)], terms=known)
    case = Case.before_tiers(new, more)
    usage = Usage(known, [new], cases=[case], lock=False)
    level = tiers.held(standing, known.tiers_at(new.occurred_at), new.occurred_at)
    verdicts = rules.evaluate(case.under(level), rules=known.rules_at(new.occurred_at), allowances=usage)
    granted = [verdict for verdict in verdicts if verdict.granted]
    for verdict in granted:
        ledger.plan_grant(books, grant_of(verdict, new, known, activity_id=None))
        if verdict.rule.qualifying:
            standing.fresh.append((new.occurred_at, verdict.granted))
    standing.note_purchase(new, known.base_currency)
    moved = tiers.promotions({new.member_id: standing}, {new.member_id: 0} if granted else {}, known, at=at)
    code, names = known.tier_names[moved[0].to_tier_id if moved else standing.tier_id]
    return Outcome(
        activity_id=NOT_RECORDED,
        external_id=new.external_id,
        member_id=new.member_id,
        replayed=False,
        reasons=tuple(reason_of(verdict, new) for verdict in granted),
        balance=books.balance(new.member_id, known.default_wallet_id),
        tier_code=code,
        tier_names=names,
    )


def _standing(new: NewActivity, *, at: dt.datetime) -> tuple[Standing, Terms]:
    if new.member_id == ANYBODY:
        known = terms.current()
        lowest = known.tiers_at(new.occurred_at).levels[0]
        return Standing(lowest.tier_id, new.occurred_at), known
    found, known = tiers.standings([new.member_id], [Moment(new.member_id, new.occurred_at)], at=at)
    return found[new.member_id], known


def _recorded_before(new: NewActivity) -> Outcome | None:
    """The answer to a replay, when the partner has recorded this external id."""
    if not new.external_id:
        return None
    earlier = Activity.objects.filter(partner_id=new.partner_id, external_id=new.external_id).first()
    if earlier is None:
        return None
    if bytes(earlier.content_digest) != new.digest():
        raise ActivityConflict(new.external_id)
    known = terms.current()
    books = ledger.glance([new.member_id], known.wallet_ids)
    code, names = known.tier_names[Member.objects.values_list("tier_id", flat=True).get(pk=new.member_id)]
    return Outcome(
        activity_id=NOT_RECORDED,
        external_id=new.external_id,
        member_id=new.member_id,
        replayed=True,
        reasons=reasons_of([earlier.pk]).get(earlier.pk, ()),
        balance=books.balance(new.member_id, known.default_wallet_id),
        tier_code=code,
        tier_names=names,
    )
