"""A marketer in a real browser: writes a rule without code, reads it back, publishes it, and sees it explained."""

import datetime as dt
import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from axe_playwright_python.sync_playwright import Axe
from django.core.cache import cache

from loyalty.partners.keys import create_key
from rewards import terms
from rewards.models import EarningRule, RuleRevision
from tests.factories.members import NOON, member
from tests.factories.rewards import purchase
from tests.factories.staff import staff

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)

PASSWORD = "correct horse battery"
SENTENCE = (
    "Double points on products of the category PASTRY, on Saturdays and Sundays, for Silver and above, "
    "at most 200 points per member a month."
)


@pytest.fixture
def inside(page: Any, live_server: Any) -> Any:
    """The page of a logged-in superuser who speaks English."""
    cache.clear()
    boss = staff(superuser=True)
    EmailAddress.objects.create(user=boss, email=boss.email, primary=True, verified=True)
    page.context.add_cookies([{"name": "django_language", "value": "en", "url": live_server.url}])
    page.goto(f"{live_server.url}/admin/")
    page.fill("input[name=login]", boss.email)
    page.fill("input[name=password]", PASSWORD)
    page.press("input[name=password]", "Enter")
    page.wait_for_url(f"{live_server.url}/admin/")
    return page


def faults_of(page: Any) -> list[str]:
    found = Axe().run(page, context="#content-main").response["violations"]
    return [f"{rule['id']}: {node['html']}" for rule in found for node in rule["nodes"]]


def picture(page: Any, name: str) -> None:
    """For eyes: kept where KANTIS_PICTURES says."""
    if folder := os.environ.get("KANTIS_PICTURES"):
        page.screenshot(path=str(Path(folder) / f"{name}.png"), full_page=True)


def write_rule(page: Any) -> None:
    """“Double points on PASTRY on weekends for Silver and above, at most 200 a month.”"""
    page.select_option("#id_effect", "multiplier")
    page.fill("#id_factor", "2")
    lines, when = page.locator("[data-conditions=lines]"), page.locator("[data-conditions=conditions]")
    add_row(lines, "category")
    lines.locator("input[name=lines-0-v]").fill("PASTRY")
    add_row(when, "weekday")
    when.locator("select[name=conditions-0-o]").select_option("in")
    when.locator("select[name=conditions-0-v]").select_option(["6", "7"])
    add_row(when, "tier_reached")
    when.locator("select[name=conditions-1-v]").select_option("silver")
    page.fill("#id_cap_per_member", "200")


def add_row(builder: Any, about: str) -> None:
    builder.locator("[data-add=compare]").first.click()
    builder.locator("select[data-about]").last.select_option(about)


def test_a_marketer_writes_a_rule_publishes_it_and_sees_it_explained(inside: Any, live_server: Any) -> None:
    page = inside
    page.goto(f"{live_server.url}/admin/rewards/earningrule/add/")
    page.fill("#id_code", "pastry-weekend")
    page.locator("[name=names_en]").fill("Pastry weekend")
    page.locator("[name=_save]").click()
    page.wait_for_url("**/revise/")

    write_rule(page)
    assert not page.locator("#id_amount").is_visible()
    assert not page.locator("#id_points").is_visible()
    page.get_by_role("button", name="Read it back").click()
    page.wait_for_selector(".k-readback")
    assert page.locator(".k-readback .k-sentence").inner_text() == SENTENCE
    assert not RuleRevision.objects.filter(rule__code="pastry-weekend").exists()
    picture(page, "rule-read-back")
    page.get_by_role("button", name="Make the revision").click()
    page.wait_for_url("**/change/")
    assert SENTENCE in page.locator(".k-revision").inner_text()

    # The rule counts from now on; for a purchase of last Saturday it has to have begun by then.
    aino = member(first_name="Aino", last_name="Virtanen")
    first = purchase(aino, total=1000, at=NOON)
    assert first.tier_code == "silver"
    saturday = next_saturday(NOON)
    RuleRevision.objects.filter(rule__code="pastry-weekend").update(valid_from=NOON)
    terms.revised()
    _key, text = create_key(partner=aino.enrolled_by or first_partner(), name="till", rate_per_minute=1000)
    answer = page.request.post(
        f"{live_server.url}/api/v1/activities",
        headers={"Authorization": f"Bearer {text}", "Idempotency-Key": "r-1"},
        data={
            "external_id": "r-1",
            "member": {"card_number": aino.card_number},
            "kind": "purchase",
            "occurred_at": saturday.isoformat(),
            "total": "15.00",
            "currency": "EUR",
            "lines": [
                {"sku": "bun", "category": "PASTRY", "quantity": "1", "total": "10.00"},
                {"sku": "kilo", "category": "COFFEE", "quantity": "1", "total": "5.00"},
            ],
        },
    )
    assert answer.status == 201, answer.text()
    reasons = {reason["rule"]: reason["points"] for reason in answer.json()["reasons"]}
    assert reasons == {"base": 15, "tier bonus": 3, "pastry-weekend": 10}
    page.goto(f"{live_server.url}/admin/members/member/{aino.pk}/overview/")
    explained = page.locator(".k-reasons").first.inner_text()
    assert "Pastry weekend" in explained
    assert "10" in explained
    picture(page, "rule-explained")
    page.goto(
        f"{live_server.url}/admin/rewards/earningrule/{EarningRule.objects.get(code='pastry-weekend').pk}/change/"
    )
    assert page.locator(".k-sum dd").first.inner_text() == "10"


