"""One batch of members moving in: enrolled, with their old cards, opening lots and tiers, all or nothing.

Opening points come from the programme's ``adjusted`` account: they were issued by another system, not by activity here.
Points that only count towards a tier go to a wallet of their own, so that nobody can spend them. Called by
``importing``, inside a transaction.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext_noop

from loyalty.models import Partner
from members.consents import ConsentGiven
from members.enrolment import NewMember, enrol_many
from members.former_cards import add_cards, note_tier_since
from members.models import ExternalId, Member, TierChange, TierHold
from members.tiers import Stay, TierMove, mark_reviewed, move
from rewards import ledger, terms, tier_review, tiers
from rewards.ledger import Grant, Why
from rewards.models import Transfer, Wallet
from rewards.models.ledger import AccountKind
from rewards.moving_in.staging import Staged, occasion
from rewards.terms import Terms, TierRules
from rewards.tier_rules import Calendar, Window, look

SOURCE = "moving_in"
NOTE = gettext_noop("Opening balance from an earlier system")
STATUS_WALLET = "opening-status"
STATUS_NAMES = {"en": "Tier points brought along", "fi": "Siirretyt tasopisteet", "sv": "Medförda nivåpoäng"}
_TICK = dt.timedelta(microseconds=1)


@dataclass(frozen=True)
class Move:
    """What a whole move has in common. Without ``staff_id`` no tier can be held by hand."""

    partner: Partner
    at: dt.datetime
    staff_id: int | None = None


@dataclass(frozen=True)
class Opened:
    """What became of a batch: whose member is which, how many are new, lots given now, tiers held by hand."""

    members: dict[str, int]
    created: int
    lots_given: int
    holds: int


def open_batch(batch: Sequence[Staged], move_in: Move) -> Opened:
    """Take a batch in, in a few dozen statements however many members it has; what is in already is left alone.

    Raises DuplicateMember when somebody took an e-mail address meanwhile. Under the members' account locks, so two
    moves at once give each lot once.
    """
    before = set(
        ExternalId.objects.filter(
            partner=move_in.partner, external_id__in=[each.member.member_id for each in batch]
        ).values_list("external_id", flat=True)
    )
    members = enrol_many(
        [_new_member(each) for each in batch],
        source=Member.Source.IMPORT,
        at=move_in.at,
        partner=move_in.partner,
    )
    ids = {each.member.member_id: member.pk for each, member in zip(batch, members, strict=True)}
    add_cards(
        {number: ids[each.member.member_id] for each in batch for number in each.member.cards},
        partner_id=move_in.partner.pk,
        at=move_in.at,
    )
    known = terms.current()
    calendars = {
        member.pk: Calendar(known.time_zone, each.member.joined_at or member.joined_at)
        for each, member in zip(batch, members, strict=True)
    }
    touched, given = _grant(batch, ids, known, calendars, move_in)
    touched |= {ids[name] for name in ids if name not in before}
    held = _settle_tiers(
        [each for each in batch if ids[each.member.member_id] in touched], ids, known, move_in
    )
    return Opened(members=ids, created=len(ids) - len(before), lots_given=given, holds=held)


def _new_member(each: Staged) -> NewMember:
    row = each.member
    return NewMember(
        external_id=row.member_id,
        joined_at=row.joined_at,
        first_name=row.first_name,
        last_name=row.last_name,
        email=row.email,
        phone=row.phone,
        birth_date=row.birth_date,
        language=row.language,
        consents=tuple(ConsentGiven(purpose=purpose, channel=channel) for purpose, channel in row.consents),
    )


# --- Points -----------------------------------------------------------------------------------------------------------


def _grant(
    batch: Sequence[Staged],
    ids: Mapping[str, int],
    known: Terms,
    calendars: Mapping[int, Calendar],
    move_in: Move,
) -> tuple[set[int], int]:
    """Give the lots and tier points that were not given before; whose points that changed, and how many lots."""
    grants = [grant for each in batch for grant in _lots_of(each, ids, move_in)]
    lots = {grant.why.occasion for grant in grants}
    rules = known.tiers_at(move_in.at)
    status = [
        grant
        for each in batch
        for grant in _tier_points_of(each, ids, rules, calendars[ids[each.member.member_id]], move_in)
    ]
    grants += status
    wallets = {grant.wallet_id for grant in grants} | {known.default_wallet_id}
    books = ledger.lock(ids.values(), wallets)
    done = set(
        Transfer.objects.filter(occasion__in=[grant.why.occasion for grant in grants]).values_list(
            "occasion", flat=True
        )
    )
    fresh = [grant for grant in grants if grant.why.occasion not in done]
    for grant in fresh:
        ledger.plan_grant(books, grant)
    ledger.write(books, at=move_in.at)
    return {grant.member_id for grant in fresh}, sum(grant.why.occasion in lots for grant in fresh)


def _lots_of(each: Staged, ids: Mapping[str, int], move_in: Move) -> list[Grant]:
    return [
        Grant(
            member_id=ids[lot.member_id],
            wallet_id=lot.wallet_id,
            points=lot.points,
            occurred_at=move_in.at,
            earned_at=lot.earned_at,
            expires_at=lot.expires_at,
            pending=lot.available_at is not None,
            available_at=lot.available_at,
            why=_why(occasion("moving-in", move_in.partner, lot.member_id, lot.ref)),
            from_kind=AccountKind.ADJUSTED,
        )
        for lot in each.lots
        if lot.points and (lot.expires_at is None or lot.expires_at > move_in.at)
    ]


def _tier_points_of(
    each: Staged, ids: Mapping[str, int], rules: TierRules, calendar: Calendar, move_in: Move
) -> list[Grant]:
    """Points that count towards a tier: of each lot when it was earned, the rest of the tier's sum on one day."""
    counting = [
        (lot.earned_at, lot.qualifying, occasion("moving-in-tier", move_in.partner, lot.member_id, lot.ref))
        for lot in each.lots
        if lot.qualifying
    ]
    if each.tier is not None and each.tier.qualifying:
        span = look(rules, move_in.at, calendar, open_end=True).spans[-1]
        since = max(span.since, move_in.at - rules.window) if _rolls(rules) else span.since
        rest = each.tier.qualifying - sum(
            points for earned_at, points, _what in counting if earned_at > since
        )
        if rest > 0:
            day = _day_of_rest(each, rules, since=since, at=move_in.at)
            counting.append(
                (day, rest, occasion("moving-in-rest", move_in.partner, each.member.member_id, ""))
            )
    if not counting:
        return []
    wallet_id = status_wallet()
    return [
        Grant(
            member_id=ids[each.member.member_id],
            wallet_id=wallet_id,
            points=points,
            occurred_at=move_in.at,
            earned_at=counts_at,
            expires_at=None,
            qualifies=True,
            why=_why(what),
            from_kind=AccountKind.ADJUSTED,
        )
        for counts_at, points, what in counting
    ]


