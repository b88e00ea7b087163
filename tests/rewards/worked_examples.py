"""Reads and carries out ``docs/worked-examples.md``: what stands there is done line by line, and has to come out so.

A line that is not understood fails the example: the document cannot say what is not tested.
"""

import datetime as dt
import re
import zoneinfo
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from loyalty.models import Partner
from members import kinds
from members.activities import LineFacts, NewActivity
from members.enrolment import NewMember, enrol
from members.models import Activity, ActivityKind, Member
from rewards import confirmation, ledger, offers, terms, tier_review
from rewards.earning import record_and_reward
from rewards.grants import adjust
from rewards.ledger import Why
from rewards.models import (
    Account,
    EarningRule,
    Judgement,
    Redemption,
    RedemptionTerms,
    RefundPolicy,
    Reward,
    RuleBudget,
    RuleRevision,
    Transfer,
    Wallet,
)
from rewards.models.ledger import AccountKind
from rewards.redemption import ending
from rewards.redemption import upkeep as redemption_upkeep
from rewards.redemption.placing import place
from rewards.refund_parts import Order, Returned
from rewards.refunds import RefundOutcome, refund
from rewards.revisions import RuleTerms, revise_expiry, revise_rule
from rewards.verification import verify

DOCUMENT = Path(__file__).parents[2] / "docs" / "worked-examples.md"
HELSINKI = zoneinfo.ZoneInfo("Europe/Helsinki")
BEGINNING = dt.datetime(2026, 1, 1, tzinfo=HELSINKI)
DAY = dt.timedelta(days=1)


@dataclass(frozen=True)
class Example:
    """One heading of the document with its lines."""

    title: str
    lines: tuple[str, ...]


def examples() -> Iterator[Example]:
    """The examples of the document, in order: a heading ``### …`` and the fenced block below it."""
    text = DOCUMENT.read_text(encoding="utf-8")
    for part in re.split(r"^### ", text, flags=re.MULTILINE)[1:]:
        title, _newline, rest = part.partition("\n")
        blocks = re.findall(r"^```text\n(.*?)^```", rest, flags=re.MULTILINE | re.DOTALL)
        if len(blocks) != 1:
            raise ValueError(f"{title}: an example has one block")
        yield Example(title.strip(), tuple(line.strip() for line in blocks[0].splitlines() if line.strip()))


class NotUnderstood(Exception):
    """The line does not belong to the language of the examples."""


# --- Rules ------------------------------------------------------------------------------------------------------------

Read = Callable[..., dict[str, Any]]


def _about(field_name: str, op: str, value: Any) -> dict[str, Any]:
    return {"conditions": [{"field": field_name, "op": op, "value": value}]}


_PERIODS = {"a day": "day", "a week": "week", "a month": "month", "a year": "year", "in all": "ever"}

