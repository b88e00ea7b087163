"""What rules make of one activity, without a database: effects, rounding, competition, caps, budgets, cooldowns."""

import datetime as dt
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty import conditions
from members.activities import LineFacts, NewActivity
from rewards.case import Case
from rewards.models import RuleRevision
from rewards.rules import Allowances, Limit, Used, Verdict, evaluate, is_pending, waits_until, with_allowance
from rewards.terms import Level, Rule, RuleSet

NOON = dt.datetime(2026, 3, 7, 12, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
BRONZE = Level(1, "bronze", {}, 0, 0, Decimal(1))
SILVER = Level(2, "silver", {}, 1, 1000, Decimal("1.25"))
PURCHASE = NewActivity(
    partner_id=1,
    member_id=1,
    external_id="r-1",
    kind="purchase",
    occurred_at=NOON,
    currency="EUR",
    total=Decimal("20.00"),
    lines=(
        LineFacts("bun", "PASTRY", "Bakery", Decimal(2), Decimal("4.50")),
        LineFacts("loaf", "BREAD", "Bakery", Decimal(1), Decimal("3.00")),
        LineFacts("kilo", "COFFEE", "Drinks", Decimal("0.5"), Decimal("12.50")),
    ),
)


def on(subject: str, field: str, op: str, value: Any) -> conditions.Condition:
    return conditions.parse({"field": field, "op": op, "value": value}, subject, check_choices=False)


PASTRY = on("line", "category", "eq", "PASTRY")
NONE_SUCH = on("line", "category", "eq", "CAVIAR")


def rule(code: str = "rule", *, number: int = 1, **terms: Any) -> Rule:
    facts: dict[str, Any] = {
        "rule_id": number,
        "revision_id": number,
        "number": 1,
        "code": code,
        "names": {},
        "wallet_id": 1,
        "valid_from": NOON - 100 * DAY,
        "valid_to": None,
        "condition": None,
        "effect": "fixed",
        "points": 10,
        "amount": None,
        "qualifying": False,
    }
    return Rule(**(facts | terms))


BASE = rule("base", number=100, effect="per_amount", points=1, amount=Decimal(1), qualifying=True)


class Given(Allowances):
    """What was used so far, as a test says it."""

    def __init__(self, **facts: Any) -> None:
        self.facts = facts
        self.noted: list[tuple[str, int]] = []

    def used(self, rule: Rule, activity: NewActivity) -> Used:
        return Used(self.facts.get("points", 0), self.facts.get("last_at"))

    def budget_left(self, rule: Rule) -> int | None:
        left: int | None = self.facts.get("left")
        return left

    def activated(self, rule: Rule, activity: NewActivity) -> bool:
        return bool(self.facts.get("activated", True))

    def kind_is_used_up(self, activity: NewActivity) -> bool:
        return bool(self.facts.get("used_up", False))

    def note(self, verdict: Verdict, activity: NewActivity) -> None:
        self.noted.append((verdict.rule.code, verdict.granted))


def judged(
    *rules: Rule,
    purchase: NewActivity = PURCHASE,
    level: Level = BRONZE,
    allowances: Allowances | None = None,
) -> list[tuple[str, int, int, Limit | None]]:
    verdicts = evaluate(Case(purchase, level, {}), rules=rules, allowances=allowances)
    return [(each.rule.code, each.wanted, each.granted, each.limit) for each in verdicts]


def wanted(one: Rule, **facts: Any) -> int:
    return sum(points for code, points, _granted, _limit in judged(BASE, one, **facts) if code == one.code)


# --- What a rule wants to give ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("terms", "points"),
    [
        ({"effect": "fixed", "points": 7}, 7),
        ({"effect": "fixed", "points": 7, "lines": PASTRY}, 7),
        ({"effect": "fixed", "points": 7, "lines": NONE_SUCH}, 0),
        ({"effect": "per_amount", "points": 2, "amount": Decimal(3)}, 12),
        ({"effect": "per_amount", "points": 2, "amount": Decimal(3), "rounding": "nearest"}, 13),
        ({"effect": "per_amount", "points": 2, "amount": Decimal(3), "rounding": "up"}, 14),
        ({"effect": "per_amount", "points": 1, "amount": Decimal(1), "lines": PASTRY}, 4),
        ({"effect": "per_amount", "points": 1, "amount": Decimal(1), "lines": NONE_SUCH}, 0),
        ({"effect": "multiplier", "factor": Decimal(2)}, 20),
        ({"effect": "multiplier", "factor": Decimal("1.5")}, 10),
        ({"effect": "multiplier", "factor": Decimal(2), "lines": PASTRY}, 4),
        ({"effect": "multiplier", "factor": Decimal("1.33"), "lines": PASTRY}, 1),
        ({"effect": "multiplier", "factor": Decimal("1.33"), "lines": PASTRY, "rounding": "up"}, 2),
        ({"effect": "multiplier", "factor": Decimal(2), "wallet_id": 2}, 0),
        ({"effect": "per_unit", "points": 5, "lines": PASTRY}, 10),
        ({"effect": "per_unit", "points": 5}, 17),
        ({"effect": "per_unit", "points": 5, "rounding": "nearest"}, 18),
        ({"effect": "per_line", "points": 5}, 15),
        ({"effect": "per_line", "points": 5, "lines": PASTRY}, 5),
        ({"effect": "tier_bonus"}, 0),
    ],
)
def test_what_each_effect_gives(terms: dict[str, Any], points: int) -> None:
    assert wanted(rule(**terms)) == points


