"""Refunds: a purchase, or part of it, is undone exactly.

The purchase is judged again without what came back, by the very revisions that judged it, under the tier held then;
the difference is taken back from the very lots. Called by the API and by staff; told on as ``activity.refunded``.
"""

import datetime as dt
import hashlib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import F, Sum
from django.utils.translation import gettext as _

from loyalty.events import bus
from members.activities import LineFacts, NewActivity
from members.models import Activity, ActivityLine
from rewards import facts, ledger, rules, terms
from rewards.case import Case
from rewards.facts import Asked
from rewards.ledger import Balance, Why
from rewards.models import Judgement, Refund, RefundLine, RefundPolicy, RuleBudget, Transfer
from rewards.refund_parts import (
    Left,
    Order,
    Part,
    RefundRefused,
    Return,
    after,
    as_purchase,
    is_empty,
    left_after,
    what_comes_back,
)
from rewards.rules import Limit, Verdict
from rewards.terms import Rule, Terms

__all__ = ["Order", "RefundConflict", "RefundOutcome", "RefundRefused", "decide", "refund"]

Spent = RefundPolicy.Spent
_ORDER = {Transfer.Kind.EARN: 0, Transfer.Kind.REPAYMENT: 1}


class RefundConflict(Exception):
    """The partner has already recorded another refund under this external id; nothing was written."""

    def __init__(self, external_id: str) -> None:
        super().__init__(external_id)
        self.external_id = external_id

    def __str__(self) -> str:
        return _(
            "A refund with the external id “%(external_id)s” is already recorded with other content."
        ) % {"external_id": self.external_id}


@dataclass(frozen=True, slots=True)
class TakenBack:
    """Points that a refund took back of what one rule gave."""

    rule: str
    points: int
    names: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class RefundOutcome:
    """What became of a refund, and the member's balance after it. ``forgiven`` points were left to the member."""

    refund_id: UUID
    external_id: str
    activity_id: UUID
    member_id: int
    replayed: bool
    status: str
    amount: Decimal
    taken_back: tuple[TakenBack, ...]
    forgiven: int
    balance: Balance

    @property
    def points(self) -> int:
        return sum(each.points for each in self.taken_back)


def refund(
    *,
    activity_id: int,
    external_id: str,
    order: Order,
    at: dt.datetime,
    occurred_at: dt.datetime | None = None,
    staff_id: int | None = None,
) -> RefundOutcome:
    """Refund a recorded activity, once per partner and external id; the same again gives the first answer.

    Raises RefundRefused (naming the field) for more than is left, RefundConflict for other content under a known
    external id. The member's account lock makes parallel refunds of one purchase see each other, so that together they
    never exceed it.
    """
    try:
        with transaction.atomic():
            return _refund(
                activity_id, external_id, order, at=at, occurred_at=occurred_at or at, staff_id=staff_id
            )
    except IntegrityError as error:
        if "refund_once_per_partner" in str(error):
            raise RefundConflict(external_id) from None
        raise


def _refund(
    activity_id: int,
    external_id: str,
    order: Order,
    *,
    at: dt.datetime,
    occurred_at: dt.datetime,
    staff_id: int | None,
) -> RefundOutcome:
    activity = Activity.objects.select_related("store", "channel").get(pk=activity_id)
    if (
        occurred_at < activity.occurred_at and occurred_at != at
    ):  # "now" may lag behind a till whose clock is fast
        raise RefundRefused("occurred_at", _("This lies before the purchase."))
    known = terms.current()
    ledger.lock([activity.member_id], known.wallet_ids)
    digest = _digest(activity_id, order)
    earlier = Refund.objects.filter(partner_id=activity.partner_id, external_id=external_id).first()
    if earlier is not None:
        if bytes(earlier.content_digest) != digest:
            raise RefundConflict(external_id)
        return _outcome(earlier, activity, known, replayed=True)
    original, line_ids = reported(activity)
    left = left_after(original, line_ids, _returns(activity_id))
    if is_empty(left) and not (order.everything and not Refund.objects.filter(activity=activity).exists()):
        raise RefundRefused("all", _("All of this purchase has been refunded already."))
    back = what_comes_back(left, order)
    made = Refund.objects.create(
        activity=activity,
        member_id=activity.member_id,
        partner_id=activity.partner_id,
        external_id=external_id,
        amount=back.amount,
        occurred_at=occurred_at,
        recorded_at=at,
        content_digest=digest,
        decided_by_id=staff_id,
    )
    RefundLine.objects.bulk_create(
        RefundLine(refund=made, line_id=part.line_id, quantity=part.quantity, total=part.total)
        for part in back.parts
    )
    due = points_due(activity, original, after(left, back), known)
    _settle(made, due, policy_at(occurred_at), known, at=at)
    _announce(made, activity)
    return _outcome(made, activity, known, replayed=False)


