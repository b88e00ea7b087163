"""Placing a redemption: points become a reward, or money off at a till. Stock, limits and balance decide together.

Called by the portal, the API and staff. One transaction under locks taken in this order everywhere: the member's
accounts, the reward's stock, then what the reward turns into. So nothing is sold twice and no point spent twice.
"""

import datetime as dt
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from django.db import IntegrityError
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from loyalty import clock, programme
from loyalty.events import bus
from loyalty.ids import new_public_id
from rewards import ledger, terms
from rewards.catalogue.availability import Obstacle, ObstacleKind, judge
from rewards.ledger import Balance, Books, InsufficientPoints, Why
from rewards.models import Redemption, Reward, Transfer
from rewards.models.ledger import AccountKind
from rewards.redemption import giving_out, rows
from rewards.redemption.refusals import (
    NotMoney,
    PriceChanged,
    RedemptionConflict,
    Refused,
    RewardChanged,
    Unavailable,
)
from rewards.redemption.retrying import retried
from rewards.redemption.rows import Actor
from rewards.redemption.standing import Asked, Standing, standing_of
from rewards.redemption.terms import terms_at, worth
from rewards.rule_wording import number
from rewards.vouchers.codes import new_code

SOURCE = giving_out.SOURCE
CODE_PREFIX = "R"
State, Fulfilment, Kind = Redemption.State, Reward.Fulfilment, Reward.Kind
NOTHING = Decimal(0)
_Decide = Callable[[Standing, Books, int], None]
_FIRST_STATE = {
    Fulfilment.VOUCHER: State.ISSUED,
    Fulfilment.COLLECT: State.RESERVED,
    Fulfilment.AT_ONCE: State.FULFILLED,
}


@dataclass(frozen=True, slots=True)
class Placed:
    """The redemption, its member's public id and balance; ``replayed``: it was placed before under the same key."""

    redemption: Redemption
    member: UUID
    balance: Balance
    replayed: bool = False


def place(
    *,
    member_id: int,
    reward_id: int | None = None,
    reward: Reward | None = None,
    via: str,
    at: dt.datetime,
    partner_id: int | None = None,
    staff_id: int | None = None,
    external_id: str | None = None,
    expected_points: int | None = None,
    as_of: str | None = None,
) -> Placed:
    """Redeem a reward for a member, once per partner (without one: per member) and ``external_id``.

    The reward is named by its id, or given as the caller has just read it, or remembers it of the version ``as_of``.

    Raises Unavailable with all that is in the way, PriceChanged when it costs other than ``expected_points``, Refused
    for what only showed when it was given out, RedemptionConflict for other content under a known external id,
    RewardChanged when the reward's row has another version than ``as_of``.
    """
    if reward is None:
        reward = Reward.objects.get(pk=reward_id or 0)
    actor = Actor(via=via, partner_id=partner_id, staff_id=staff_id)
    order = _Order(member_id, reward, reward.points, actor, external_id, as_of=as_of)

    def decide(standing: Standing, books: Books, wallet_id: int) -> None:
        spendable = books.balance(member_id, wallet_id).spendable
        asker = standing.asker(points=spendable, time_zone=programme.current().time_zone)
        if obstacles := judge(reward=reward, asker=asker, at=at):
            raise Unavailable(obstacles)
        if expected_points is not None and expected_points != reward.points:
            raise PriceChanged

    return order.once(decide, at=at)


def pay_with_points(
    *,
    member_id: int,
    points: int,
    via: str,
    at: dt.datetime,
    partner_id: int | None = None,
    staff_id: int | None = None,
    external_id: str | None = None,
) -> Placed:
    """Use points as money at a till; ``redemption.money`` is what they are worth there, in the base currency.

    Raises NotMoney where the terms do not allow it (at all, so few, not in these steps), Unavailable beyond the
    balance, RedemptionConflict for other content under a known external id.
    """
    rules = terms_at(at)
    if rules.point_value is None:
        raise NotMoney("points-are-not-money", _("Points cannot be used as money."))
    if points < rules.least_points:
        text = _("At least %(points)s points at a time.") % {"points": number(rules.least_points)}
        raise NotMoney("too-few-points", text)
    if points % rules.point_step:
        text = _("Only in steps of %(points)s points.") % {"points": number(rules.point_step)}
        raise NotMoney("not-in-steps", text)
    money = worth(points, rules.point_value)
    actor = Actor(via=via, partner_id=partner_id, staff_id=staff_id)
    return _Order(member_id, None, points, actor, external_id, money=money).once(None, at=at)


def give_points(
    *,
    member_id: int,
    points: int,
    via: str,
    at: dt.datetime,
    partner_id: int | None = None,
    staff_id: int | None = None,
    external_id: str | None = None,
) -> Placed:
    """Take points for a cause without a reward; who calls records the donation in the same transaction.

    Raises Unavailable beyond the balance, RedemptionConflict for other content under a known external id.
    """
    actor = Actor(via=via, partner_id=partner_id, staff_id=staff_id)
    return _Order(member_id, None, points, actor, external_id, donated=True).once(None, at=at)


def short_of(missing: int) -> Obstacle:
    """The obstacle of a member who lacks points."""
    text = ngettext("%(points)s point missing.", "%(points)s points missing.", missing)
    return Obstacle(ObstacleKind.POINTS, text % {"points": number(missing)}, points_missing=missing)


