"""The backtest: the live rules give the ledger to the point, and a draft gives what an import under it would."""

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.db import connection, transaction
from hypothesis import given
from hypothesis import strategies as st

from loyalty import clock
from loyalty.models import Partner, Run
from members import kinds
from members.activities import LineFacts
from members.models import Activity
from rewards import backtest, drafts, ledger, refunds, terms, tier_review
from rewards.backtest_report import histogram
from rewards.earning import record_and_reward, record_and_reward_many
from rewards.grants import adjust
from rewards.models import (
    Backtest,
    Draft,
    EarningRule,
    ExpiryPolicy,
    TierTerms,
    Transfer,
    Wallet,
)
from rewards.purchases.importing import PurchasesImport
from rewards.replay import Period, Replay
from rewards.revisions import RevisionRefused, RuleTerms
from tests.rewards import random_terms
from tests.rewards.random_terms import HOUR, START, activity, comparison, people

pytestmark = pytest.mark.django_db

LARGE_FILE = Path(__file__).resolve().parents[3] / "shared" / "data" / "complete_journey_2017q1.csv.gz"
ALWAYS = Period(dt.datetime(1990, 1, 1, tzinfo=dt.UTC), dt.datetime(2100, 1, 1, tzinfo=dt.UTC))
DAY = 24 * HOUR
SECOND = dt.timedelta(seconds=1)
Given = Mapping[tuple[int, str], int]


def of_the_ledger(period: Period = ALWAYS) -> Given:
    """Points by activity and rule, as they were given."""
    found: dict[tuple[int, str], int] = defaultdict(int)
    rows = Transfer.objects.filter(
        reverses=None,
        rule_revision__isnull=False,
        activity__occurred_at__gte=period.starts_at,
        activity__occurred_at__lt=period.ends_at,
    )
    for activity_id, code, points in rows.values_list("activity_id", "rule_revision__rule__code", "points"):
        found[activity_id, code] += points
    return dict(found)


def of_the_replay(changes: Mapping[str, Any] | None = None, period: Period = ALWAYS) -> Given:
    """Points by activity and rule, as the replay gives them."""
    known = terms.current()
    replay = Replay(period, terms=drafts.terms_with(changes or {}, known), known=known)
    return {
        (each.id, verdict.rule.code): verdict.granted
        for chunk in replay.chunks()
        for each in chunk
        for verdict in each.verdicts
        if verdict.granted
    }


def result_of(changes: Mapping[str, Any] | None = None, period: Period = ALWAYS) -> dict[str, Any]:
    draft = Draft.objects.create(name="What if", changes=changes or {}, created_at=START)
    made = backtest.request(
        draft_id=draft.pk,
        starts_at=period.starts_at,
        ends_at=period.ends_at,
        point_value=Decimal("0.01"),
        staff_id=None,
        at=START,
    )
    return backtest.compute(made, at=START + 400 * DAY)


def base_rule(**changes: Any) -> RuleTerms:
    facts: dict[str, Any] = {
        "wallet_id": Wallet.objects.get(is_default=True).pk,
        "effect": "per_amount",
        "points": 1,
        "amount": Decimal(1),
        "qualifying": True,
        "conditions": comparison("kind", "eq", "purchase"),
    }
    return RuleTerms(**facts | changes)


def pastry_rule(**changes: Any) -> RuleTerms:
    """Double points on pastry."""
    facts = {
        "effect": "multiplier",
        "amount": None,
        "factor": Decimal(2),
        "qualifying": False,
        "priority": 20,
        "lines": comparison("category", "eq", "PASTRY"),
    }
    return base_rule(**facts | changes)


def rows() -> dict[str, int]:
    return {model._meta.label: model._default_manager.count() for model in apps.get_models()}


# --- The live rules reproduce the ledger ------------------------------------------------------------------------------