def test_the_tier_adds_its_extra_to_qualifying_points_only() -> None:
    plain = rule("plain", number=2, points=40)
    extra = rule("extra", number=3, effect="tier_bonus")
    assert judged(BASE, plain, extra, level=SILVER)[-1] == ("extra", 5, 5, None)


def test_a_rule_whose_condition_fails_is_silent_and_the_next_still_speaks() -> None:
    over_50 = rule("over 50", condition=on("activity", "total", "ge", "50"))
    assert judged(over_50, BASE) == [("base", 20, 20, None)]


def test_silver_and_above_is_asked_of_the_ladder() -> None:
    asks = rule(condition=on("activity", "tier_reached", "contains", "silver"))
    for level, found in ((BRONZE, 0), (SILVER, 1), (replace(SILVER, code="gold"), 1)):
        case = Case(PURCHASE, level, {"ladder": ("bronze", "silver", "gold")})
        assert len(evaluate(case, rules=[asks])) == found


def test_two_multipliers_each_add_to_the_base_and_not_to_each_other() -> None:
    double = rule("double", number=2, effect="multiplier", factor=Decimal(2))
    triple = rule("triple", number=3, effect="multiplier", factor=Decimal(3))
    assert [granted for _code, _wanted, granted, _limit in judged(BASE, double, triple)] == [20, 20, 40]


# --- Competition ------------------------------------------------------------------------------------------------------


def rivals(stacking: str) -> tuple[Rule, Rule, Rule]:
    return tuple(  # type: ignore[return-value]
        rule(code, number=number, points=points, stack_group="spring", stacking=stacking)
        for number, (code, points) in enumerate((("first", 10), ("best", 30), ("equal", 30)), start=1)
    )


@pytest.mark.parametrize(
    ("stacking", "granted"), [("add", [10, 30, 30]), ("best", [0, 30, 0]), ("exclusive", [10, 0, 0])]
)
def test_rules_of_a_group_compete_as_chosen(stacking: str, granted: list[int]) -> None:
    found = judged(*rivals(stacking))
    assert [each[2] for each in found] == granted
    assert {each[3] for each in found if not each[2]} <= {Limit.STACK}


def test_groups_do_not_touch_each_other_nor_rules_without_one() -> None:
    first, best, _equal = rivals("best")
    other = replace(first, revision_id=9, stack_group="autumn", code="other")
    alone = rule("alone", number=8)
    assert [each[2] for each in judged(first, best, other, alone)] == [0, 30, 10, 10]


