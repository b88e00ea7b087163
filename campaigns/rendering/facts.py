"""What the floors below know of members, read for many messages at once: one loader for each insert that costs.

Each loader is asked only when a text of the batch uses its insert, takes a fixed number of statements, and gives plain
values by message. Where a consent would be needed to choose by purchases, it is looked at here.
"""

import datetime as dt
import math
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import Q
from django.utils.dateparse import parse_datetime
from django.utils.translation import override

from campaigns.models import Message
from campaigns.rendering import recommendations
from campaigns.rendering.values import Day, Money, Number
from loyalty.templatetags.portal import money as money_text
from loyalty.translated import in_language
from members.models import Activity, ActivityLine, Consent
from members.models.consent import Purpose
from rewards import terms, tier_sums
from rewards.catalogue.asking import gather
from rewards.catalogue.availability import ObstacleKind, judge
from rewards.catalogue.listing import catalogue
from rewards.models import Account, Favourite, Reward, Voucher
from rewards.models.ledger import AccountKind
from rewards.projection import Course
from rewards.queries import last_moment
from rewards.tier_rules import Basis, Calendar, Held, Look, Span
from rewards.tier_sums import Ask
from rewards.vouchers import codes, queries, wording


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A message to be written, its member's row and the language it will be in."""

    message: Message
    member: Mapping[str, Any]
    language: str

    @property
    def member_id(self) -> int:
        return self.message.member_id


Values = dict[int, Any]
"""By the pk of messages."""
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def load(asked: Sequence[Asked], needed: Collection[str], *, at: dt.datetime) -> dict[int, dict[str, Any]]:
    """The values of the inserts in ``needed`` for each message, by message and insert."""
    found: dict[int, dict[str, Any]] = defaultdict(dict)
    if asked:
        for name, loader in LOADERS.items():
            if name in needed:
                for message_id, value in loader(asked, at).items():
                    found[message_id][name] = _without_blanks(value)
    return found


