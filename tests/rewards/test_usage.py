"""Caps, budgets and cooldowns hold over periods, daylight saving, parallel tills and purchases that arrive late."""

import datetime as dt
import threading
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, connections, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loyalty.models import Partner
from loyalty.prepared import fetch_prepared
from members.activities import LineFacts, NewActivity
from members.enrolment import NewMember, enrol, enrol_many
from members.models import Member
from rewards import terms
from rewards.earning import Outcome, record_and_reward, record_and_reward_many
from rewards.models import EarningRule, RuleBudget, RuleRevision, Transfer, Wallet
from rewards.terms import Rule, Terms
from rewards.usage import Usage, span_of
from rewards.verification import verify

HELSINKI = "Europe/Helsinki"
START = dt.datetime(2026, 3, 2, 9, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)


def moment(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


def rule(code: str = "extra", **facts: Any) -> EarningRule:
    made = EarningRule.objects.create(code=code, names={"en": code})
    RuleRevision.objects.create(
        rule=made,
        number=1,
        wallet=Wallet.objects.get(is_default=True),
        valid_from=dt.datetime(1970, 1, 1, tzinfo=dt.UTC),
        **({"effect": "fixed", "points": 10, "priority": 100} | facts),
    )
    terms.revised()
    return made


@pytest.fixture
def partner(db: None) -> Partner:
    return Partner.objects.create(slug="kauppa", name="Kauppa")


@pytest.fixture
def member(partner: Partner) -> Member:
    return enrol(NewMember(first_name="Aino", joined_at=START - 800 * DAY), source="portal", at=START)


def buy(
    member: Member, partner: Partner, name: str, occurred_at: dt.datetime, *, at: dt.datetime | None = None
) -> int:
    """Points that the rule “extra” gives for a purchase."""
    new = NewActivity(partner.pk, member.pk, name, "purchase", occurred_at, "EUR", Decimal("0.50"))
    outcome = record_and_reward(new, at=at or occurred_at)
    return sum(reason.points for reason in outcome.reasons if reason.rule == "extra")


# --- Periods ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("period", "at", "start", "end"),
    [
        ("day", "2026-03-29T12:00", "2026-03-28T22:00", "2026-03-29T21:00"),  # summer time begins: 23 hours
        ("day", "2026-10-25T12:00", "2026-10-24T21:00", "2026-10-25T22:00"),  # and ends: 25 hours
        ("day", "2026-03-28T21:59", "2026-03-27T22:00", "2026-03-28T22:00"),
        ("week", "2026-03-29T20:59", "2026-03-22T22:00", "2026-03-29T21:00"),
        ("week", "2026-03-29T21:00", "2026-03-29T21:00", "2026-04-05T21:00"),
        ("month", "2026-01-31T21:59", "2025-12-31T22:00", "2026-01-31T22:00"),
        ("month", "2026-01-31T22:00", "2026-01-31T22:00", "2026-02-28T22:00"),
        ("month", "2028-02-29T12:00", "2028-01-31T22:00", "2028-02-29T22:00"),
        ("year", "2025-12-31T22:00", "2025-12-31T22:00", "2026-12-31T22:00"),
        ("ever", "2026-03-29T12:00", "1970-01-01T00:00", "9999-01-01T00:00"),
    ],
)
def test_periods_are_those_of_the_programmes_calendar(period: str, at: str, start: str, end: str) -> None:
    assert span_of(period, moment(at), HELSINKI) == (moment(start), moment(end))


def test_a_monthly_cap_begins_again_at_midnight_in_helsinki(member: Member, partner: Partner) -> None:
    rule(cap_per_member=15, cap_period="month")
    times = (
        "2026-03-30T10:00",
        "2026-03-31T20:59",
        "2026-03-31T21:00",
        "2026-04-30T20:59",
        "2026-04-30T21:00",
    )
    given = [buy(member, partner, f"r{number}", moment(at)) for number, at in enumerate(times)]
    assert given == [10, 5, 10, 5, 10]