def test_an_offer_not_taken_up_does_not_win_its_group() -> None:
    first, best, _equal = rivals("best")
    offer = replace(best, needs_activation=True)
    found = judged(first, offer, allowances=Given(activated=False))
    assert found == [("first", 10, 10, None), ("best", 30, 0, Limit.NOT_ACTIVATED)]


def test_with_exclusive_rules_the_first_by_priority_gives_even_when_a_later_one_gives_more() -> None:
    first, best, equal = rivals("exclusive")
    assert [each[2] for each in judged(best, first, equal)] == [30, 0, 0]


# --- Limits -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("terms", "used", "granted", "limit"),
    [
        ({"cap_per_activity": 10}, {}, 10, None),
        ({"cap_per_activity": 4}, {}, 4, Limit.ACTIVITY_CAP),
        ({"cap_per_activity": 4, "over_cap": "reject"}, {}, 0, Limit.ACTIVITY_CAP),
        ({"cap_per_activity": 10, "over_cap": "reject"}, {}, 10, None),
        ({"cap_per_member": 25}, {"points": 15}, 10, None),
        ({"cap_per_member": 25}, {"points": 18}, 7, Limit.MEMBER_CAP),
        ({"cap_per_member": 25}, {"points": 25}, 0, Limit.MEMBER_CAP),
        ({"cap_per_member": 25}, {"points": 40}, 0, Limit.MEMBER_CAP),
        ({"budget": 1000}, {"left": 10}, 10, None),
        ({"budget": 1000}, {"left": 3}, 3, Limit.BUDGET),
        ({"budget": 1000}, {"left": 0}, 0, Limit.BUDGET),
        ({"budget": 1000}, {"left": -5}, 0, Limit.BUDGET),
        ({"cooldown_days": 7}, {}, 10, None),
        ({"cooldown_days": 7}, {"last_at": NOON - 7 * DAY}, 10, None),
        ({"cooldown_days": 7}, {"last_at": NOON - 6 * DAY}, 0, Limit.COOLDOWN),
        ({"cooldown_days": 7}, {"last_at": NOON + 6 * DAY}, 0, Limit.COOLDOWN),
        ({"needs_activation": True}, {"activated": True}, 10, None),
        ({"needs_activation": True}, {"activated": False}, 0, Limit.NOT_ACTIVATED),
        ({}, {"used_up": True}, 0, Limit.KIND_LIMIT),
        ({"cap_per_activity": 8, "cap_per_member": 6, "budget": 9}, {"left": 4}, 4, Limit.BUDGET),
    ],
)
def test_what_a_limit_leaves(
    terms: dict[str, Any], used: dict[str, Any], granted: int, limit: Limit | None
) -> None:
    assert judged(rule(**terms), allowances=Given(**used)) == [("rule", 10, granted, limit)]


def test_every_verdict_is_noted_for_the_activities_that_follow() -> None:
    allowances = Given()
    judged(BASE, rule(cap_per_activity=4), allowances=allowances)
    assert allowances.noted == [("base", 20), ("rule", 4)]


def test_a_capped_base_is_still_doubled_in_full() -> None:
    """A multiple is of what the base rule is for; its own cap keeps it in bounds."""
    capped = replace(BASE, cap_per_activity=5)
    double = rule("double", effect="multiplier", factor=Decimal(2))
    assert [each[1:3] for each in judged(capped, double)] == [(20, 5), (20, 20)]


# --- Waiting ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("terms", "pending", "until"),
    [
        ({}, False, None),
        ({"pending_days": 14}, True, NOON + 14 * DAY),
        ({"pending_until": NOON + DAY}, True, NOON + DAY),
        ({"pending_until": NOON}, False, None),
        ({"pending_until": NOON + DAY, "pending_days": 3}, True, NOON + 3 * DAY),
        ({"pending_confirmation": True}, True, None),
        ({"pending_confirmation": True, "pending_days": 3}, True, None),
    ],
)
def test_when_pending_points_become_available(
    terms: dict[str, Any], pending: bool, until: dt.datetime | None
) -> None:
    waiting = rule(**terms)
    assert (is_pending(waiting, NOON), waits_until(waiting, NOON)) == (pending, until)