def _rolls(rules: TierRules) -> bool:
    return rules.window_kind == Window.ROLLING


def _day_of_rest(each: Staged, rules: TierRules, *, since: dt.datetime, at: dt.datetime) -> dt.datetime:
    """When tier points without a day of their own count: so that the tier ends when it was promised to, else since when
    it is held, else today; always within the window."""
    wanted = at
    if each.tier is not None and each.tier.until is not None and _rolls(rules):
        wanted = each.tier.until - rules.window
    elif each.tier is not None and each.tier.since is not None:
        wanted = each.tier.since
    return min(max(wanted, since + _TICK), at)


def status_wallet() -> int:
    """The wallet of tier points brought along; it comes into being with the first of them."""
    wallet, created = Wallet.objects.get_or_create(code=STATUS_WALLET, defaults={"names": STATUS_NAMES})
    if created:
        ledger.open_wallet(wallet.pk)
    return wallet.pk


def _why(what: str) -> Why:
    return Why(source=SOURCE, occasion=what, note=NOTE)


# --- Tiers ------------------------------------------------------------------------------------------------------------


def _settle_tiers(batch: Sequence[Staged], ids: Mapping[str, int], known: Terms, move_in: Move) -> int:
    """Judge the members' tiers by what they brought along; hold a tier by hand where that gives less than the file.

    Nobody is told: for the member nothing changed. A member whose tier staff ever held by hand is left to them. Gives
    the number of holds.
    """
    wanted = {ids[each.member.member_id]: each for each in batch}
    if not wanted:
        return 0
    members, rules = sorted(wanted), known.tiers_at(move_in.at)
    judged = tier_review.judge(members, rules, known, at=move_in.at)
    holds = _hold(judged, wanted, rules, move_in)
    if holds:
        judged = tier_review.judge(members, rules, known, at=move_in.at)
    last = tiers.last_known(members, rules.basis)
    moves, stays = [], []
    for each in judged:
        state, seen = each.state, last[each.state.member_id]
        rows = (seen.transfer_id or 0, seen.activity_id or 0, seen.refund_id or 0)
        if not each.decision.changed:
            stays.append(Stay(state.member_id, *rows))
            continue
        moves.append(
            TierMove(
                state.member_id,
                state.held.tier_id,
                each.decision.level.tier_id,
                TierChange.Reason.MOVED_IN,
                int(each.amount),
                *rows,
                basis=rules.basis,
                hold_id=state.held.hold.hold_id if state.held.hold else None,
            )
        )
    move(moves, at=move_in.at)
    mark_reviewed(stays, at=move_in.at)
    note_tier_since(
        {
            each.state.member_id: row.since
            for each in judged
            if (row := wanted[each.state.member_id].tier) is not None
            and row.since is not None
            and row.tier_id == each.decision.level.tier_id
        }
    )
    return holds


def _hold(
    judged: Sequence[tier_review.Judged], wanted: Mapping[int, Staged], rules: TierRules, move_in: Move
) -> int:
    """Hold the tier of the file, as a floor, where the points give less; without an end for one window's length."""
    if move_in.staff_id is None:
        return 0
    lower: dict[int, tuple[int, dt.datetime]] = {}
    for each in judged:
        row = wanted[each.state.member_id].tier
        if row is None or rules.level_of(row.tier_id).threshold <= each.decision.level.threshold:
            continue
        until = row.until or move_in.at + rules.window
        if until > move_in.at:
            lower[each.state.member_id] = (row.tier_id, until)
    held_before = set(TierHold.objects.filter(member_id__in=lower).values_list("member_id", flat=True))
    made = TierHold.objects.bulk_create(
        TierHold(
            member_id=member_id,
            tier_id=tier_id,
            kind=TierHold.Kind.FLOOR,
            set_at=move_in.at,
            until=until,
            note=NOTE,
            staff_id=move_in.staff_id,
        )
        for member_id, (tier_id, until) in lower.items()
        if member_id not in held_before
    )
    return len(made)
