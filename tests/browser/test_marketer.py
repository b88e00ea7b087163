"""A marketer in a real browser: writes a rule without code, reads it back, tries it on the past, publishes it, and
sees it explained on a purchase, as the member does.
"""

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from loyalty import clock
from loyalty.partners.models import Partner
from members.activities import LineFacts, NewActivity
from members.models import Member
from rewards import backtest
from rewards.earning import record_and_reward
from rewards.models import Backtest, EarningRule, RuleRevision
from rewards.tasks import run_backtest
from tests.browser.walking import (
    DESKTOP,
    log_in,
    log_in_staff,
    looks_right,
    portal_faults,
    post_purchase,
    speak_english,
)
from tests.factories.partners import key_for
from tests.factories.portal import DAY, NOW, PASSWORD, portal_member, purchases
from tests.factories.staff import staff

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)

SENTENCE = (
    "Double points on products of the category PASTRY, on Saturdays and Sundays, for Silver and above, "
    "at most 200 points per member a month."
)


@pytest.fixture
def inside(page: Any, live_server: Any) -> Any:
    """The page of a marketer, with the rights of that group and no others, in English."""
    page.set_viewport_size(DESKTOP)
    return log_in_staff(page, live_server.url, staff(group="Marketing"))


@pytest.fixture
def saturday(monkeypatch: pytest.MonkeyPatch) -> dt.datetime:
    """The clock stands on a Saturday, so that what holds on weekends can be seen on any day."""
    monkeypatch.setattr(clock, "now", lambda: NOW)
    return NOW


@pytest.fixture
def aino(saturday: dt.datetime) -> Member:
    """Silver since a month, who bought pastry last Saturday and last Monday."""
    member = portal_member()
    purchases(member, "1200.00")
    for number, days in enumerate((7, 5)):
        new = NewActivity(
            partner_id=Partner.objects.get(slug="halli").pk,
            member_id=member.pk,
            external_id=f"pastry-{number}",
            kind="purchase",
            occurred_at=saturday - days * DAY,
            currency="EUR",
            total=Decimal(30),
            lines=(LineFacts("bun", "PASTRY", "Food", Decimal(1), Decimal(30)),),
        )
        record_and_reward(new, at=saturday)
    return member


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


def read_back(page: Any) -> str:
    page.get_by_role("button", name="Read it back").click()
    page.wait_for_selector(".k-readback")
    return str(page.locator(".k-readback .k-sentence").inner_text())


def test_a_rule_is_written_tried_published_and_explained(
    inside: Any, browser: Any, live_server: Any, aino: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_backtest, "delay", lambda _id: None)
    page, url = inside, live_server.url
    write_it_in_a_draft(page, url)
    try_it_on_the_past(page)
    page.get_by_role("link", name="To the draft").click()
    page.get_by_role("link", name="Publish").click()
    page.get_by_role("button", name="Publish").click()
    page.get_by_text("The new terms were made.").wait_for()
    assert RuleRevision.objects.get(rule__code="pastry-weekend").valid_from == NOW

    assert buy(url, aino, "r-1", pastry=10, coffee=5) == {"base": 15, "tier bonus": 3, "pastry-weekend": 10}
    assert buy(url, aino, "r-2", pastry=250)["pastry-weekend"] == 190  # the rest of this month's 200
    it_is_explained_to_staff(page, url, aino)
    it_is_explained_to_the_member(browser, url)


def write_it_in_a_draft(page: Any, url: str) -> None:
    page.goto(f"{url}/admin/rewards/draft/add/")
    page.fill("#id_name", "Spring")
    page.locator("[name=_save]").click()
    page.get_by_role("link", name="New rule").click()
    page.fill("#id_code", "pastry-weekend")
    page.locator("[name=names_en]").fill("Pastry weekend")
    write_rule(page)
    assert not page.locator("#id_amount").is_visible()
    assert not page.locator("#id_points").is_visible()
    assert read_back(page) == SENTENCE
    looks_right(page, "rule-read-back")
    page.get_by_role("button", name="Keep in the draft").click()
    page.get_by_role("heading", name="What is to change").wait_for()
    assert SENTENCE in page.locator(".k-revision").inner_text()
    assert not EarningRule.objects.filter(code="pastry-weekend").exists()