class _Order:
    """What is to be redeemed, for whom and by whom."""

    def __init__(
        self,
        member_id: int,
        reward: Reward | None,
        points: int,
        actor: Actor,
        external_id: str | None,
        *,
        money: Decimal = NOTHING,
        donated: bool = False,
        as_of: str | None = None,
    ) -> None:
        self.as_of = as_of
        self.member_id, self.reward, self.points, self.actor = member_id, reward, points, actor
        self.external_id = external_id or None
        self.money = reward.money if reward is not None else money
        self.donated = donated or (reward is not None and reward.kind == Kind.DONATION)
        named = ("reward", reward.pk) if reward is not None else ("donated" if donated else "points", points)
        self.digest = hashlib.sha256(repr((member_id, named)).encode()).digest()

    def once(self, decide: _Decide | None, *, at: dt.datetime) -> Placed:
        """Do it, or give what was done before under the same external id."""
        try:
            return retried(lambda: self._place(decide, at=at), refuses_late=self._gives_out())
        except IntegrityError as error:
            if "redemption_once_per_" in str(error) and self.external_id:
                raise RedemptionConflict(self.external_id) from None  # another member's, at the same moment
            raise

    def _gives_out(self) -> bool:
        """Whether it turns into something that may be refused after the points were taken."""
        return self.reward is not None and self.reward.fulfilment != Fulfilment.COLLECT

    def _place(self, decide: _Decide | None, *, at: dt.datetime) -> Placed:
        wallet_id, zone = terms.kept().default_wallet_id, programme.current().time_zone
        books = ledger.lock([self.member_id], [wallet_id])
        asked = Asked(self.member_id, self.reward, self.actor.partner_id, self.external_id)
        standing = standing_of(asked, at=at, time_zone=zone)
        if self.as_of is not None and standing.reward_version != self.as_of:
            raise RewardChanged
        if standing.earlier_id is not None:
            return self._replayed(standing.earlier_id, standing, books.balance(self.member_id, wallet_id))
        if not standing.is_active:
            raise Refused("unknown-member", _("This member is not active."))
        if decide is not None:
            decide(standing, books, wallet_id)
        transfer_id = self._spend(books, wallet_id, standing.redemption_id, at=at)
        made = self._row(standing, wallet_id, transfer_id, zone, at=at)
        rows.insert(made, self.actor)
        made._state.fields_cache |= {"voucher": None, "donation": None}
        if self.reward is not None:
            giving_out.give_out(made, self.reward, at=at)
        bus.announce_many([self._announcement(made, at=at)])
        return Placed(made, standing.member, books.balance(self.member_id, wallet_id))

    def _spend(self, books: Books, wallet_id: int, redemption_id: int, *, at: dt.datetime) -> int:
        try:
            return ledger.spend(
                member_id=self.member_id,
                wallet_id=wallet_id,
                points=self.points,
                kind=Transfer.Kind.DONATE if self.donated else Transfer.Kind.REDEEM,
                to_kind=AccountKind.DONATED if self.donated else AccountKind.REDEEMED,
                why=Why(source=SOURCE, source_id=redemption_id, staff_id=self.actor.staff_id),
                at=at,
                books=books,
            )
        except InsufficientPoints as short:
            raise Unavailable((short_of(short.asked - short.spendable),)) from None

    def _row(
        self, standing: Standing, wallet_id: int, transfer_id: int, time_zone: str, *, at: dt.datetime
    ) -> Redemption:
        reward = self.reward
        state = _FIRST_STATE[Fulfilment(reward.fulfilment)] if reward is not None else State.FULFILLED
        reserved = reward is not None and state == State.RESERVED
        return Redemption(
            pk=standing.redemption_id,
            public_id=new_public_id(),
            member_id=self.member_id,
            reward=reward,
            stock_id=standing.stock_id,
            wallet_id=wallet_id,
            state=state,
            via=self.actor.via,
            points=self.points,
            money=self.money,
            transfer_id=transfer_id,
            partner_id=self.actor.partner_id,
            external_id=self.external_id,
            code=new_code(CODE_PREFIX) if reserved else None,
            content_digest=self.digest,
            redeemed_at=at,
            collect_by=_days_on(at, reward.collect_days, time_zone) if reward and reserved else None,
            ended_at=at if state == State.FULFILLED else None,
        )

    def _replayed(self, earlier_id: int, standing: Standing, balance: Balance) -> Placed:
        found = Redemption.objects.select_related("reward", "voucher__family", "donation")
        earlier = found.get(pk=earlier_id)
        if earlier.content_digest is None or bytes(earlier.content_digest) != self.digest:
            raise RedemptionConflict(self.external_id or "")
        return Placed(earlier, standing.member, balance, replayed=True)

    def _announcement(self, made: Redemption, *, at: dt.datetime) -> bus.Announcement:
        name = "reward.redeemed" if self.reward is not None else "points.redeemed"
        return announcement(name, made, at=at)


def announcement(name: str, row: Redemption, *, at: dt.datetime) -> bus.Announcement:
    """An event about a redemption, with what every subscriber may need of it."""
    return bus.Announcement(
        name=name,
        at=at,
        member_id=row.member_id,
        partner_id=row.partner_id,
        facts={
            "redemption": str(row.public_id),
            "reward": row.reward.code if row.reward is not None else None,
            "points": row.points,
            "money": str(row.money),
            "state": row.state,
        },
    )


def _days_on(at: dt.datetime, days: int, time_zone: str) -> dt.datetime:
    """The end of the local day that lies so many days on."""
    return clock.start_of_day(clock.local_date(at, time_zone) + dt.timedelta(days=days + 1), time_zone)