PHRASES: Mapping[str, Read] = {
    r"(\d+) points?": lambda n: {"effect": "fixed", "points": int(n)},
    r"(\d+) points? per ([\d.]+) EUR": lambda n, a: {
        "effect": "per_amount",
        "points": int(n),
        "amount": Decimal(a),
    },
    r"(\d+) points? per unit": lambda n: {"effect": "per_unit", "points": int(n)},
    r"(\d+) points? per line": lambda n: {"effect": "per_line", "points": int(n)},
    r"([\d.]+) times the base": lambda n: {"effect": "multiplier", "factor": Decimal(n)},
    r"only ([A-Z]+)": lambda name: {"lines": {"field": "category", "op": "eq", "value": name}},
    r"with ([A-Z]+) in the basket": lambda name: {
        "conditions": [{"lines": {"where": {"field": "category", "op": "eq", "value": name}}}]
    },
    r"rounded (up|down|nearest)": lambda way: {"rounding": way},
    r"on weekends": lambda: _about("weekday", "in", ["6", "7"]),
    r"from (\d+) o'clock": lambda hour: _about("hour", "ge", int(hour)),
    r"for (\w+) and above": lambda tier: _about("tier_reached", "contains", tier),
    r"for purchases of ([\d.]+) EUR or more": lambda total: _about("total", "ge", total),
    r"for purchase number (\d+)": lambda n: _about("purchase_number", "eq", int(n)),
    r"for (visit|review)s": lambda kind: _about("kind", "eq", kind),
    r"at most (\d+) at once": lambda n: {"cap_per_activity": int(n)},
    r"at most (\d+) at once or nothing": lambda n: {"cap_per_activity": int(n), "over_cap": "reject"},
    rf"at most (\d+) ({'|'.join(_PERIODS)})": lambda n, period: {
        "cap_per_member": int(n),
        "cap_period": _PERIODS[period],
    },
    r"budget (\d+)": lambda n: {"budget": int(n)},
    r"not again within (\d+) days": lambda n: {"cooldown_days": int(n)},
    r"pending for (\d+) days": lambda n: {"pending_days": int(n)},
    r"pending until confirmed": lambda: {"pending_confirmation": True},
    r"personal offer": lambda: {"needs_activation": True},
    r"the best of (\w+)": lambda group: {"stack_group": group, "stacking": "best"},
    r"the first of (\w+)": lambda group: {"stack_group": group, "stacking": "exclusive"},
    r"into (\w+)": lambda wallet: {"wallet": wallet},
    r"priority (-?\d+)": lambda n: {"priority": int(n)},
    r"counts towards tiers": lambda: {"qualifying": True},
}


def read_terms(text: str) -> RuleTerms:
    """“2 times the base, only PASTRY, on weekends” as the terms of a rule."""
    facts: dict[str, Any] = {"wallet": "points", "priority": 100, "conditions": []}
    for phrase in text.split(", "):
        found = _phrase(phrase)
        found["conditions"] = facts["conditions"] + found.get("conditions", [])
        facts |= found
    facts["wallet_id"] = Wallet.objects.get(code=facts.pop("wallet")).pk
    facts["conditions"] = {"all": facts["conditions"]} if facts["conditions"] else {}
    assert facts.keys() <= {each.name for each in fields(RuleTerms)}
    return RuleTerms(**facts)


def _phrase(text: str) -> dict[str, Any]:
    for pattern, read in PHRASES.items():
        if match := re.fullmatch(pattern, text):
            return read(*match.groups())
    raise NotUnderstood(text)


# --- What happens -----------------------------------------------------------------------------------------------------


@dataclass
class World:
    """Aino, one shop, and what became of her purchases."""

    partner: Partner
    member: Member
    now: dt.datetime = BEGINNING
    refunds: dict[str, RefundOutcome] = field(default_factory=dict)
    orders: list[Order] = field(default_factory=list)
    redemptions: dict[str, int] = field(default_factory=dict)

    def activity(self, name: str) -> Activity:
        return Activity.objects.get(external_id=name)

    def rule(self, code: str) -> EarningRule:
        return EarningRule.objects.get(code=code)


def new_world() -> World:
    partner = Partner.objects.create(slug="shop", name="Shop")
    long_ago = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    member = enrol(NewMember(first_name="Aino", joined_at=long_ago), source="portal", at=BEGINNING)
    return World(partner, member)


def _rule(world: World, code: str, text: str) -> None:
    made = EarningRule.objects.create(code=code, names={"en": code})
    revise_rule(rule_id=made.pk, rule_terms=read_terms(text), at=world.now)


def _revise(world: World, code: str, text: str) -> None:
    made = world.rule(code)
    new = read_terms(text)
    if code == "base":
        old = RuleTerms.of(made.revisions.get(valid_to=None))
        new = replace(new, priority=old.priority, conditions=old.conditions)
    revise_rule(rule_id=made.pk, rule_terms=new, at=world.now)


def _wallet(world: World, code: str) -> None:
    ledger.open_wallet(Wallet.objects.create(code=code, names={"en": code}).pk)
    terms.revised()


def _limit(world: World, kind: str, count: str) -> None:
    ActivityKind.objects.filter(code=kind).update(rewarded_per_day=int(count))
    kinds.forget()