def _announce(made: Refund, activity: Activity) -> None:
    bus.announce(
        "activity.refunded",
        member_id=activity.member_id,
        partner_id=activity.partner_id,
        at=made.occurred_at,
        activity=str(activity.public_id),
        refund=str(made.public_id),
        amount=str(made.amount),
        points=made.points,
        status=made.status,
    )


def _digest(activity_id: int, order: Order) -> bytes:
    lines = sorted(
        (line.sku, "" if line.quantity is None else f"{line.quantity:.3f}") for line in order.lines
    )
    amount = "" if order.amount is None else f"{order.amount:.2f}"
    return hashlib.sha256(repr((activity_id, order.everything, amount, lines)).encode()).digest()


# --- What was bought, and what is left of it ----------------------------------------------------------------------


def reported(activity: Activity) -> tuple[NewActivity, list[int]]:
    """A recorded activity as it was reported, and the row ids of its lines in order. One statement for the lines."""
    rows = list(activity.lines.select_related("product", "category").order_by("position"))
    return as_reported(activity, rows), [row.pk for row in rows]


def as_reported(activity: Activity, rows: Sequence[ActivityLine]) -> NewActivity:
    """A recorded activity with these of its lines as it was reported; store, channel and lines have to be loaded."""
    lines = tuple(
        LineFacts(
            sku=row.product.sku if row.product else "",
            category=row.category.name if row.category else "",
            department=row.category.department if row.category else "",
            quantity=row.quantity,
            total=row.total,
            brand=row.product.brand if row.product else "",
        )
        for row in rows
    )
    return NewActivity(
        partner_id=activity.partner_id,
        member_id=activity.member_id,
        external_id=activity.external_id,
        kind=activity.kind_id,
        occurred_at=activity.occurred_at,
        currency=activity.currency,
        total=activity.total,
        store=activity.store.code if activity.store else "",
        channel=activity.channel.code if activity.channel else "",
        lines=lines,
    )


def left_of(activity: Activity) -> Left:
    """What the refunds so far have left of an activity; ``store`` and ``channel`` have to be loaded."""
    original, line_ids = reported(activity)
    return left_after(original, line_ids, _returns(activity.pk))


def foreseen(work: Callable[[], RefundOutcome]) -> RefundOutcome:
    """What a refund or a decision would come to: it is made and undone again, so that the preview cannot be wrong."""
    with transaction.atomic():
        outcome = work()
        transaction.set_rollback(True)
    return outcome


def _returns(activity_id: int) -> list[Return]:
    """What earlier refunds of the activity gave back, in order."""
    parts: dict[int, list[Part]] = defaultdict(list)
    for row in RefundLine.objects.filter(refund__activity_id=activity_id):
        parts[row.refund_id].append(Part(row.line_id, row.quantity, row.total))
    made = Refund.objects.filter(activity_id=activity_id).order_by("pk").values_list("pk", "amount")
    return [Return(amount, tuple(parts[pk])) for pk, amount in made]


# --- What it should have earned -----------------------------------------------------------------------------------