# --- Whatever the rules -----------------------------------------------------------------------------------------------

maybe = st.none() | st.integers(1, 60)
any_rules = st.lists(
    st.fixed_dictionaries(
        {
            "effect": st.sampled_from(RuleRevision.Effect.values),
            "points": st.integers(1, 40),
            "amount": st.decimals("0.01", "50", places=2),
            "factor": st.decimals("1.01", "9", places=2),
            "qualifying": st.booleans(),
            "lines": st.sampled_from([None, PASTRY, NONE_SUCH]),
            "condition": st.sampled_from(
                [None, on("activity", "total", "ge", "10"), on("activity", "tier", "eq", "silver")]
            ),
            "rounding": st.sampled_from(RuleRevision.Rounding.values),
            "stack_group": st.sampled_from(["", "a", "b"]),
            "stacking": st.sampled_from(RuleRevision.Stacking.values),
            "cap_per_activity": maybe,
            "over_cap": st.sampled_from(RuleRevision.OverCap.values),
            "cap_per_member": maybe,
            "budget": maybe,
            "cooldown_days": st.sampled_from([0, 3]),
            "needs_activation": st.booleans(),
        }
    ),
    max_size=6,
)
any_lines = st.lists(
    st.builds(
        lambda category, cents, quantity: LineFacts(
            "sku", category, "Food", Decimal(quantity), Decimal(cents) / 100
        ),
        st.sampled_from(["PASTRY", "BREAD"]),
        st.integers(0, 30_000),
        st.integers(1, 9),
    ),
    max_size=4,
).map(tuple)
any_use = st.fixed_dictionaries(
    {
        "points": st.integers(0, 80),
        "left": st.integers(-5, 80),
        "last_at": st.none() | st.integers(-10, 10).map(lambda days: NOON + days * DAY),
        "activated": st.booleans(),
        "used_up": st.booleans(),
    }
)


@given(any_rules, any_lines, any_use, st.sampled_from([BRONZE, SILVER]))
def test_whatever_the_rules_no_limit_is_passed_and_the_answer_is_always_the_same(
    terms: list[dict[str, Any]], lines: tuple[LineFacts, ...], use: dict[str, Any], level: Level
) -> None:
    rules = [rule(f"r{number}", number=number, **facts) for number, facts in enumerate(terms, start=1)]
    purchase = replace(PURCHASE, lines=lines, total=sum((line.total for line in lines), Decimal(0)))
    case = Case(purchase, level, {})
    verdicts = evaluate(case, rules=rules, allowances=Given(**use))

    for verdict in verdicts:
        one = verdict.rule
        assert 0 <= verdict.granted <= verdict.wanted
        assert (verdict.limit is None) == (verdict.granted == verdict.wanted)
        if one.cap_per_activity is not None:
            assert verdict.granted <= one.cap_per_activity
        if one.cap_per_member is not None:
            assert verdict.granted <= max(one.cap_per_member - use["points"], 0)
        if one.budget is not None:
            assert verdict.granted <= max(use["left"], 0)
        if one.needs_activation and not use["activated"]:
            assert verdict.granted == 0
    if use["used_up"]:
        assert sum(verdict.granted for verdict in verdicts) == 0
    for group in ("a", "b"):
        rivals = [v for v in verdicts if v.rule.stack_group == group and v.rule.stacking != "add"]
        assert sum(verdict.granted > 0 for verdict in rivals) <= 1
    assert [v.rule.code for v in verdicts] == sorted(v.rule.code for v in verdicts)
    assert evaluate(Case(purchase, level, {}), rules=rules, allowances=Given(**use)) == verdicts


@given(any_rules, any_lines)
def test_taking_lines_away_never_makes_rules_that_count_them_give_more(
    terms: list[dict[str, Any]], lines: tuple[LineFacts, ...]
) -> None:
    """So a refund of a part takes back, and does not give (groups and thresholds set aside)."""
    plain = {"stack_group": "", "condition": None, "cap_per_activity": None, "cap_per_member": None}
    rules = [rule(number=number, **(facts | plain)) for number, facts in enumerate(terms, start=1)]

    def total(some: tuple[LineFacts, ...]) -> int:
        purchase = replace(PURCHASE, lines=some, total=sum((line.total for line in some), Decimal(0)))
        return sum(verdict.wanted for verdict in evaluate(Case(purchase, SILVER, {}), rules=rules))

    assert total(lines[1:]) <= total(lines)


