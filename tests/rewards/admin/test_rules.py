"""A marketer writes a rule in a form, reads it back as a sentence, publishes it, and sees what it changed and gave."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from django.urls import reverse
from django.utils.translation import override

from members.activities import LineFacts
from members.models import ActivityKind
from rewards.models import Account, EarningRule, RuleRevision, Wallet
from rewards.models.ledger import PROGRAMME_ACCOUNTS
from rewards.revisions import RevisionRefused, RuleTerms, end_rule, revise_rule
from rewards.rule_wording import differences, sentence_of
from tests.factories.members import NOON, member
from tests.factories.rewards import purchase
from tests.factories.staff import logged_in, staff

pytestmark = pytest.mark.django_db

PASTRY = {"field": "category", "op": "eq", "value": "PASTRY"}
WEEKEND = {"field": "weekday", "op": "in", "value": ["6", "7"]}
SILVER = {"field": "tier_reached", "op": "contains", "value": "silver"}


def wallet() -> Wallet:
    return Wallet.objects.get(is_default=True)


@pytest.fixture
def rule() -> EarningRule:
    return EarningRule.objects.create(code="pastry", names={"en": "Pastry weekend"})


def doubled(**changes: Any) -> RuleTerms:
    facts: dict[str, Any] = {
        "wallet_id": wallet().pk,
        "effect": "multiplier",
        "factor": Decimal(2),
        "priority": 100,
        "lines": PASTRY,
        "conditions": {"all": [WEEKEND, SILVER]},
        "cap_per_member": 200,
    }
    return RuleTerms(**(facts | changes))


# --- One sentence -----------------------------------------------------------------------------------------------------

SENTENCES: list[tuple[dict[str, Any], str]] = [
    (
        {},
        (
            "Double points on products of the category PASTRY, on Saturdays and Sundays, for Silver and above, "
            "at most 200 points per member a month."
        ),
    ),
    (
        {
            "conditions": {
                "all": [WEEKEND, {"field": "tier", "op": "in", "value": ["silver", "gold"]}],
            },
            "budget": 500,
            "cooldown_days": 7,
        },
        (
            "Double points on products of the category PASTRY, on Saturdays and Sundays, for Silver and Gold, "
            "at most 200 points per member a month, until 500 points have been given in all, "
            "not again for a member within 7 days."
        ),
    ),
    (
        {
            "effect": "fixed",
            "points": 50,
            "lines": {},
            "conditions": {"field": "purchase_number", "op": "eq", "value": 1},
            "cap_per_member": None,
            "pending_days": 14,
        },
        "50 points, on the first purchase, pending for 14 days.",
    ),
    (
        {
            "effect": "per_amount",
            "points": 1,
            "amount": Decimal(10),
            "lines": {"all": [PASTRY, {"field": "total", "op": "ge", "value": "5"}]},
            "conditions": {},
            "cap_per_member": None,
            "cap_per_activity": 30,
            "over_cap": "reject",
            "stacking": "best",
            "stack_group": "spring",
            "needs_activation": True,
        },
        (
            "1 point for each full 10 EUR spent on purchase lines where category is “PASTRY” and total of the line "
            "is at least 5, nothing when it would be more than 30 points at once, once the member has activated the "
            "offer, only when it is the best of the group “spring”."
        ),
    ),
]


@pytest.mark.parametrize(("changes", "sentence"), SENTENCES)
def test_a_rule_reads_as_one_sentence(rule: EarningRule, changes: dict[str, Any], sentence: str) -> None:
    with override("en"):
        assert sentence_of(RuleRevision(rule=rule, **doubled(**changes).columns())) == sentence


def test_conditions_that_can_no_longer_be_read_do_not_break_the_page(rule: EarningRule) -> None:
    broken = {"field": "moon", "op": "eq", "value": "full"}
    revision = RuleRevision(rule=rule, **(doubled().columns() | {"conditions": broken, "lines": broken}))
    with override("en"):
        assert "cannot be read" in sentence_of(revision)


def test_two_revisions_are_compared_field_by_field(rule: EarningRule) -> None:
    first = revise_rule(rule_id=rule.pk, rule_terms=doubled(), at=NOON)
    later = doubled(factor=Decimal(3), cap_per_member=None, conditions=WEEKEND)
    second = revise_rule(rule_id=rule.pk, rule_terms=later, at=NOON + dt.timedelta(days=1))
    first.refresh_from_db()
    with override("en"):
        changes = [(change.label, change.before, change.after) for change in differences(first, second)]
    assert changes == [
        ("Factor", "2", "3"),
        ("At most, per member", "200", "–"),
        ("Conditions", "on Saturdays and Sundays, for Silver and above", "on Saturdays and Sundays"),
    ]


# --- What cannot be ---------------------------------------------------------------------------------------------------

REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"effect": "nothing"}, "effect"),
    ({"factor": None}, "factor"),
    ({"factor": Decimal(1)}, "factor"),
    ({"effect": "per_amount", "amount": None}, "amount"),
    ({"effect": "fixed", "points": 0}, "points"),
    ({"priority": 0}, "priority"),
    ({"effect": "per_amount", "amount": Decimal(1), "qualifying": True}, "priority"),
    ({"stacking": "best"}, "stack_group"),
    ({"cap_per_member": 0}, "cap_per_member"),
    ({"budget": 0}, "budget"),
    ({"pending_confirmation": True, "pending_days": 3}, "pending_confirmation"),
    ({"pending_until": NOON}, "pending_until"),
    ({"lines": {"field": "moon", "op": "eq", "value": "full"}}, "lines"),
    ({"conditions": {"field": "tier", "op": "eq", "value": "copper"}}, "conditions"),
]


@pytest.mark.parametrize(("changes", "field"), REFUSED)
def test_terms_that_make_no_sense_are_refused_by_field(
    rule: EarningRule, changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(RevisionRefused) as refused:
        revise_rule(rule_id=rule.pk, rule_terms=doubled(**changes), at=NOON)
    assert refused.value.field == field
    assert not rule.revisions.exists()


def test_rules_of_one_group_compete_in_the_same_way(rule: EarningRule) -> None:
    other = EarningRule.objects.create(code="other", names={"en": "Other"})
    revise_rule(rule_id=other.pk, rule_terms=doubled(stacking="best", stack_group="spring"), at=NOON)
    with pytest.raises(RevisionRefused) as refused:
        revise_rule(rule_id=rule.pk, rule_terms=doubled(stacking="exclusive", stack_group="spring"), at=NOON)
    assert refused.value.field == "stacking"
    end_rule(rule_id=other.pk, at=NOON)
    revise_rule(rule_id=rule.pk, rule_terms=doubled(stacking="exclusive", stack_group="spring"), at=NOON)


def test_a_multiplier_in_a_wallet_without_base_points_is_refused(rule: EarningRule) -> None:
    status = Wallet.objects.create(code="status", names={"en": "Status"})
    with pytest.raises(RevisionRefused) as refused:
        revise_rule(rule_id=rule.pk, rule_terms=doubled(wallet_id=status.pk), at=NOON)
    assert refused.value.field == "effect"


def test_what_an_effect_has_no_use_for_is_not_kept(rule: EarningRule) -> None:
    given = doubled(effect="fixed", points=5, factor=Decimal(2), amount=Decimal(3), rounding="up")
    made = revise_rule(rule_id=rule.pk, rule_terms=given, at=NOON)
    assert (made.points, made.factor, made.amount, made.rounding) == (5, None, None, "down")
    assert RuleTerms.of(made).columns() == given.columns()


# --- The pages --------------------------------------------------------------------------------------------------------

FORM = {
    "effect": "multiplier",
    "factor": "2",
    "cap_per_member": "200",
    "cap_period": "month",
    "lines-t": "group",
    "lines-k": "all",
    "lines-0-t": "compare",
    "lines-0-f": "category",
    "lines-0-o": "eq",
    "lines-0-v": "PASTRY",
    "conditions-t": "group",
    "conditions-k": "all",
    "conditions-0-t": "compare",
    "conditions-0-f": "weekday",
    "conditions-0-o": "in",
    "conditions-0-v": ["6", "7"],
    "conditions-1-t": "compare",
    "conditions-1-f": "tier_reached",
    "conditions-1-o": "contains",
    "conditions-1-v": "silver",
}


def test_a_marketer_writes_reads_back_and_publishes_a_rule() -> None:
    client = logged_in(staff(group="Marketing"))
    names = {"names_en": "Pastry weekend", "names_fi": "Leivonnaisviikonloppu", "names_sv": "Bakelsehelg"}
    created = client.post(reverse("admin:rewards_earningrule_add"), {"code": "pastry", **names})
    rule = EarningRule.objects.get(code="pastry")
    url = reverse("admin:rewards_earningrule_revise", args=[rule.pk])
    assert created.headers["Location"] == url
    facts = FORM | {"wallet": str(wallet().pk)}

    read = client.post(url, facts | {"preview": "1"})
    assert (read.status_code, rule.revisions.count()) == (200, 0)
    assert read.context["sentence"], read.context["form"].errors
    made = client.post(url, facts)
    assert made.status_code == 302, made.context["form"].errors
    revision = rule.revisions.get()
    assert (revision.effect, revision.factor, revision.cap_per_member, revision.lines) == (
        "multiplier",
        Decimal(2),
        200,
        {"all": [PASTRY]},
    )
    with override("en"):
        assert sentence_of(revision) == SENTENCES[0][1]


def test_what_cannot_be_is_said_beside_its_field(rule: EarningRule) -> None:
    client = logged_in(staff(group="Marketing"))
    url = reverse("admin:rewards_earningrule_revise", args=[rule.pk])
    for field, changes in (
        ("factor", {"factor": ""}),
        ("priority", {"priority": "0"}),
        ("stack_group", {"stacking": "best"}),
        ("pending_confirmation", {"pending_confirmation": "on", "pending_days": "3"}),
    ):
        answer = client.post(url, FORM | {"wallet": str(wallet().pk)} | changes)
        assert answer.status_code == 200
        assert list(answer.context["form"].errors) == [field]
    assert not rule.revisions.exists()


def test_the_page_shows_what_was_given_and_what_is_left_of_the_budget(rule: EarningRule) -> None:
    terms = doubled(effect="fixed", points=30, lines={}, conditions={}, cap_per_member=None, budget=100)
    revise_rule(rule_id=rule.pk, rule_terms=terms, at=NOON)
    revise_rule(
        rule_id=rule.pk, rule_terms=doubled(), at=NOON, valid_from=dt.datetime(2100, 1, 1, tzinfo=dt.UTC)
    )
    aino = member()
    for _number in range(2):
        purchase(aino, at=NOON + dt.timedelta(hours=1))
    client = logged_in(staff(group="Marketing"))
    page = client.get(reverse("admin:rewards_earningrule_change", args=[rule.pk]))
    assert page.context["given"] == {"times": 2, "points": 60, "budget": 100, "used": 60, "left": 40}
    later, first = page.context["revisions"]
    assert first["given"] == {"times": 2, "points": 60}
    assert len(later["changes"]) > 3
    assert client.get(reverse("admin:rewards_earningrule_changelist")).status_code == 200


def test_a_new_wallet_gets_its_accounts_and_can_be_earned_into(rule: EarningRule) -> None:
    client = logged_in(staff(superuser=True))
    names = {"names_en": "Status points", "names_fi": "Statuspisteet", "names_sv": "Statuspoäng"}
    answer = client.post(reverse("admin:rewards_wallet_add"), {"code": "status", **names})
    assert answer.status_code == 302
    status = Wallet.objects.get(code="status")
    assert Account.objects.filter(wallet=status, member=None).count() == len(PROGRAMME_ACCOUNTS)
    terms = RuleTerms(wallet_id=status.pk, effect="fixed", points=7, priority=100)
    revise_rule(rule_id=rule.pk, rule_terms=terms, at=NOON)
    outcome = purchase(
        member(),
        at=NOON,
        lines=(LineFacts("bun", "PASTRY", "FOOD", Decimal(1), Decimal(10)),),
    )
    assert [(reason.rule, reason.points) for reason in outcome.reasons] == [("base", 10), ("pastry", 7)]
    assert outcome.balance.available == 10


def test_staff_limit_how_often_a_kind_is_rewarded() -> None:
    client = logged_in(staff(superuser=True))
    kind = ActivityKind.objects.get(code="visit")
    url = reverse("admin:members_activitykind_change", args=[kind.pk])
    page = client.get(url)
    assert "rewarded_per_day" in page.context["adminform"].form.fields