def points_due(activity: Activity, original: NewActivity, left: Left, known: Terms) -> dict[Rule, int]:
    """By rule, the points to take back: what the rule has given for the activity less what is due for what is left.

    Per wallet never more than what was given; where another rule of a group would win now, that is set off.
    """
    given = _given(activity.pk, known)
    fair: dict[int, int] = {}
    if not is_empty(left):
        fair = _fair(activity, as_purchase(original, left), known)
    due: dict[Rule, int] = {}
    for wallet_id in {rule.wallet_id for rule in given}:
        mine = {rule: points for rule, points in given.items() if rule.wallet_id == wallet_id}
        fair_total = sum(points for revision, points in fair.items() if _wallet(known, revision) == wallet_id)
        rest = max(sum(mine.values()) - fair_total, 0)
        for rule, points in sorted(mine.items(), key=lambda pair: pair[0].revision_id, reverse=True):
            part = min(rest, max(points - fair.get(rule.revision_id, 0), 0))
            if part:
                due[rule] = part
                rest -= part
    return due


def _wallet(known: Terms, revision_id: int) -> int:
    return known.revision(revision_id).wallet_id


def _given(activity_id: int, known: Terms) -> dict[Rule, int]:
    """What each rule revision has given for the activity, less what was taken back."""
    rows = Transfer.objects.filter(activity_id=activity_id, rule_revision__isnull=False).values_list(
        "rule_revision_id", "reverses_id", "points"
    )
    given: dict[int, int] = defaultdict(int)
    for revision_id, reverses_id, points in rows:
        given[revision_id] += -points if reverses_id else points
    return {known.revision(revision_id): points for revision_id, points in given.items() if points > 0}


def _fair(activity: Activity, purchase: NewActivity, known: Terms) -> dict[int, int]:
    """What the revisions that judged the activity give for what is left of it, by revision id."""
    judged = Judgement.objects.get(activity=activity)
    kept = {verdict["revision"]: verdict for verdict in judged.verdicts}
    then = tuple(rule for rule in known.all_rules if rule.revision_id in kept)
    level = known.tiers_at(activity.occurred_at).level_of(judged.tier_id)
    (more,) = facts.gather([Asked(activity.pk, purchase)], terms=known)
    verdicts = rules.evaluate(Case(purchase, level, more), rules=then)
    return {
        verdict.rule.revision_id: _allowed(verdict, kept[verdict.rule.revision_id]) for verdict in verdicts
    }


def _allowed(now: Verdict, then: Mapping[str, object]) -> int:
    """Points of a rule judged again: where it was limited then, no more than it was allowed then."""
    limit, granted = then["limit"], int(str(then["granted"]))
    if limit is None or limit == Limit.STACK:
        return now.granted
    return min(now.granted, granted)


# --- Taking back --------------------------------------------------------------------------------------------------


def policy_at(at: dt.datetime) -> str:
    """What happens to points already spent, for a refund at a moment."""
    policy = RefundPolicy.objects.filter(valid_from__lte=at).order_by("-valid_from").first()
    return policy.spent if policy else Spent.DEBT


def _settle(made: Refund, due: Mapping[Rule, int], policy: str, known: Terms, *, at: dt.datetime) -> None:
    """Take back what is due by the policy, or hold the refund for staff when points were spent and they decide."""
    origins = _origins(made.activity_id, due)
    if policy == Spent.HOLD and any(
        points > sum(min(left, ledger.takeable(id_)) for id_, left in origins[rule])
        for rule, points in due.items()
    ):
        made.status = Refund.Status.HELD
        made.save(update_fields=["status"])
        return
    _take_back(made, due, origins, into_debt=policy != Spent.FORGIVE, at=at)