@given(
    rules=st.lists(random_terms.rules, max_size=4),
    basis=st.sampled_from(["points", "points", "spend", "purchases"]),
    events=st.lists(random_terms.happenings, min_size=1, max_size=14),
    cut=st.tuples(st.integers(0, 24 * 20), st.integers(24 * 20, 24 * 45)),
    undone=st.dictionaries(
        st.integers(0, 13), st.tuples(st.integers(0, 4), st.sampled_from(["all", "1.50"])), max_size=3
    ),
    nights=st.sets(st.integers(0, 13), max_size=3),
)
def test_live_rules_reproduce_the_ledger_whatever_they_are(
    rules: list[dict[str, Any]],
    basis: str,
    events: list[Any],
    cut: tuple[int, int],
    undone: dict[int, tuple[int, str]],
    nights: set[int],
) -> None:
    """Late purchases, refunds in between, nightly reviews, caps, budgets, cooldowns, offers, tiers by any basis.

    The whole time and a part of it. ``undone``: which purchases are refunded, how many purchases later, and how much.
    """
    with transaction.atomic():
        for number, facts in enumerate(rules):
            random_terms.make_rule(number, facts)
        count_by(basis)
        partner, members = people()
        kinds.forget()
        at = START
        for number, (who, hours, late, kind, lines) in enumerate(events):
            new = activity(partner, members[who], number, START + hours * HOUR, kind, lines)
            at = max(at, new.occurred_at + late * HOUR) + SECOND
            record_and_reward(new, at=at)
            for back, (later, amount) in undone.items():
                if back + later == number:
                    at += SECOND
                    give_back(f"a{back}", amount, at=at)
            if number in nights:
                at += 12 * HOUR
                review(at)
        assert of_the_replay() == of_the_ledger()
        part = Period(START + cut[0] * HOUR, START + cut[1] * HOUR)
        assert of_the_replay(period=part) == of_the_ledger(part)
        transaction.set_rollback(True)
    terms.forget()


def count_by(basis: str) -> None:
    """Let tiers be reached by points, money or purchases."""
    tier_terms = TierTerms.objects.get()
    if basis == "purchases":
        for rank, level in enumerate(tier_terms.levels.order_by("threshold")):
            level.threshold = 2 * rank
            level.save()
    tier_terms.basis = basis
    tier_terms.save()
    terms.revised()


def give_back(external_id: str, amount: str, *, at: dt.datetime) -> None:
    """Refund a purchase, wholly or by an amount, if so much is left of it."""
    made = Activity.objects.get(external_id=external_id)
    order = refunds.Order(everything=True) if amount == "all" else refunds.Order(amount=Decimal(amount))
    with suppress(refunds.RefundRefused), transaction.atomic():
        refunds.refund(activity_id=made.pk, external_id=f"{external_id} {at}", order=order, at=at)


def review(at: dt.datetime) -> int:
    """A nightly review of all tiers."""
    Run.objects.create(
        name="rewards.review_tiers", status=Run.Status.SUCCEEDED, at=at, started_at=at, seen_at=at
    )
    return tier_review.review(at=at).changed


def test_late_purchases_promotions_and_reviews_are_replayed(settings: Any) -> None:
    """A promotion, a nightly review that took it, and a purchase that came in months late."""
    partner, (aino, _bo) = people()
    at = START

    def buy(number: int, on: dt.datetime, total: str, *, recorded: dt.datetime | None = None) -> None:
        line = LineFacts("sku", "COFFEE", "Food", Decimal(1), Decimal(total))
        record_and_reward(activity(partner, aino, number, on, "purchase", (line,)), at=recorded or on)

    buy(1, at, "1200.00")
    buy(2, at + 20 * DAY, "100.00")
    assert review(at + 380 * DAY) == 1
    buy(3, at + 381 * DAY, "100.00")
    buy(4, at + 100 * DAY, "300.00", recorded=at + 382 * DAY)
    adjust(member_id=aino.pk, points=-50, staff_id=staff_id(), note="Test", at=at + 383 * DAY)
    assert of_the_replay() == of_the_ledger()
    assert {code for _id, code in of_the_ledger()} == {"base", "tier bonus"}
    found = result_of()
    assert (found["changed"], found["points"]["old"], found["liability"]["old"]) == (
        0,
        found["points"]["new"],
        found["liability"]["new"],
    )


def staff_id() -> int:
    from tests.factories.members import UserFactory

    return UserFactory(is_staff=True).pk


# --- A draft --------------------------------------------------------------------------------------------------------


