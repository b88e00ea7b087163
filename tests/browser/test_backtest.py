"""A marketer drafts a rule, backtests it, looks at what it would have done, and publishes it (both widths, axe)."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from axe_playwright_python.sync_playwright import Axe
from django.core.cache import cache

from loyalty import clock
from members.activities import LineFacts
from rewards import backtest, drafts
from rewards.earning import record_and_reward
from rewards.models import Backtest, Draft, EarningRule
from tests.factories.staff import staff
from tests.rewards.random_terms import activity, people
from tests.rewards.test_backtest import forget, pastry_rule

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)
DAY = dt.timedelta(days=1)


def faults_of(page: Any) -> list[str]:
    found = Axe().run(page, context="#content-main").response["violations"]
    return [f"{rule['id']}: {node['html']}" for rule in found for node in rule["nodes"]]


def test_draft_backtest_publish(
    page: Any, live_server: Any, viewport: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    from rewards import admin_backtest

    monkeypatch.setattr(admin_backtest.run_backtest, "delay", lambda _id: None)
    cache.clear()
    forget()
    partner, members = people()
    for number, category in enumerate(["PASTRY", "COFFEE", "PASTRY"]):
        line = LineFacts("sku", category, "Food", Decimal(1), Decimal(400 + number * 350))
        new = activity(
            partner, members[number % 2], number, clock.now() - (9 - number) * DAY, "purchase", (line,)
        )
        record_and_reward(new, at=clock.now())
    draft = Draft.objects.create(
        name="Spring",
        created_at=clock.now(),
        changes={"rules": [drafts.rule_entry("double", pastry_rule(), names={"en": "Double pastry"})]},
    )
    boss = staff(superuser=True)
    EmailAddress.objects.create(user=boss, email=boss.email, primary=True, verified=True)
    page.set_viewport_size(viewport)
    page.context.add_cookies([{"name": "django_language", "value": "en", "url": live_server.url}])
    page.goto(f"{live_server.url}/admin/login/?next=/admin/rewards/draft/{draft.pk}/change/")
    page.fill("input[name=login]", boss.email)
    page.fill("input[name=password]", "correct horse battery")
    page.press("input[name=password]", "Enter")

    page.get_by_role("heading", name="What is to change").wait_for()
    assert "Double points on" in page.locator(".k-revision").inner_text()
    assert faults_of(page) == []
    page.get_by_role("link", name="Backtest a past period").click()
    page.get_by_role("button", name="Start the backtest").click()
    page.locator("progress").wait_for()
    assert faults_of(page) == []

    backtest.run(backtest_id=Backtest.objects.get().pk, now=clock.now)
    page.get_by_role("heading", name="Points by rule").wait_for()  # the page looks again by itself
    assert "Double pastry" in page.locator("section", has_text="Points by rule").first.inner_text()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert faults_of(page) == []

    page.get_by_role("link", name="To the draft").click()
    page.get_by_role("link", name="Publish").click()
    page.get_by_role("button", name="Publish").click()
    page.get_by_text("The new terms were made.").wait_for()
    assert EarningRule.objects.get(code="double").revisions.count() == 1