def _refund_policy(world: World, spent: str) -> None:
    RefundPolicy.objects.create(valid_from=BEGINNING, spent=spent)


def _expiry(world: World, months: str, rounding: str) -> None:
    wallet_id = Wallet.objects.get(is_default=True).pk
    ways = {
        "to the day": "exact",
        "at the end of the month": "month_end",
        "at the end of the year": "year_end",
    }
    revise_expiry(wallet_id=wallet_id, months=int(months), rounding=ways[rounding], at=world.now)


def _buy(world: World, name: str, what: str) -> None:
    lines = tuple(_line(text) for text in what.split(" + ")) if re.search("[A-Z]", what) else ()
    total = sum((line.total for line in lines), Decimal(0)) if lines else Decimal(what)
    _record(world, name, "purchase", total, lines)


def _line(text: str) -> LineFacts:
    match = re.fullmatch(r"(?:(\d+) x )?([A-Z]+) ([\d.]+)", text)
    if match is None:
        raise NotUnderstood(text)
    count, category, total = match.groups()
    return LineFacts(category.lower(), category, "FOOD", Decimal(count or 1), Decimal(total))


def _do(world: World, kind: str, name: str) -> None:
    _record(world, name, kind, Decimal(0), ())


def _record(world: World, name: str, kind: str, total: Decimal, lines: tuple[LineFacts, ...]) -> None:
    new = NewActivity(world.partner.pk, world.member.pk, name, kind, world.now, "EUR", total, lines=lines)
    record_and_reward(new, at=world.now)


def _late(world: World, day: str, time: str, name: str, what: str) -> None:
    """A purchase that is recorded now and happened then."""
    now, world.now = world.now, _moment(day, time)
    lines = tuple(_line(text) for text in what.split(" + ")) if re.search("[A-Z]", what) else ()
    total = sum((line.total for line in lines), Decimal(0)) if lines else Decimal(what)
    new = NewActivity(
        world.partner.pk, world.member.pk, name, "purchase", world.now, "EUR", total, lines=lines
    )
    world.now = now
    record_and_reward(new, at=now)


def _refund(world: World, name: str, what: str) -> None:
    if what == "all":
        order = Order(everything=True)
    elif re.fullmatch(r"[\d.]+", what):
        order = Order(amount=Decimal(what))
    else:
        order = Order(lines=tuple(_returned(text) for text in what.split(" + ")))
    world.orders.append(order)
    world.refunds[name] = _send_refund(world, name)


def _send_refund(world: World, name: str) -> RefundOutcome:
    """The last order, under the number it has."""
    number = f"refund {len(world.orders)}"
    return refund(
        activity_id=world.activity(name).pk, external_id=number, order=world.orders[-1], at=world.now
    )


def _returned(text: str) -> Returned:
    match = re.fullmatch(r"(?:(\d+) x )?([A-Z]+)", text)
    if match is None:
        raise NotUnderstood(text)
    return Returned(match[2].lower(), Decimal(match[1]) if match[1] else None)


def _refund_again(world: World, name: str) -> None:
    """The same request once more, as a till that got no answer sends it."""
    assert _send_refund(world, name).replayed


def _redeem(world: World, points: str) -> None:
    ledger.spend(
        member_id=world.member.pk,
        wallet_id=Wallet.objects.get(is_default=True).pk,
        points=int(points),
        kind=Transfer.Kind.REDEEM,
        to_kind=AccountKind.REDEEMED,
        why=Why(),
        at=world.now,
    )


def _reward(world: World, code: str, points: str, days: str | None) -> None:
    Reward.objects.create(
        code=code,
        names={"en": code},
        kind=Reward.Kind.PRODUCT,
        fulfilment=Reward.Fulfilment.COLLECT,
        points=int(points),
        collect_days=int(days or 100),
        is_active=True,
    )


def _grace(world: World, days: str) -> None:
    RedemptionTerms.objects.create(valid_from=world.now, grace_days=int(days))