def test_a_late_purchase_counts_in_the_period_it_happened_in(member: Member, partner: Partner) -> None:
    rule(cap_per_member=15, cap_period="month")
    april = moment("2026-04-10T10:00")
    assert buy(member, partner, "r1", april) == 10
    assert buy(member, partner, "r2", moment("2026-03-30T10:00"), at=april) == 10
    assert buy(member, partner, "r3", moment("2026-03-29T10:00"), at=april) == 5
    assert buy(member, partner, "r4", april + DAY) == 5


def test_a_cap_outlives_a_revision_of_its_rule(member: Member, partner: Partner) -> None:
    made = rule(cap_per_member=15, cap_period="month")
    assert buy(member, partner, "r1", START) == 10
    old = made.revisions.get()
    RuleRevision.objects.filter(pk=old.pk).update(valid_to=START + DAY)
    old.pk, old.number, old.points, old.valid_from, old.valid_to = None, 2, 20, START + DAY, None
    old.save(force_insert=True)
    terms.revised()
    assert buy(member, partner, "r2", START + 2 * DAY) == 5


def test_a_cooldown_holds_on_both_sides_of_a_late_purchase(member: Member, partner: Partner) -> None:
    rule(cooldown_days=7)
    assert buy(member, partner, "r1", START + 10 * DAY) == 10
    late = START + 11 * DAY
    assert buy(member, partner, "r2", START + 4 * DAY, at=late) == 0
    assert buy(member, partner, "r3", START + 3 * DAY, at=late) == 10
    assert buy(member, partner, "r4", START + 16 * DAY) == 0
    assert buy(member, partner, "r5", START + 17 * DAY) == 10


def test_a_cap_holds_within_one_batch_and_apart_for_each_member(member: Member, partner: Partner) -> None:
    other = enrol(NewMember(first_name="Bo", joined_at=START - DAY), source="portal", at=START)
    rule(cap_per_member=25, cap_period="month", budget=45)
    items = [
        NewActivity(partner.pk, who.pk, f"b{number}{who.pk}", "purchase", START, "EUR", Decimal("0.50"))
        for number in range(4)
        for who in (member, other)
    ]
    outcomes = [each for each in record_and_reward_many(items, at=START) if isinstance(each, Outcome)]
    given = {who.pk: sum(o.available for o in outcomes if o.member_id == who.pk) for who in (member, other)}
    assert given == {member.pk: 25, other.pk: 20}
    assert RuleBudget.objects.get().used == 45


def test_a_cap_that_begins_within_a_batch_counts_what_was_given_before_it(
    member: Member, partner: Partner
) -> None:
    made = rule()
    old = made.revisions.get()
    RuleRevision.objects.filter(pk=old.pk).update(valid_to=START + DAY)
    old.pk, old.number, old.valid_from, old.valid_to, old.cap_per_member = None, 2, START + DAY, None, 15
    old.save(force_insert=True)
    terms.revised()
    items = [
        NewActivity(partner.pk, member.pk, f"b{day}", "purchase", START + day * DAY, "EUR", Decimal("0.50"))
        for day in range(3)
    ]
    outcomes = [
        each for each in record_and_reward_many(items, at=START + 3 * DAY) if isinstance(each, Outcome)
    ]
    assert [outcome.available for outcome in outcomes] == [10, 5, 0]


# --- Many tills at once -----------------------------------------------------------------------------------------------


