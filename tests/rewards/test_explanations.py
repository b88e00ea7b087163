"""Every rule in force says what it gave, or why it gave nothing."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import translation

from members.activities import LineFacts, NewActivity
from members.models import Activity, Member
from rewards import explanations
from rewards.earning import record_and_reward
from rewards.explanations import OUTCOMES, explain, explain_many
from rewards.models import EarningRule, Judgement, RuleBudget, RuleRevision, Wallet
from rewards.terms import revised
from tests.factories.members import NOON, member
from tests.factories.partners import PartnerFactory

pytestmark = pytest.mark.django_db

DAY = dt.timedelta(days=1)
PASTRY = {"field": "category", "op": "eq", "value": "PASTRY"}


@pytest.fixture(autouse=True)
def _english() -> object:
    explanations._said.cache_clear()
    with translation.override("en"):
        yield


@pytest.fixture
def aino() -> Member:
    return member(partner=PartnerFactory(), birth_date=dt.date(1990, 6, 1))


def rule(code: str, **terms: Any) -> RuleRevision:
    made = EarningRule.objects.create(code=code, names={"en": code.capitalize(), "fi": f"{code} suomeksi"})
    facts = {"number": 1, "priority": 20, "valid_from": NOON - 1000 * DAY, "effect": "fixed", "points": 5}
    revision = RuleRevision.objects.create(
        rule=made, wallet=Wallet.objects.get(is_default=True), **facts | terms
    )
    revised()
    return revision


def buy(who: Member, total: str = "42.50", category: str = "BREAD", at: dt.datetime = NOON) -> Activity:
    assert who.enrolled_by is not None
    line = LineFacts(category.lower(), category, "FOOD", Decimal(1), Decimal(total))
    name = f"r-{Activity.objects.count()}"
    new = NewActivity(
        who.enrolled_by.pk, who.pk, name, "purchase", at, "EUR", Decimal(total), "kamppi", "store", (line,)
    )
    return Activity.objects.get(public_id=record_and_reward(new, at=at).activity_id)


def told(activity: Activity) -> dict[str, tuple[int, str, str]]:
    return {each.rule: (each.points, each.outcome, each.text) for each in explain(activity)}


def test_what_a_rule_gave_is_read_out_with_its_revision(aino: Member) -> None:
    base, *others = explain(buy(aino))

    assert (base.rule, base.name, base.revision, base.points, base.outcome) == (
        "base", "Base points", 1, 42, "given",
    )  # fmt: skip
    assert base.text.startswith("42 points: 1 point for each full 1 EUR")
    assert [(each.rule, each.outcome, each.text) for each in others] == [
        ("tier bonus", "tier", "No points, because the tier held then, Bronze, gives no extra.")
    ]


def test_the_part_of_a_condition_that_did_not_hold_is_said(aino: Member) -> None:
    rule(
        "weekend",
        conditions={
            "all": [
                {"field": "kind", "op": "eq", "value": "purchase"},
                {"field": "weekday", "op": "in", "value": ["6", "7"]},
                {"field": "tier", "op": "eq", "value": "gold"},
            ]
        },
    )
    assert told(buy(aino))["weekend"] == (
        0,
        "condition",
        "No points, because weekday in the store is not Saturday or Sunday and tier held before is not Gold.",
    )


@pytest.mark.parametrize(
    ("terms", "points", "outcome", "text"),
    [
        (
            {"lines": PASTRY},
            0,
            "lines",
            "No points, because on no purchase line category is “PASTRY”.",
        ),
        (
            {"effect": "per_amount", "amount": Decimal(50)},
            0,
            "less_than_amount",
            "No points, because 42.50\xa0EUR is less than the full 50.00\xa0EUR that gives points.",
        ),
        (
            {"points": 30, "cap_per_activity": 20},
            20,
            "activity_cap",
            "20 points instead of 30. The rule gives at most 20 points for one activity.",
        ),
        (
            {"points": 30, "cap_per_activity": 20, "over_cap": "reject"},
            0,
            "activity_cap",
            "No points. 30 would be more than the rule allows for one activity, which is 20.",
        ),
        (
            {"points": 30, "cap_per_member": 1, "cap_period": "week"},
            1,
            "member_cap",
            "1 point instead of 30. The rule gives a member at most 1 points a week.",
        ),
        (
            {"points": 30, "budget": 12},
            12,
            "budget",
            "12 points instead of 30. The rule's budget was used up.",
        ),
        (
            {"needs_activation": True},
            0,
            "not_activated",
            "No points. This is a personal offer, and it had not been activated by then.",
        ),
    ],
)
def test_limits_are_told(aino: Member, terms: dict[str, Any], points: int, outcome: str, text: str) -> None:
    rule("extra", **terms)
    assert told(buy(aino))["extra"] == (points, outcome, text)
    assert outcome in OUTCOMES


def test_the_rule_that_won_its_group_is_named(aino: Member) -> None:
    rule("small", stack_group="bread", stacking="best", points=5)
    rule("large", stack_group="bread", stacking="best", points=9)
    found = told(buy(aino))

    assert found["large"][0] == 9
    assert found["small"] == (
        0,
        "stack",
        "No points. Only one rule of the group is given, and it was “Large”.",
    )


def test_a_cooldown_is_told(aino: Member) -> None:
    rule("once", cooldown_days=7)
    buy(aino)
    assert told(buy(aino, at=NOON + DAY))["once"] == (
        0, "cooldown", "No points. The rule gives a member points at most once within 7 days.",
    )  # fmt: skip


def test_an_old_activity_keeps_its_explanation_when_the_rule_is_revised(aino: Member) -> None:
    before = buy(aino)
    RuleRevision.objects.filter(rule__code="base").update(valid_to=NOON + DAY)
    revision = RuleRevision.objects.get(rule__code="base")
    revision.pk, revision.number, revision.points = None, 2, 5
    revision.valid_from, revision.valid_to = NOON + DAY, None
    revision.save(force_insert=True)
    revised()
    after = buy(aino, at=NOON + 2 * DAY)

    assert [(each.revision, each.points) for each in explain(before) if each.rule == "base"] == [(1, 42)]
    assert [(each.revision, each.points) for each in explain(after) if each.rule == "base"] == [(2, 210)]


def test_without_a_judgement_the_ledger_tells_what_was_given(aino: Member) -> None:
    activity = buy(aino)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM rewards_judgement")
    assert not Judgement.objects.exists()
    assert told(activity)["base"][:2] == (42, "given")


def test_a_rule_made_for_the_time_later_says_so(aino: Member) -> None:
    activity = buy(aino)
    rule("late")
    assert told(activity)["late"] == (
        0, "not_in_use", "No points: the rule did not apply when the activity was recorded.",
    )  # fmt: skip


def test_the_names_of_rules_are_in_the_readers_language(aino: Member) -> None:
    rule("extra")
    activity = buy(aino)
    with translation.override("fi"):
        assert {each.rule: each.name for each in explain(activity)}["extra"] == "extra suomeksi"


def test_one_and_thirty_activities_cost_the_same(aino: Member) -> None:
    for place in range(20):
        rule(
            f"rule-{place}",
            conditions={"all": [{"field": "kind", "op": "eq", "value": "visit"},
                                {"field": "member.age", "op": "ge", "value": 18},
                                {"field": "purchase_number", "op": "ge", "value": 1}]},
        )  # fmt: skip
    activities = [buy(aino, at=NOON + place * DAY) for place in range(30)]
    explain_many(activities)
    counts = []
    for some in (activities[:1], activities):
        with CaptureQueriesContext(connection) as queries:
            found = explain_many(some)
        assert len(found[some[0].pk]) == 22
        counts.append(len(queries))

    assert counts[0] == counts[1] <= 8
    assert RuleBudget.objects.count() == 0