def try_it_on_the_past(page: Any) -> None:
    page.get_by_role("link", name="Backtest a past period").click()
    page.get_by_role("button", name="Start the backtest").click()
    page.locator("progress").wait_for()
    backtest.run(backtest_id=Backtest.objects.get().pk, now=clock.now)
    page.get_by_role("heading", name="Points by rule").wait_for()  # the page looks again by itself
    assert "Pastry weekend" in page.locator("section", has_text="Points by rule").first.inner_text()
    assert page.locator(".k-tile", has_text="Points").first.locator(".k-value").inner_text() == "+30"
    assert "of 3" in page.locator(".k-tile", has_text="Activities that would change").inner_text()
    looks_right(page, "backtest-report")


def buy(url: str, member: Member, number: str, **euros: int) -> dict[str, int]:
    """Points by rule of a purchase posted to the API, with a line for each category."""
    _key, key = key_for(Partner.objects.get(slug="halli"))
    answer = post_purchase(
        url,
        key,
        number,
        member={"card_number": member.card_number},
        occurred_at=NOW.isoformat(),
        total=f"{sum(euros.values())}.00",
        lines=[
            {"sku": name, "category": name.upper(), "quantity": "1", "total": f"{total}.00"}
            for name, total in euros.items()
        ],
    )
    return {reason["rule"]: reason["points"] for reason in answer["reasons"]}


def it_is_explained_to_staff(page: Any, url: str, member: Member) -> None:
    page.goto(f"{url}/admin/members/member/{member.pk}/overview/")
    assert "Pastry weekend" in page.locator(".k-reasons").first.inner_text()
    activity = member.activities.get(external_id="r-1")
    page.goto(f"{url}/admin/members/activity/{activity.pk}/change/")
    why = page.locator("section[aria-labelledby=k-why] li", has_text="Pastry weekend")
    assert why.locator(".k-number").inner_text() == "+10"
    looks_right(page, "activity-explained")
    rule = EarningRule.objects.get(code="pastry-weekend")
    page.goto(f"{url}/admin/rewards/earningrule/{rule.pk}/change/")
    assert page.locator(".k-sum dd").first.inner_text() == "200"


def it_is_explained_to_the_member(browser: Any, url: str) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844})
    page = context.new_page()
    speak_english(page, url)
    log_in(page, url, PASSWORD)
    page.goto(f"{url}/activity/")
    entry = page.locator(".entry", has_text="15.00")
    assert entry.locator(".why").inner_text().split("\n") == [
        *("Base points", "+15", "Tier bonus", "+3", "Pastry weekend", "+10"),
    ]
    entry.get_by_text("Why these points").click()
    assert "Pastry weekend" in entry.locator(".reasons").inner_text()
    looks_right(page, "statement-explained", portal_faults)
    context.close()


def test_a_rule_is_revised_and_its_history_says_what_changed(inside: Any, live_server: Any) -> None:
    page = inside
    rule = EarningRule.objects.create(code="pastry", names={"en": "Pastry weekend"})
    page.goto(f"{live_server.url}/admin/rewards/earningrule/{rule.pk}/revise/")
    write_rule(page)
    assert read_back(page) == SENTENCE
    assert not rule.revisions.exists()
    page.get_by_role("button", name="Make the revision").click()
    page.wait_for_url("**/change/")
    page.goto(f"{live_server.url}/admin/rewards/earningrule/{rule.pk}/revise/")
    page.fill("#id_factor", "3")
    page.fill("#id_budget", "5000")
    page.get_by_role("button", name="Make the revision").click()
    page.wait_for_url("**/change/")
    assert rule.revisions.get(number=2).factor == Decimal(3)
    said = page.locator(".k-changes").first.inner_text().replace("\u202f", " ").replace("\xa0", " ")
    assert "5 000" in said
    looks_right(page, "rule-history")


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