def together(jobs: list[Callable[[], object]], *, threads: int = 10) -> None:
    """Do all jobs, ``threads`` at a time, each thread with a connection of its own; errors are raised here."""
    waiting, errors, guard = list(jobs), [], threading.Lock()

    def work() -> None:
        try:
            while True:
                with guard:
                    if not waiting:
                        return
                    job = waiting.pop()
                job()
        except Exception as error:
            errors.append(error)
        finally:
            connections.close_all()

    crew = [threading.Thread(target=work) for _number in range(threads)]
    for thread in crew:
        thread.start()
    for thread in crew:
        thread.join()
    assert errors == []


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_a_members_cap_holds_under_fifty_purchases_at_once() -> None:
    partner = Partner.objects.create(slug="kauppa", name="Kauppa")
    member = enrol(NewMember(first_name="Aino", joined_at=START - DAY), source="portal", at=START)
    rule(cap_per_member=123, cap_period="month")
    together([lambda number=number: buy(member, partner, f"r{number}", START) for number in range(50)])  # type: ignore[misc]

    assert sum(Transfer.objects.values_list("points", flat=True)) == 123
    assert verify(at=START) == []


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_a_budget_holds_under_fifty_purchases_of_fifty_members_at_once() -> None:
    partner = Partner.objects.create(slug="kauppa", name="Kauppa")
    members = enrol_many(
        [NewMember(external_id=f"m{number}", joined_at=START - DAY) for number in range(50)],
        source="partner",
        at=START,
        partner=partner,
    )
    made = rule(budget=123)
    together([lambda who=who: buy(who, partner, f"r{who.pk}", START) for who in members])  # type: ignore[misc]

    assert sum(Transfer.objects.values_list("points", flat=True)) == 123
    assert RuleBudget.objects.get(rule=made).used == 123
    assert verify(at=START) == []


# --- What it costs ----------------------------------------------------------------------------------------------------


def test_two_hundred_rules_and_thirty_lines_cost_no_more_statements_than_one(
    member: Member, partner: Partner
) -> None:
    conditions = [
        {"field": "weekday", "op": "in", "value": ["1", "7"]},
        {"field": "purchase_number", "op": "le", "value": 100},
        {"field": "member.language", "op": "eq", "value": "fi"},
        {"field": "tier_reached", "op": "contains", "value": "bronze"},
    ]
    limits = {"cap_per_member": 10_000, "budget": 1_000_000, "cooldown_days": 0, "needs_activation": False}

    def statements(name: str, count: int) -> int:
        lines = tuple(
            LineFacts(f"sku-{number}", "PASTRY", "FOOD", Decimal(1), Decimal(1)) for number in range(count)
        )
        new = NewActivity(
            partner.pk, member.pk, name, "purchase", START, "EUR", Decimal(count), store="s", lines=lines
        )
        with CaptureQueriesContext(connection) as queries:
            record_and_reward(new, at=START)
        return len(queries)

    lines = {"field": "category", "op": "eq", "value": "PASTRY"}
    rule("r0", conditions={"all": conditions}, lines=lines, **limits)
    rule("offer", points=1, needs_activation=True)
    statements("warm-up", 30)
    one = statements("one", 1)
    for number in range(1, 200):
        rule(f"r{number}", conditions=conditions[number % 4], lines=lines, **limits)
    statements("warm-up again", 30)
    assert statements("many", 30) == one
    assert Transfer.objects.filter(activity__external_id="many").count() == 201


def bought_before(member: Member, partner: Partner, days: list[int]) -> None:
    """Purchases so many days before (below zero: after) START, recorded in one go."""
    items = [
        NewActivity(partner.pk, member.pk, f"old{n}", "purchase", START - day * DAY, "EUR", Decimal("0.50"))
        for n, day in enumerate(days)
    ]
    record_and_reward_many(items, at=START + 500 * DAY)


