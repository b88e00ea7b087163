"""Drafts and backtests in the admin: written, tried, compared and published by those who may."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from loyalty import clock
from members.activities import LineFacts
from rewards import backtest, drafts, terms
from rewards.earning import record_and_reward
from rewards.models import Backtest, Draft, EarningRule, RuleRevision, TierDraft, Wallet
from tests.factories.staff import logged_in, staff
from tests.rewards.random_terms import START, activity, people

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)
LIST = "/admin/rewards/draft/"


@pytest.fixture(autouse=True)
def _start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: START + 2 * DAY)


@pytest.fixture
def marketer() -> Client:
    client = logged_in(staff(group="Marketing"))
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"
    return client


@pytest.fixture
def draft() -> Draft:
    return Draft.objects.create(name="Spring", created_at=START)


def page(client: Client, path: str, **data: Any) -> str:
    answer = client.get(path, data)
    assert answer.status_code == 200, answer
    return answer.content.decode()


def rule_form(**changes: Any) -> dict[str, Any]:
    """Double points for pastry, as the form sends it."""
    facts = {
        "effect": "multiplier",
        "factor": "2",
        "rounding": "down",
        "lines-t": "group",
        "lines-k": "all",
        "lines-0-t": "compare",
        "lines-0-f": "category",
        "lines-0-o": "eq",
        "lines-0-v": "PASTRY",
        "over_cap": "trim",
        "cap_period": "month",
        "cap_per_member": "200",
        "stacking": "add",
        "priority": "20",
        "wallet": str(Wallet.objects.get(is_default=True).pk),
    }
    return facts | changes


def errors_of(answer: Any) -> Any:
    return answer.context["form"].errors


def test_a_draft_is_named_and_then_filled(marketer: Client) -> None:
    answer = marketer.post(f"{LIST}add/", {"name": "Spring", "note": "More pastry"})
    draft = Draft.objects.get()
    assert (answer.status_code, answer.headers["Location"]) == (302, f"{LIST}{draft.pk}/change/")
    assert "Nothing is to change" in page(marketer, f"{LIST}{draft.pk}/change/")
    assert "Spring" in page(marketer, LIST)


def test_a_new_rule_a_changed_one_and_an_ended_one(marketer: Client, draft: Draft) -> None:
    names = {"code": "double", "names_fi": "Tupla", "names_sv": "Dubbelt", "names_en": "Double"}
    path = f"{LIST}{draft.pk}/rule/"
    assert "The new rule" in page(marketer, path)
    read_back = marketer.post(path, rule_form(**names, preview="1")).content.decode()
    assert "The rule reads" in read_back
    assert "PASTRY" in read_back
    answer = marketer.post(path, rule_form(**names))
    assert answer.status_code == 302, errors_of(answer)
    marketer.post(f"{LIST}{draft.pk}/end-rule/", {"code": "tier bonus"})
    base = EarningRule.objects.get(code="base")
    latest = base.revisions.get()
    shown = page(marketer, path, code="base")
    assert 'value="1.00"' in shown
    marketer.post(
        f"{path}?code=base",
        rule_form(effect="per_amount", points="2", amount="1", factor="", cap_per_member="", priority="0",
                  qualifying="on"),
    )  # fmt: skip
    draft.refresh_from_db()
    assert [(each["code"], each["terms"] and each["terms"]["points"]) for each in draft.changes["rules"]] == [
        ("double", 1),
        ("tier bonus", None),
        ("base", 2),
    ]
    assert RuleRevision.objects.filter(rule=base).get() == latest  # nothing is in force
    text = page(marketer, f"{LIST}{draft.pk}/change/")
    assert "The rule ends." in text
    marketer.post(f"{LIST}{draft.pk}/remove/", {"what": "rule:tier bonus"})
    draft.refresh_from_db()
    assert [each["code"] for each in draft.changes["rules"]] == ["double", "base"]


def test_what_could_not_be_in_force_is_refused_at_once(marketer: Client, draft: Draft) -> None:
    answer = marketer.post(f"{LIST}{draft.pk}/rule/?code=base", rule_form(factor=""))
    assert (answer.status_code, "factor above 1" in answer.content.decode()) == (200, True)
    draft.refresh_from_db()
    assert draft.changes == {}


def test_tiers_and_expiry(marketer: Client, draft: Draft) -> None:
    page(marketer, f"{LIST}{draft.pk}/tiers/")
    numbers = {"threshold_0": "0", "threshold_1": "500", "threshold_2": "5000"}
    marketer.post(f"{LIST}{draft.pk}/tiers/", numbers | {f"multiplier_{place}": "1.5" for place in range(3)})
    wallet = Wallet.objects.get(is_default=True).pk
    page(marketer, f"{LIST}{draft.pk}/expiry/")
    marketer.post(f"{LIST}{draft.pk}/expiry/", {"wallet": wallet, "months": "6", "rounding": "exact"})
    draft.refresh_from_db()
    assert [level["threshold"] for level in draft.changes["tiers"]["levels"]] == [0, 500, 5000]
    assert draft.changes["expiry"] == [
        {"wallet_id": wallet, "months": 6, "days": None, "rounding": "exact", "sliding": False}
    ]
    text = page(marketer, f"{LIST}{draft.pk}/change/")
    assert "500" in text
    assert "6 months" in text
    falling = numbers | {"threshold_2": "400"} | {f"multiplier_{place}": "1" for place in range(3)}
    assert marketer.post(f"{LIST}{draft.pk}/tiers/", falling).status_code == 200


def test_expiry_by_days_that_activity_moves(marketer: Client, draft: Draft) -> None:
    wallet, path = Wallet.objects.get(is_default=True).pk, f"{LIST}{draft.pk}/expiry/"
    form = {"wallet": wallet, "months": "", "days": "90", "rounding": "exact", "sliding": "on"}
    refused = marketer.post(path, form | {"months": "3"})
    assert (refused.status_code, list(errors_of(refused))) == (200, ["days"])
    refused = marketer.post(path, form | {"days": ""})
    assert (refused.status_code, list(errors_of(refused))) == (200, ["sliding"])
    assert marketer.post(path, form).status_code == 302
    draft.refresh_from_db()
    assert draft.changes["expiry"] == [
        drafts.expiry_entry(wallet_id=wallet, days=90, rounding="exact", sliding=True)
    ]
    assert "90 days, to the day; each activity begins it anew" in page(marketer, f"{LIST}{draft.pk}/change/")
    marketer.post(f"{LIST}{draft.pk}/publish/", {"valid_from_0": "", "valid_from_1": ""})
    policy = terms.current().policy_at(wallet, clock.now())
    assert policy is not None
    assert (policy.months, policy.days, policy.sliding) == (None, 90, True)


def test_a_draft_from_before_expiry_knew_days_is_read_on(marketer: Client, draft: Draft) -> None:
    wallet = Wallet.objects.get(is_default=True).pk
    draft.changes = {"expiry": [{"wallet_id": wallet, "months": 6, "rounding": "exact"}]}
    draft.save()
    assert "6 months, to the day" in page(marketer, f"{LIST}{draft.pk}/change/")
    assert done(draft).result is not None
    drafts.publish(draft_id=draft.pk, at=clock.now(), staff_id=None)
    policy = terms.current().policy_at(wallet, clock.now())
    assert policy is not None
    assert (policy.months, policy.days, policy.sliding) == (6, None, False)


def done(draft: Draft) -> Backtest:
    made = backtest.request(
        draft_id=draft.pk,
        starts_at=START - DAY,
        ends_at=START + DAY,
        point_value=Decimal("0.01"),
        staff_id=None,
        at=START,
    )
    backtest.run(backtest_id=made.pk, now=clock.now)
    made.refresh_from_db()
    assert made.status == "done", made.error
    return made


def doubled(draft: Draft) -> Draft:
    from tests.rewards.test_backtest import pastry_rule

    draft.changes = {"rules": [drafts.rule_entry("double", pastry_rule(), names={"en": "Double pastry"})]}
    draft.save()
    return draft


def bought() -> None:
    partner, (aino, _bo) = people()
    bun = LineFacts("bun", "PASTRY", "Food", Decimal(1), Decimal("1234.00"))
    record_and_reward(activity(partner, aino, 1, START, "purchase", (bun,)), at=START)


def test_a_backtest_is_asked_for_and_shows_its_progress(
    marketer: Client, draft: Draft, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    from rewards.admin import drafts as page_of_drafts

    sent: list[int] = []
    monkeypatch.setattr(page_of_drafts.run_backtest, "delay", sent.append)
    assert "Cost of a point" in page(marketer, f"{LIST}{draft.pk}/backtest/")
    form = {
        "starts_at_0": "2026-03-01", "starts_at_1": "00:00", "ends_at_0": "2026-04-01", "ends_at_1": "00:00",
        "point_value": "0.01",
    }  # fmt: skip
    with django_capture_on_commit_callbacks(execute=True):
        answer = marketer.post(f"{LIST}{draft.pk}/backtest/", form)
    made = Backtest.objects.get()
    assert (answer.headers["Location"], sent) == (f"/admin/rewards/backtest/{made.pk}/change/", [made.pk])
    text = page(marketer, answer.headers["Location"])
    assert 'http-equiv="refresh"' in text
    assert "<progress" in text
    marketer.post(f"/admin/rewards/backtest/{made.pk}/cancel/")
    made.refresh_from_db()
    assert made.status == "cancelled"
    backwards = form | {"ends_at_0": "2026-02-01"}
    assert marketer.post(f"{LIST}{draft.pk}/backtest/", backwards).status_code == 200


def test_the_result_page_and_a_comparison(marketer: Client, draft: Draft) -> None:
    bought()
    plain = done(draft)
    double = done(doubled(draft))
    text = page(marketer, f"/admin/rewards/backtest/{double.pk}/change/")
    for said in (
        "+1\N{NO-BREAK SPACE}234",
        "Double pastry",
        "<svg",
        "Under the draft",
        "1 would have more",
        "24.68",
    ):
        assert said in text, said
    text = page(marketer, "/admin/rewards/backtest/compare/", one=plain.pk, other=double.pk)
    assert "Points of “Double pastry”" in text
    assert "+1\N{NO-BREAK SPACE}234" in text
    assert "Spring" in page(marketer, "/admin/rewards/backtest/")
    assert (
        marketer.get("/admin/rewards/backtest/compare/", {"one": "x", "other": plain.pk}).status_code == 404
    )


def test_publishing(marketer: Client, draft: Draft) -> None:
    doubled(draft)
    text = page(marketer, f"{LIST}{draft.pk}/publish/")
    assert "Double pastry" in text
    past = {"valid_from_0": "2026-01-01", "valid_from_1": "00:00"}
    assert marketer.post(f"{LIST}{draft.pk}/publish/", past).status_code == 200
    assert not EarningRule.objects.filter(code="double").exists()
    answer = marketer.post(f"{LIST}{draft.pk}/publish/", {"valid_from_0": "", "valid_from_1": ""})
    assert answer.status_code == 302
    assert [rule.code for rule in terms.current().rules_at(clock.now())] == ["base", "tier bonus", "double"]
    assert marketer.get(f"{LIST}{draft.pk}/publish/").status_code == 403
    assert marketer.post(f"{LIST}{draft.pk}/remove/", {"what": "rule:double"}).status_code == 403
    assert "Published on" in page(marketer, f"{LIST}{draft.pk}/change/")


@pytest.mark.parametrize("path", ["rule", "end-rule", "remove", "tiers", "expiry", "backtest", "publish"])
def test_support_reads_but_changes_nothing(draft: Draft, path: str) -> None:
    support = logged_in(staff(group="Support"))
    doubled(draft)
    assert page(support, f"{LIST}{draft.pk}/change/")
    assert (
        support.post(f"{LIST}{draft.pk}/{path}/", {"code": "base", "what": "rule:double"}).status_code == 403
    )
    assert (Backtest.objects.count(), TierDraft.objects.count()) == (0, 0)
    before = Draft.objects.get()
    assert (before.changes, before.published_at) == (draft.changes, None)