def _without_blanks(value: Any) -> Any:
    """None in the place of each "": Liquid takes an empty text as something, so that ``{% if %}`` would not help."""
    if isinstance(value, dict):
        return {name: _without_blanks(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_without_blanks(each) for each in value]
    return None if value == "" else value


def _balance(asked: Sequence[Asked], at: dt.datetime) -> Values:
    rows = Account.objects.filter(member__in=_ids(asked), wallet__is_default=True)
    held = {
        (member_id, kind): points for member_id, kind, points in rows.values_list("member", "kind", "balance")
    }

    def of(each: Asked, kind: AccountKind) -> Number:
        return Number(held.get((each.member_id, kind)) or 0)

    return {
        each.message.pk: {
            "available": of(each, AccountKind.AVAILABLE),
            "pending": of(each, AccountKind.PENDING),
        }
        for each in asked
    }


def _tier(asked: Sequence[Asked], at: dt.datetime) -> Values:
    """The tier, the next one and what is missing for it, as the member's own page counts."""
    known = terms.current()
    rules = known.tiers_at(at)
    members = {each.member_id: each.member for each in asked}
    asks = [
        Ask(member_id, rules.basis, Look((Span(_since(rules, known.time_zone, member, at), at),)))
        for member_id, member in sorted(members.items())
    ]
    sums = tier_sums.span_sums(asks, currency=known.base_currency)
    amounts = {ask.member_id: total for ask, (total,) in zip(asks, sums, strict=True)}

    def tier(each: Asked) -> dict[str, Any]:
        higher = rules.after(rules.level_of(each.member["tier_id"]))
        missing = max(0, math.ceil(higher.threshold - amounts[each.member_id])) if higher else 0
        return {
            "name": in_language(each.member["tier__names"], each.language),
            "next_name": in_language(higher.names, each.language) if higher else "",
            "missing": (Money if rules.basis == Basis.SPEND else Number)(missing) if higher else None,
        }

    return {each.message.pk: tier(each) for each in asked}


def _since(rules: Any, time_zone: str, member: Mapping[str, Any], at: dt.datetime) -> dt.datetime:
    held = Held(member["tier_id"], None, None)
    return Course(rules, Calendar(time_zone, member["joined_at"]), (), held).window_start(at)


_EXPIRING = """
SELECT DISTINCT ON (l.member_id) l.member_id, sum(l.remaining), l.expires_at
FROM rewards_lot l JOIN rewards_account a ON a.id = l.account_id JOIN rewards_wallet w ON w.id = a.wallet_id
WHERE l.member_id = ANY(%s) AND l.remaining > 0 AND l.expires_at > %s AND a.kind = 'available' AND w.is_default
GROUP BY l.member_id, l.expires_at ORDER BY l.member_id, l.expires_at
"""


def _expiring(asked: Sequence[Asked], at: dt.datetime) -> Values:
    """What expires next; where the occasion itself is an expiry, that one."""
    with connection.cursor() as cursor:
        cursor.execute(_EXPIRING, [_ids(asked), at])
        nearest = {
            member_id: (int(points), expires_at) for member_id, points, expires_at in cursor.fetchall()
        }

    def expiring(each: Asked) -> dict[str, Any]:
        points, expires_at = _told_expiry(each.message.facts) or nearest.get(each.member_id, (0, None))
        day = Day.of(last_moment(expires_at)) if expires_at else None
        return {"points": Number(points) if day else None, "date": day}

    return {each.message.pk: expiring(each) for each in asked}


def _told_expiry(facts: Mapping[str, Any]) -> tuple[int, dt.datetime] | None:
    points, moment = facts.get("points"), facts.get("expires_at")
    if not isinstance(points, int) or not isinstance(moment, str):
        return None
    try:
        expires_at = parse_datetime(moment)
    except ValueError:  # 30 February
        return None
    return (points, expires_at) if expires_at is not None and expires_at.tzinfo else None


def _reward(asked: Sequence[Asked], at: dt.datetime) -> Values:
    """The reward that the occasion is about, else what the member saves for."""
    about = {each.message.pk: _number(each.message.facts, "reward_id") for each in asked}
    named = Reward.objects.in_bulk({reward_id for reward_id in about.values() if reward_id is not None})
    saving = [each for each in asked if about[each.message.pk] not in named]
    nearest = _saved_for({each.member_id for each in saving}, at)

    def reward(each: Asked) -> dict[str, Any]:
        found = named.get(about[each.message.pk] or 0)
        one, missing = (found, 0) if found is not None else nearest.get(each.member_id, (None, 0))
        if one is None:
            return {"name": None, "points": None, "missing": None}
        name = in_language(one.names, each.language) or one.code
        return {"name": name, "points": Number(one.points), "missing": Number(missing)}

    return {each.message.pk: reward(each) for each in asked}


def _saved_for(member_ids: Collection[int], at: dt.datetime) -> dict[int, tuple[Reward, int]]:
    """For each member the reward that nothing but points keeps them from: a marked one first, then the nearest.

    Never about what the member said they would not want.
    """
    if not member_ids:
        return {}
    rewards = list(catalogue())
    known = gather(member_ids=member_ids, rewards=rewards, at=at)
    marked = set(Favourite.objects.filter(member__in=member_ids).values_list("member_id", "reward_id"))
    unwanted = recommendations.unwanted(member_ids)
    found: dict[int, tuple[Reward, int]] = {}
    for member_id in member_ids:
        ranked = []
        for reward in rewards:
            obstacles = judge(reward=reward, asker=known.asker(member_id, reward), at=at)
            if [each.kind for each in obstacles] != [ObstacleKind.POINTS]:
                continue
            if reward.skus and all(unwanted.of(member_id).has(sku) for sku in reward.skus):
                continue
            missing = obstacles[0].points_missing
            ranked.append(((member_id, reward.pk) not in marked, missing, reward.points, reward.pk, reward))
        if ranked:
            best = min(ranked, key=lambda row: row[:4])
            found[member_id] = (best[4], best[1])
    return found


def _voucher(asked: Sequence[Asked], at: dt.datetime) -> Values:
    """The voucher that goes with the message, by the code that ``campaigns.awards`` left in its facts."""
    told = {each.message.pk: each.message.facts.get("voucher") or {} for each in asked}
    wanted = {codes.canonical(str(facts.get("code", ""))) for facts in told.values()} - {""}
    rows = Voucher.objects.filter(code__in=wanted).select_related("family__partner")
    known = {voucher.code: voucher for voucher in rows}

    def voucher(each: Asked) -> dict[str, Any]:
        facts = told[each.message.pk]
        found = known.get(codes.canonical(str(facts.get("code", ""))))
        if found is not None:
            return _shown(found, each.language)
        return {name: str(facts.get(name, "")) for name in ("name", "code", "value", "valid_to")}

    return {each.message.pk: voucher(each) for each in asked}


def _vouchers(asked: Sequence[Asked], at: dt.datetime) -> Values:
    """All vouchers that the member can use, those that end first at the front."""
    rows = Voucher.objects.filter(member__in=_ids(asked)).select_related("family__partner")
    held: dict[int, list[Voucher]] = defaultdict(list)
    for voucher in queries.in_state(rows, Voucher.State.ACTIVE, at=at).order_by("expires_at", "pk"):
        held[voucher.member_id or 0].append(voucher)
    return {
        each.message.pk: [_shown(voucher, each.language) for voucher in held[each.member_id][:20]]
        for each in asked
    }


def _shown(voucher: Voucher, language: str) -> dict[str, Any]:
    with override(language):
        return {
            "name": in_language(voucher.family.names, language) or voucher.family.code,
            "code": queries.shown_code(voucher),
            "value": wording.worth(voucher.family, voucher.value),
            "valid_to": wording.until(voucher.expires_at),
        }


def _recommendations(asked: Sequence[Asked], at: dt.datetime) -> Values:
    liked = recommendations.for_members(_ids(asked), at=at)
    return {each.message.pk: liked.get(each.member_id, []) for each in asked}


def _activity(asked: Sequence[Asked], at: dt.datetime) -> Values:
    """The purchase that the occasion is about; what was bought, item by item, only with the consent to that."""
    ids = {fact for each in asked if (fact := _number(each.message.facts, "activity_id")) is not None}
    public = {str(fact) for each in asked if _is_uuid(fact := each.message.facts.get("activity"))}
    rows = Activity.objects.filter(Q(pk__in=ids) | Q(public_id__in=public), member__in=_ids(asked))
    found = {activity.pk: activity for activity in rows.select_related("store")}
    by_public = {str(activity.public_id): activity for activity in found.values()}
    products = _products(found)
    values: Values = {}
    for each in asked:
        facts = each.message.facts
        activity = found.get(_number(facts, "activity_id") or 0) or by_public.get(
            str(facts.get("activity", ""))
        )
        if activity is not None and activity.member_id == each.member_id:
            values[each.message.pk] = _told(activity, products[activity.pk])
    return values


def _told(activity: Activity, products: list[dict[str, Any]]) -> dict[str, Any]:
    is_base = activity.currency == terms.current().base_currency
    return {
        "date": Day.of(activity.occurred_at),
        "total": Money(activity.total) if is_base else money_text(activity.total, activity.currency),
        "store": str(activity.store) if activity.store else "",
        "products": products,
    }


def _products(activities: Mapping[int, Activity]) -> dict[int, list[dict[str, Any]]]:
    """The named products of each purchase whose member lets us use its lines."""
    agreed = Consent.objects.filter(purpose=Purpose.PURCHASE_LINES, channel="any", granted=True)
    lines = ActivityLine.objects.filter(
        activity__in=list(activities), member__in=agreed.values("member_id"), quantity__gt=0
    )
    found: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for line in lines.exclude(product__name="").select_related("product", "category").order_by("position"):
        if line.product is not None:
            found[line.activity_id].append(
                {
                    "name": line.product.name,
                    "category": line.category.name if line.category else "",
                    "quantity": _quantity(line.quantity),
                }
            )
    return found


def _quantity(quantity: Decimal) -> Any:
    return Number(quantity) if quantity == quantity.to_integral_value() else quantity.normalize()


def _number(facts: Mapping[str, Any], name: str) -> int | None:
    """The pk that a fact names: partners may tell anything under any name."""
    fact = facts.get(name)
    return fact if isinstance(fact, int) and not isinstance(fact, bool) else None


def _is_uuid(fact: object) -> bool:
    return isinstance(fact, str) and _UUID.fullmatch(fact) is not None


def _ids(asked: Sequence[Asked]) -> list[int]:
    return sorted({each.member_id for each in asked})


LOADERS: Mapping[str, Callable[[Sequence[Asked], dt.datetime], Values]] = {
    "balance": _balance,
    "tier": _tier,
    "expiring": _expiring,
    "reward": _reward,
    "voucher": _voucher,
    "vouchers": _vouchers,
    "recommendations": _recommendations,
    "activity": _activity,
}