def rows_read(member: Member, partner: Partner, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many rows of activities and transfers are looked at to know what rules gave the member.

    By the plan that a prepared statement gets, which does not look at the values asked for.
    """
    new = NewActivity(partner.pk, member.pk, "new", "purchase", START, "EUR", Decimal("0.50"))
    asked: list[tuple[str, list[Any]]] = []

    def noted(sql: str, params: list[Any]) -> list[tuple[Any, ...]]:
        asked.append((sql, params))
        return fetch_prepared(sql, params)

    with monkeypatch.context() as patched:
        patched.setattr("rewards.usage.fetch_prepared", noted)
        Usage(terms.current(), [new], lock=False)
    ((sql, params),) = asked
    for number in range(1, len(params) + 1):
        sql = sql.replace("%s", f"${number}", 1)
    values = ", ".join(["%s"] * len(params))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE members_activity, rewards_transfer")
        cursor.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        cursor.execute("SET LOCAL enable_seqscan = off")  # a table this small would be read as a whole
        cursor.execute(f"PREPARE given AS {sql}")
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE given ({values})", params)
        (plan,) = cursor.fetchone()
        cursor.execute("DEALLOCATE given")
        cursor.execute("RESET enable_seqscan")
        cursor.execute("RESET plan_cache_mode")
    return looked_at(plan[0]["Plan"])


def looked_at(node: dict[str, Any]) -> int:
    """The rows that the scans of tables below a node of a plan went over."""
    removed = sum(value for name, value in node.items() if name.startswith("Rows Removed"))
    mine = (node["Actual Rows"] + removed) * node["Actual Loops"] if "Relation Name" in node else 0
    return int(mine) + sum(looked_at(each) for each in node.get("Plans", ()))


@pytest.mark.parametrize(
    ("limits", "grows"),
    [
        ({"cap_per_member": 10_000, "cap_period": "day"}, False),
        ({"cap_per_member": 10_000, "cap_period": "week"}, False),
        ({"cap_per_member": 10_000, "cap_period": "month"}, False),
        ({"cap_per_member": 10_000, "cap_period": "year"}, False),
        ({"cooldown_days": 30}, False),
        ({"cap_per_member": 10_000, "cap_period": "ever"}, True),
    ],
)
def test_only_a_cap_over_all_time_reads_more_as_the_years_go_by(
    member: Member, partner: Partner, monkeypatch: pytest.MonkeyPatch, limits: dict[str, Any], grows: bool
) -> None:
    rule(**limits)
    bought_before(member, partner, [0])
    few = rows_read(member, partner, monkeypatch)
    bought_before(member, partner, [0, *(400 + number for number in range(300))])
    assert few > 0
    assert (rows_read(member, partner, monkeypatch) > few + 100) is grows


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])  # rolled back after each example
@given(
    days=st.lists(st.integers(-40, 500), min_size=1, max_size=12),
    periods=st.lists(st.sampled_from(RuleRevision.Period.values), min_size=1, max_size=3),
    cooldown=st.sampled_from([0, 3, 40]),
)
def test_what_is_read_is_what_counts(
    member: Member, partner: Partner, days: list[int], periods: list[str], cooldown: int
) -> None:
    """However far caps and cooldowns look, alone and side by side, for one purchase and for a batch."""
    with transaction.atomic():
        for number, period in enumerate(periods):
            rule(f"r{number}", cap_per_member=10_000, cap_period=period)
        rule("cool", cooldown_days=cooldown or 1, cap_per_member=10_000, cap_period="day")
        bought_before(member, partner, days)
        batch = [
            NewActivity(partner.pk, member.pk, f"new{day}", "purchase", START + day * DAY, "EUR", Decimal(1))
            for day in (0, 9, 35)
        ]
        for asked in ([batch[0]], batch):
            usage, known = Usage(terms.current(), asked, lock=False), terms.current()
            for each in known.rules_at(START):
                for item in asked if each.asks_for_usage else ():
                    assert usage.used(each, item).points == given_within(each, item.occurred_at, known)
                    near = nearest_given(each, item.occurred_at)
                    found = usage.used(each, item).last_at
                    if near is not None and abs(near - item.occurred_at) < dt.timedelta(each.cooldown_days):
                        assert found is not None
                        assert abs(found - item.occurred_at) == abs(near - item.occurred_at)
        transaction.set_rollback(True)
    terms.forget()


def given_within(rule_: Rule, at: dt.datetime, known: Terms) -> int:
    """Points of a rule in the period of its cap around a moment, by adding up all there is."""
    start, end = span_of(rule_.cap_period, at, known.time_zone)
    given_ = Transfer.objects.filter(rule_revision_id=rule_.revision_id)
    return sum(each.points for each in given_ if start <= each.occurred_at < end)


def nearest_given(rule_: Rule, at: dt.datetime) -> dt.datetime | None:
    moments = Transfer.objects.filter(rule_revision_id=rule_.revision_id).values_list(
        "occurred_at", flat=True
    )
    return min(moments, key=lambda moment: abs(moment - at), default=None)