def write_csv(folder: Path, rows: list[str]) -> Path:
    from rewards.purchases.values import COLUMNS

    file = folder / "purchases.csv"
    file.write_text("\n".join([",".join(COLUMNS), *rows]) + "\n")
    return file


def some_rows() -> list[str]:
    """Purchases of five members over a quarter, by turns pastry and coffee."""
    found = []
    for number in range(150):
        on = dt.datetime(2024, 1, 1, 10, tzinfo=dt.UTC) + number * 13 * HOUR
        for line in range(1 + number % 3):
            category = ("PASTRY", "COFFEE")[(number + line) % 2]
            total = Decimal(number * 7 % 90) + Decimal("0.45") * line
            found.append(
                f"r{number},m{number % 5},{on.isoformat()},s{number % 2},store,EUR,"
                f"sku{line},{category},Food,1,{total:.2f}"
            )
    return found


def take_in(file: Path) -> None:
    partner, _created = Partner.objects.get_or_create(slug="import", defaults={"name": "Import"})
    job = PurchasesImport(file, partner=partner, at=clock.now(), rejected_path=file.with_name("rejected.csv"))
    assert job.run().rejected == 0


def by_receipt(given: Given) -> dict[tuple[str, str], int]:
    names = dict(Activity.objects.values_list("pk", "external_id"))
    return {(names[activity_id], code): points for (activity_id, code), points in given.items()}


@pytest.mark.parametrize("caps", [{}, {"cap_per_member": 60}, {"cap_per_activity": 20, "over_cap": "reject"}])
def test_a_doubled_category_equals_a_fresh_import_under_that_rule(
    tmp_path: Path, caps: dict[str, Any]
) -> None:
    file = write_csv(tmp_path, some_rows())
    changes = {"rules": [drafts.rule_entry("double", pastry_rule(**caps), names={"en": "Double"})]}
    with transaction.atomic():
        take_in(file)
        assert of_the_replay() == of_the_ledger()
        foretold, found = by_receipt(of_the_replay(changes)), result_of(changes)
        transaction.set_rollback(True)
    forget()
    make_valid_for_ever(changes)
    take_in(file)
    assert by_receipt(of_the_ledger()) == foretold
    assert any(code == "double" for _receipt, code in foretold)
    told = {row["rule"]: row["new"] for row in found["rules"]}
    assert told == {code: sum(v for (_r, c), v in foretold.items() if c == code) for code in told}


def forget() -> None:
    from members import catalogue

    catalogue.forget()
    terms.forget()
    ledger.forget()


def make_valid_for_ever(changes: dict[str, Any]) -> None:
    for entry in changes["rules"]:
        rule = EarningRule.objects.create(code=entry["code"], names=entry["names"])
        revision = drafts.revision_of(entry, rule=rule)
        revision.number = 1
        revision.save()
    terms.revised()