def _origins(activity_id: int, due: Mapping[Rule, int]) -> dict[Rule, list[tuple[int, int]]]:
    """The transfers by which each rule gave points, with what is left unreversed of each; earned before repaid."""
    rows = (
        Transfer.objects.filter(
            activity_id=activity_id,
            rule_revision_id__in=[rule.revision_id for rule in due],
            reverses__isnull=True,
        )
        .annotate(undone=Sum("reversals__points", default=0))
        .order_by("pk")
    )
    found: dict[int, list[Any]] = defaultdict(list)
    for row in rows:
        found[row.rule_revision_id or 0].append(row)
    return {
        rule: [
            (row.pk, row.points - row.undone)
            for row in sorted(found[rule.revision_id], key=lambda row: _ORDER.get(Transfer.Kind(row.kind), 2))
        ]
        for rule in due
    }


def _take_back(
    made: Refund,
    due: Mapping[Rule, int],
    origins: Mapping[Rule, Sequence[tuple[int, int]]],
    *,
    into_debt: bool,
    at: dt.datetime,
) -> None:
    """Reverse the very transfers, rule by rule; what is forgiven stays with the member and is noted."""
    taken = 0
    for rule, points in due.items():
        why = Why(
            activity_id=made.activity_id,
            rule_revision_id=rule.revision_id,
            source="rewards.refund",
            source_id=made.pk,
        )
        rest = points
        for transfer_id, left in origins[rule]:
            if part := min(rest, left):
                rest -= ledger.reverse(
                    transfer_id=transfer_id, points=part, why=why, at=at, into_debt=into_debt
                )
        taken += points - rest
        if rule.budget is not None:
            RuleBudget.objects.filter(rule_id=rule.rule_id).update(used=F("used") - (points - rest))
    made.status = Refund.Status.POSTED
    made.points = taken
    made.forgiven = sum(due.values()) - taken
    made.save(update_fields=["status", "points", "forgiven"])


class NotHeld(Exception):
    """The refund is not waiting for a decision."""


def decide(*, refund_id: int, forgive: bool, staff_id: int, at: dt.datetime) -> RefundOutcome:
    """Staff's decision on a held refund: take the points back (spent ones as a debt), or forgive the spent ones.

    Raises NotHeld when it was decided already; of two staff members at once, one decides.
    """
    with transaction.atomic():
        activity = Activity.objects.get(refunds=refund_id)
        known = terms.current()
        ledger.lock([activity.member_id], known.wallet_ids)
        made = Refund.objects.select_for_update().get(pk=refund_id)
        if made.status != Refund.Status.HELD:
            raise NotHeld
        original, line_ids = reported(activity)
        due = points_due(activity, original, left_after(original, line_ids, _returns(activity.pk)), known)
        made.decided_by_id = staff_id
        made.save(update_fields=["decided_by"])
        _take_back(made, due, _origins(activity.pk, due), into_debt=not forgive, at=at)
        bus.announce(
            "activity.refunded",
            member_id=activity.member_id,
            partner_id=activity.partner_id,
            at=at,
            activity=str(activity.public_id),
            refund=str(made.public_id),
            amount=str(made.amount),
            points=made.points,
            status=made.status,
        )
        return _outcome(made, activity, known, replayed=False)


def _outcome(made: Refund, activity: Activity, known: Terms, *, replayed: bool) -> RefundOutcome:
    rows = (
        Transfer.objects.filter(source="rewards.refund", source_id=made.pk, member_id=made.member_id)
        .values_list("rule_revision_id")
        .annotate(points=Sum("points"))
        .order_by("rule_revision_id")
    )
    taken = tuple(
        TakenBack(known.revision(id_).code, points, known.revision(id_).names) for id_, points in rows if id_
    )
    books = ledger.lock([made.member_id], [known.default_wallet_id])
    return RefundOutcome(
        refund_id=made.public_id,
        external_id=made.external_id,
        activity_id=activity.public_id,
        member_id=made.member_id,
        replayed=replayed,
        status=made.status,
        amount=made.amount,
        taken_back=taken,
        forgiven=made.forgiven,
        balance=books.balance(made.member_id, known.default_wallet_id),
    )