def both(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"all": list(parts)}


def compare(field: str, op: str, value: Any) -> dict[str, Any]:
    return {"field": field, "op": op, "value": value}


LINE_CONDITIONS = [
    compare("category", "eq", "PASTRY"),
    compare("category", "in", ["BREAD", "CAVIAR"]),
    compare("sku", "ne", "bun"),
    compare("quantity", "eq", 1),
    {"not": compare("category", "eq", "PASTRY")},
    both(compare("sku", "in", ["bun", "loaf"]), compare("category", "eq", "BREAD")),
    {"any": [compare("category", "eq", "BREAD"), compare("category", "eq", "PASTRY")]},
    {"any": [compare("category", "eq", "BREAD"), compare("sku", "eq", "bun")]},
]
CONDITIONS = [
    compare("store", "eq", "north"),
    compare("store", "in", ["north", "south"]),
    compare("weekday", "eq", "6"),
    compare("total", "ge", "10"),
    compare("tier", "eq", "silver"),
    compare("tier_reached", "contains", "silver"),
    {"not": compare("store", "eq", "north")},
    both(compare("kind", "eq", "purchase"), compare("tier", "eq", "bronze"), compare("store", "eq", "south")),
    {"any": [compare("store", "eq", "south"), compare("weekday", "eq", "6")]},
    *({"lines": {"where": where}} for where in LINE_CONDITIONS),
    {"not": {"lines": {"where": LINE_CONDITIONS[0]}}},
]


@given(
    any_rules,
    any_lines,
    st.lists(st.sampled_from(CONDITIONS), min_size=6, max_size=6),
    st.lists(st.none() | st.sampled_from(LINE_CONDITIONS), min_size=6, max_size=6),
    st.sampled_from(["", "north", "south"]),
    st.sampled_from([BRONZE, SILVER]),
)
def test_rules_picked_out_by_their_demands_judge_as_all_of_them_do(
    terms: list[dict[str, Any]],
    lines: tuple[LineFacts, ...],
    about: list[dict[str, Any]],
    counted: list[dict[str, Any] | None],
    store: str,
    level: Level,
) -> None:
    rules = [BASE]
    for number, facts in enumerate(terms, start=1):
        conditions_of = {
            "condition": conditions.parse(about[number % 6], "activity", check_choices=False),
            "lines": conditions.parse(counted[number % 6], "line") if counted[number % 6] else None,
        }
        rules.append(rule(f"r{number}", number=number, **(facts | conditions_of)))
    total = sum((line.total for line in lines), Decimal(0))
    purchase = replace(PURCHASE, lines=lines, store=store, total=total)
    more = {"weekday": "6", "ladder": ("bronze", "silver")}
    expected = evaluate(Case(purchase, level, more), rules=rules)

    in_force = RuleSet(rules)
    assert evaluate(Case(purchase, level, more), rules=in_force) == expected
    before = Case.before_tiers(purchase, more)
    assert evaluate(before.under(BRONZE), rules=in_force) == evaluate(
        Case(purchase, BRONZE, more), rules=rules
    )
    assert evaluate(before.under(level), rules=in_force) == expected
    waiting = {each.rule_id for each in with_allowance(before, in_force)}
    assert {v.rule.rule_id for v in expected if v.rule.has_allowance} <= waiting


def test_a_rule_about_another_category_or_shop_is_not_even_looked_at() -> None:
    elsewhere = [
        rule("a", number=1, lines=NONE_SUCH),
        rule("b", number=2, condition=on("activity", "store", "eq", "north")),
    ]
    here = rule("c", number=3, lines=PASTRY)
    case = Case(PURCHASE, BRONZE, {})
    assert case.likely(RuleSet([*elsewhere, here])) == [here]