def _take(world: World, code: str) -> None:
    reward_id = Reward.objects.get(code=code).pk
    placed = place(member_id=world.member.pk, reward_id=reward_id, via=Redemption.Via.PORTAL, at=world.now)
    world.redemptions[code] = placed.redemption.pk


def _hand_over(world: World, code: str) -> None:
    ending.fulfil(redemption_id=world.redemptions[code], via=Redemption.Via.STAFF, at=world.now)


def _return(world: World, code: str) -> None:
    ending.cancel(redemption_id=world.redemptions[code], via=Redemption.Via.STAFF, at=world.now)


def _night(world: World) -> None:
    """The nightly work: pending points whose time has come, rewards nobody collected, expiry, the review of tiers."""
    ledger.mature_due(at=world.now)
    redemption_upkeep.lapse_due(at=world.now)
    ledger.expire_due(at=world.now)
    tier_review.review(at=world.now)


def _confirm(world: World, name: str) -> None:
    confirmation.confirm(activity=world.activity(name), at=world.now)


def _cancel(world: World, name: str) -> None:
    confirmation.cancel(activity=world.activity(name), at=world.now)


def _activate(world: World, code: str) -> None:
    offers.activate(member=world.member, code=code, at=world.now)


# --- What has to come out ---------------------------------------------------------------------------------------------


def _expect_balance(world: World, text: str) -> None:
    wanted = {"available": 0, "pending": 0, "debt": 0} | _numbers(text)
    rows = dict(
        Account.objects.filter(member=world.member, wallet__is_default=True).values_list("kind", "balance")
    )
    found = {kind: rows.get(kind) or 0 for kind in ("available", "pending", "debt")}
    found["debt"] = -found["debt"]
    assert found == wanted


def _numbers(text: str) -> dict[str, int]:
    """“base 42, pastry 8” as a mapping; “nothing” is an empty one."""
    if text == "nothing":
        return {}
    pairs = [re.fullmatch(r"([\w ]+) (\d+)", part) for part in text.split(", ")]
    if not all(pairs):
        raise NotUnderstood(text)
    return {pair[1]: int(pair[2]) for pair in pairs if pair}


def _expect_given(world: World, name: str, text: str) -> None:
    found: dict[str, int] = {}
    for verdict in Judgement.objects.get(activity__external_id=name).verdicts:
        if verdict["granted"]:
            found[_code(verdict)] = verdict["granted"]
    assert found == _numbers(text)


def _expect_withheld(world: World, name: str, code: str, points: str, limit: str) -> None:
    verdicts = Judgement.objects.get(activity__external_id=name).verdicts
    found = {
        _code(verdict): (verdict["wanted"] - verdict["granted"], verdict["limit"]) for verdict in verdicts
    }
    assert found[code] == (int(points), limit.replace(" ", "_"))


def _code(verdict: Mapping[str, Any]) -> str:
    return RuleRevision.objects.select_related("rule").get(pk=verdict["revision"]).rule.code


def _expect_taken(world: World, name: str, text: str) -> None:
    taken = {each.rule: each.points for each in world.refunds[name].taken_back}
    assert taken == _numbers(text)


def _expect_money_back(world: World, name: str, amount: str) -> None:
    assert world.refunds[name].amount == Decimal(amount)


def _expect_forgiven(world: World, name: str, points: str) -> None:
    assert world.refunds[name].forgiven == int(points)


def _expect_lots(world: World, text: str) -> None:
    """“10 until 2026-03-31, 5 until 2026-04-30”: what lies in the lots, by the last day on which it is good."""
    found = [
        f"{lot.remaining} until {(lot.expires_at.astimezone(HELSINKI) - dt.timedelta(microseconds=1)):%Y-%m-%d}"
        if lot.expires_at
        else f"{lot.remaining} for ever"
        for lot in world.member.lots.filter(remaining__gt=0, account__kind="available").order_by(
            "expires_at", "pk"
        )
    ]
    assert ", ".join(found) == text


def _expect_redemption(world: World, code: str, state: str) -> None:
    assert Redemption.objects.get(pk=world.redemptions[code]).state == state