def first_partner() -> Any:
    from loyalty.models import Partner

    return Partner.objects.order_by("pk").first()


def next_saturday(at: dt.datetime) -> dt.datetime:
    return at + dt.timedelta(days=(5 - at.weekday()) % 7 or 7)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_form_and_the_history_look_right(
    inside: Any, live_server: Any, viewport: dict[str, int], scheme: str
) -> None:
    page = inside
    page.set_viewport_size(viewport)
    page.emulate_media(color_scheme=scheme)
    rule = EarningRule.objects.create(code="pastry", names={"en": "Pastry weekend"})
    page.goto(f"{live_server.url}/admin/rewards/earningrule/{rule.pk}/revise/")
    write_rule(page)
    page.get_by_role("button", name="Read it back").click()
    page.wait_for_selector(".k-readback")
    looks_right(page, f"form-{viewport['width']}-{scheme}")
    page.get_by_role("button", name="Make the revision").click()
    page.wait_for_url("**/change/")
    page.goto(f"{live_server.url}/admin/rewards/earningrule/{rule.pk}/revise/")
    page.fill("#id_factor", "3")
    page.fill("#id_budget", "5000")
    page.get_by_role("button", name="Make the revision").click()
    page.wait_for_url("**/change/")
    assert rule.revisions.get(number=2).factor == Decimal(3)
    assert "5 000" in page.locator(".k-changes").first.inner_text().replace("\u202f", " ").replace(
        "\xa0", " "
    )
    looks_right(page, f"history-{viewport['width']}-{scheme}")


def looks_right(page: Any, name: str) -> None:
    page.wait_for_timeout(200)
    picture(page, name)
    assert faults_of(page) == [], name
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), name


def test_the_form_works_without_javascript(inside: Any, live_server: Any, browser: Any) -> None:
    """Rows are added by the server; fields of other effects are hidden by the style sheet alone."""
    rule = EarningRule.objects.create(code="pastry", names={"en": "Pastry weekend"})
    context = browser.new_context(java_script_enabled=False, storage_state=inside.context.storage_state())
    page = context.new_page()
    page.goto(f"{live_server.url}/admin/rewards/earningrule/{rule.pk}/revise/")
    page.select_option("#id_effect", "fixed")
    assert not page.locator("#id_factor").is_visible()
    page.fill("#id_points", "25")
    page.locator("[data-conditions=lines] [name=lines-do][value='add:lines:compare']").first.click()
    page.locator("select[name=lines-0-f]").select_option("category")
    page.get_by_role("button", name="Read it back").click()
    page.locator("input[name=lines-0-v]").fill("PASTRY")
    page.get_by_role("button", name="Read it back").click()
    said = page.locator(".k-readback .k-sentence").inner_text()
    assert said == "25 points for buying products of the category PASTRY."
    page.get_by_role("button", name="Make the revision").click()
    assert rule.revisions.get().points == 25
    context.close()