def test_a_draft_of_tiers_moves_members_and_their_bonus() -> None:
    partner, (aino, _bo) = people()
    items = [
        activity(partner, aino, number, START + number * DAY, "purchase", (buy_line("300.00"),))
        for number in range(4)
    ]
    record_and_reward_many(items, at=START + 4 * DAY)
    from rewards.tier_drafts import NewTerms

    present = NewTerms.like(terms.current().tiers_at(START)).content()
    lower = [level | {"threshold": level["threshold"] // 2} for level in present["levels"]]
    found = result_of({"tiers": present | {"levels": lower}}, Period(START, START + 10 * DAY))
    assert found["moves"] == [{"from": "silver", "to": "silver", "members": 1}]
    assert {row["rule"]: (row["old"], row["new"]) for row in found["rules"]} == {
        "base": (1200, 1200),
        "tier bonus": (0, 150),
    }
    assert {row["tier"]: (row["old"], row["new"]) for row in found["tiers"]} == {
        "bronze": (1200, 600),
        "silver": (0, 750),
    }
    found = result_of({"tiers": present | {"levels": lower}}, Period(START, START + 2 * DAY))
    assert found["moves"] == [{"from": "bronze", "to": "silver", "members": 1}]


def buy_line(total: str, category: str = "PASTRY") -> LineFacts:
    return LineFacts("sku", category, "Food", Decimal(1), Decimal(total))


def test_the_result_tells_points_people_liability_and_examples() -> None:
    partner, (aino, bo) = people()
    record_and_reward(activity(partner, aino, 1, START, "purchase", (buy_line("150.00"),)), at=START)
    record_and_reward(activity(partner, bo, 2, START, "purchase", (buy_line("9.00", "COFFEE"),)), at=START)
    adjust(member_id=aino.pk, points=-100, staff_id=staff_id(), note="Spent", at=START + DAY)
    changes = {
        "rules": [
            drafts.rule_entry("double", pastry_rule(cap_per_activity=40), names={"en": "Double"}),
            drafts.rule_entry("base", base_rule(amount=Decimal(2))),
        ]
    }
    found = result_of(changes, Period(START - DAY, START + 2 * DAY))
    assert found["points"] == {"old": 159, "new": 75 + 40 + 4}
    assert found["cost"] == {"old": "1.59", "new": "1.19"}
    assert found["rules"] == [
        {"rule": "base", "names": EarningRule.objects.get(code="base").names, "old": 159, "new": 79},
        {"rule": "double", "names": {"en": "Double"}, "old": 0, "new": 40},
    ]
    assert found["members"]["losers"] == {"count": 2, "points": -40}
    assert [bar for bar in found["members"]["histogram"] if bar["members"]] == [
        {"from": -99, "to": -10, "members": 1},
        {"from": -9, "to": -1, "members": 1},
    ]
    assert found["liability"] == {"old": 59, "new": 19, "cost": {"old": "0.59", "new": "0.19"}}
    first = found["examples"][0]
    assert (first["total"], [(row["rule"], row["points"]) for row in first["old"]]) == (
        "150.00",
        [("base", 150)],
    )
    assert [(row["rule"], row["points"], row["wanted"], row["limit"]) for row in first["new"]] == [
        ("base", 75, 75, None),
        ("double", 40, 75, "activity_cap"),
    ]


def test_an_ended_rule_gives_nothing_and_a_shorter_expiry_lowers_the_liability() -> None:
    partner, (aino, _bo) = people()
    record_and_reward(activity(partner, aino, 1, START, "purchase", (buy_line("150.00"),)), at=START)
    period = Period(START, START + 100 * DAY)
    assert result_of({"rules": [drafts.rule_entry("base", None)]}, period)["points"] == {"old": 150, "new": 0}
    wallet = Wallet.objects.get(is_default=True).pk
    shorter = {"expiry": [drafts.expiry_entry(wallet_id=wallet, months=1, rounding="exact")]}
    found = result_of(shorter, period)
    assert (found["points"]["new"], found["liability"]["old"], found["liability"]["new"]) == (150, 150, 0)


def test_refunds_come_off_in_proportion() -> None:
    partner, (aino, _bo) = people()
    record_and_reward(activity(partner, aino, 1, START, "purchase", (buy_line("100.00"),)), at=START)
    made = Activity.objects.get()
    half = refunds.Order(amount=Decimal("50.00"))
    refunds.refund(activity_id=made.pk, external_id="b1", order=half, at=START + DAY)
    found = result_of({"rules": [drafts.rule_entry("base", base_rule(points=2))]})
    assert (found["taken_back"], found["points"]) == ({"old": 50, "new": 100}, {"old": 50, "new": 100})
    assert result_of()["taken_back"] == {"old": 50, "new": 50}


def test_nothing_but_the_backtests_own_row_is_written() -> None:
    partner, (aino, _bo) = people()
    record_and_reward(activity(partner, aino, 1, START, "purchase", (buy_line("100.00"),)), at=START)
    before = rows()
    result_of({"rules": [drafts.rule_entry("double", pastry_rule(), names={"en": "Double"})]})
    after = rows()
    assert {label for label in after if after[label] != before[label]} == {
        "rewards.Draft",
        "rewards.Backtest",
    }


def test_an_empty_period_is_all_nothing() -> None:
    assert result_of()["points"] == {"old": 0, "new": 0}


def test_every_change_finds_its_bar() -> None:
    bars = histogram([-20_000, -5, 0, 0, 9, 10, 9_999, 10_000])
    assert [bar["members"] for bar in bars] == [1, 0, 0, 0, 1, 2, 1, 1, 0, 1, 1]
    assert all((low["to"] or 0) + 1 == high["from"] for low, high in pairwise(bars))


# --- Its run --------------------------------------------------------------------------------------------------------


def asked(**facts: Any) -> Backtest:
    draft = Draft.objects.create(name="What if", created_at=START)
    facts = {"starts_at": ALWAYS.starts_at, "ends_at": ALWAYS.ends_at, "requested_at": START} | facts
    return Backtest.objects.create(draft=draft, point_value=Decimal("0.01"), **facts)


def test_a_run_leaves_its_result_once() -> None:
    partner, (aino, _bo) = people()
    record_and_reward(activity(partner, aino, 1, START, "purchase", (buy_line("100.00"),)), at=START)
    made = asked()
    for _delivery in range(2):
        backtest.run(backtest_id=made.pk, now=clock.now)
    made.refresh_from_db()
    assert (made.status, made.done, made.total, made.error) == ("done", 1, 1, "")
    assert made.result is not None
    assert made.result["points"] == {"old": 100, "new": 100}
    assert [run.status for run in Run.objects.filter(name=backtest.RUN_NAME)] == ["succeeded"]


def test_one_that_waits_is_cancelled_at_once() -> None:
    made = asked()
    assert backtest.cancel(backtest_id=made.pk, at=START)
    backtest.run(backtest_id=made.pk, now=clock.now)
    made.refresh_from_db()
    assert (made.status, made.result) == ("cancelled", None)
    assert not backtest.cancel(backtest_id=made.pk, at=START)


def test_one_that_runs_stops_at_its_next_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    from rewards import replay

    monkeypatch.setattr(replay, "CHUNK", 1)
    partner, (aino, _bo) = people()
    for number in range(3):
        record_and_reward(activity(partner, aino, number, START, "purchase", (buy_line("1.00"),)), at=START)
    made = asked()
    plain = backtest._step

    def asks_to_stop(backtest_id: int, done: int, recorder: Any) -> None:
        assert backtest.cancel(backtest_id=backtest_id, at=START)
        plain(backtest_id, done, recorder)

    monkeypatch.setattr(backtest, "_step", asks_to_stop)
    backtest.run(backtest_id=made.pk, now=clock.now)
    made.refresh_from_db()
    assert (made.status, made.done, made.result) == ("cancelled", 1, None)


def test_one_that_fails_says_why_and_one_that_died_is_marked(monkeypatch: pytest.MonkeyPatch) -> None:
    failing, died = asked(changes={"rules": [{"code": "x", "names": {}, "terms": {"nonsense": 1}}]}), asked()
    with pytest.raises(Exception, match="nonsense"):
        backtest.run(backtest_id=failing.pk, now=clock.now)
    failing.refresh_from_db()
    assert (failing.status, "nonsense" in failing.error) == ("failed", True)
    gone = Run.objects.create(
        name=backtest.RUN_NAME, at=START, started_at=START, seen_at=START, process="elsewhere/1:1"
    )
    Backtest.objects.filter(pk=died.pk).update(status="running", run=gone)
    assert backtest.mark_dead(at=START) == 1
    died.refresh_from_db()
    assert died.status == "failed"


def test_the_sweep_sends_again_what_nobody_began(monkeypatch: pytest.MonkeyPatch) -> None:
    from rewards import tasks

    sent: list[int] = []
    monkeypatch.setattr(tasks.run_backtest, "delay", sent.append)
    old = asked()
    asked(requested_at=clock.now())
    tasks.sweep_backtests()
    assert sent == [old.pk]


# --- Publishing -------------------------------------------------------------------------------------------------------


def full_draft() -> Draft:
    from rewards.tier_drafts import NewTerms

    wallet = Wallet.objects.get(is_default=True).pk
    tiers_ = NewTerms.like(terms.current().tiers_at(START)).content()
    changes = {
        "rules": [
            drafts.rule_entry("double", pastry_rule(), names={"en": "Double"}),
            drafts.rule_entry("base", base_rule(points=3)),
            drafts.rule_entry("tier bonus", None),
        ],
        "tiers": tiers_
        | {"levels": [level | {"threshold": level["threshold"] * 2} for level in tiers_["levels"]]},
        "expiry": [drafts.expiry_entry(wallet_id=wallet, months=12, rounding="year_end")],
    }
    return Draft.objects.create(name="Spring", changes=changes, created_at=START)


def test_publishing_makes_all_revisions_in_one_step() -> None:
    at, later = START, START + 3 * DAY
    draft = full_draft()
    drafts.publish(draft_id=draft.pk, at=at, staff_id=None, valid_from=later)
    forget()
    known = terms.current()
    before = {rule.code: rule.points for rule in known.rules_at(later - HOUR)}
    after = {rule.code: (rule.points, rule.effect) for rule in known.rules_at(later)}
    assert before == {"base": 1, "tier bonus": 1}
    assert after == {"base": (3, "per_amount"), "double": (1, "multiplier")}
    assert [level.threshold for level in known.tiers_at(later).levels] == [0, 2000, 10000]
    assert ExpiryPolicy.objects.order_by("-valid_from").first().months == 12  # type: ignore[union-attr]
    with pytest.raises(drafts.NotPublishable):
        drafts.publish(draft_id=draft.pk, at=at, staff_id=None)


def test_what_cannot_be_published_whole_is_not_published_in_part() -> None:
    draft = full_draft()
    before = rows()
    with pytest.raises(RevisionRefused), transaction.atomic():
        drafts.publish(draft_id=draft.pk, at=START, staff_id=None, valid_from=START - DAY)
    assert rows() == before
    assert Draft.objects.get().published_at is None


def test_the_backtest_of_a_published_draft_is_what_then_happens() -> None:
    partner, (aino, _bo) = people()
    draft = Draft.objects.create(
        name="Double",
        created_at=START,
        changes={"rules": [drafts.rule_entry("double", pastry_rule(), names={"en": "Double"})]},
    )
    drafts.publish(draft_id=draft.pk, at=START, staff_id=None)
    outcome = record_and_reward(
        activity(partner, aino, 1, START + DAY, "purchase", (buy_line("10.00"),)), at=START + DAY
    )
    assert [(reason.rule, reason.points) for reason in outcome.reasons] == [("base", 10), ("double", 10)]
    assert of_the_replay() == of_the_ledger() == of_the_replay(draft.changes)


# --- The quarter of real purchases --------------------------------------------------------------------------------


def some_differences(one: Mapping[Any, int], other: Mapping[Any, int]) -> list[Any]:
    """A few of the places where two large results differ."""
    places = sorted(place for place in one.keys() | other.keys() if one.get(place) != other.get(place))
    return [(place, one.get(place), other.get(place)) for place in places[:5]]


@pytest.mark.slow
def test_a_quarter_of_real_purchases_live_and_with_doubled_pastry(tmp_path: Path) -> None:
    if not LARGE_FILE.exists():
        pytest.skip(f"{LARGE_FILE.name} is not beside the project (../shared/data)")
    partner = Partner.objects.create(slug="import", name="Import")

    def take_it_in() -> None:
        PurchasesImport(
            LARGE_FILE, partner=partner, at=clock.now(), rejected_path=tmp_path / "rejected.csv"
        ).run()
        with connection.cursor() as cursor:  # what autovacuum does for committed rows
            cursor.execute("ANALYZE")

    double = pastry_rule(cap_per_member=200, lines=comparison("department", "eq", "PASTRY"))
    changes = {"rules": [drafts.rule_entry("double", double, names={"en": "Double pastry"})]}
    with transaction.atomic():
        take_it_in()
        assert some_differences(of_the_replay(), of_the_ledger()) == []
        found = result_of()
        assert (found["activities"], found["changed"]) == (37_489, 0)
        assert found["points"]["old"] == found["points"]["new"] > 1_082_932
        foretold = by_receipt(of_the_replay(changes))
        transaction.set_rollback(True)
    forget()
    make_valid_for_ever(changes)
    take_it_in()
    assert some_differences(by_receipt(of_the_ledger()), foretold) == []
    assert sum(points for (_receipt, code), points in foretold.items() if code == "double") > 0