def _expect_tier(world: World, code: str) -> None:
    assert Member.objects.get(pk=world.member.pk).tier.code == code


def _expect_wallet(world: World, code: str, points: str) -> None:
    account = Account.objects.filter(member=world.member, wallet__code=code, kind="available").first()
    assert (account.balance if account else 0) == int(points)


def _expect_budget(world: World, code: str, used: str) -> None:
    assert RuleBudget.objects.get(rule__code=code).used == int(used)


def _adjust(world: World, sign: str, points: str) -> None:
    from django.contrib.auth import get_user_model

    staff, _made = get_user_model().objects.get_or_create(email="staff@example.com")
    adjust(
        member_id=world.member.pk,
        points=int(sign + points),
        staff_id=staff.pk,
        note="Worked example",
        at=world.now,
    )


LINES: Mapping[str, Callable[..., None]] = {
    r"rule ([\w ]+): (.+)": _rule,
    r"wallet (\w+)": _wallet,
    r"limit (\w+) to (\d+) a day": _limit,
    r"spent points of a refund: (debt|forgive|hold)": _refund_policy,
    r"revise ([\w ]+): (.+)": _revise,
    r"points expire after (\d+) months, (.+)": _expiry,
    r"buy (\w+): (.+)": _buy,
    r"(visit|review) (\w+)": _do,
    r"record from (\S+) (\S+) buy (\w+): (.+)": _late,
    r"refund (\w+): (.+)": _refund,
    r"the same refund of (\w+) again": _refund_again,
    r"redeem (\d+)": _redeem,
    r"reward (\w+) for (\d+) points(?:, collected within (\d+) days)?": _reward,
    r"grace (\d+) days": _grace,
    r"take (\w+)": _take,
    r"hand over (\w+)": _hand_over,
    r"take back (\w+)": _return,
    r"adjust ([+-])(\d+)": _adjust,
    r"night": _night,
    r"confirm (\w+)": _confirm,
    r"cancel (\w+)": _cancel,
    r"activate (\w+)": _activate,
    r"= (\w+) gave (.+)": _expect_given,
    r"= (\w+) kept back ([\w ]+) (\d+) by (.+)": _expect_withheld,
    r"= refund of (\w+) took (.+)": _expect_taken,
    r"= refund of (\w+) gave back ([\d.]+) EUR": _expect_money_back,
    r"= refund of (\w+) forgave (\d+)": _expect_forgiven,
    r"= lots (.+)": _expect_lots,
    r"= (\w+) is (reserved|fulfilled|cancelled|expired)": _expect_redemption,
    r"= tier (\w+)": _expect_tier,
    r"= wallet (\w+) (\d+)": _expect_wallet,
    r"= budget of (\w+) used (\d+)": _expect_budget,
    r"= ((?:available|pending|debt) \d+(?:, (?:available|pending|debt) \d+)*)": _expect_balance,
}


def carry_out(example: Example) -> None:
    """Do every line of an example, check every line that begins with “=”, and have the books verified at the end."""
    world = new_world()
    for line in example.lines:
        dated = re.fullmatch(r"(\d{4}-\d\d-\d\d)(?: (\d\d:\d\d))?  ?(.+)", line)
        if dated:
            moment = _moment(dated[1], dated[2] or "12:00")
            assert moment >= world.now, f"{line}: the lines of an example stand in the order of time"
            world.now = moment
        _carry_out(world, dated[3].strip() if dated else line, line)
    assert verify(at=world.now) == []


def _moment(day: str, time: str) -> dt.datetime:
    return dt.datetime.fromisoformat(f"{day}T{time}").replace(tzinfo=HELSINKI).astimezone(dt.UTC)


def _carry_out(world: World, text: str, line: str) -> None:
    for pattern, act in LINES.items():
        if match := re.fullmatch(pattern, text):
            try:
                act(world, *match.groups())
            except AssertionError as error:
                raise AssertionError(f"{line}\n{error}") from error
            return
    raise NotUnderstood(line)
