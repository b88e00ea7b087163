"""From a stranger to Silver, in a real browser: join, verify, log in, buy, and see every point with its reason."""

from typing import Any

import pytest
from django.core.cache import cache

from loyalty import clock
from members.models import Member
from tests.browser.walking import (
    PHONE,
    link_in_last_mail,
    log_in,
    looks_right,
    portal_faults,
    post_purchase,
    speak_english,
)
from tests.factories.partners import PartnerFactory, key_for
from tests.factories.portal import PASSWORD

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)


@pytest.fixture(autouse=True)
def _quick_passwords(settings: Any, live_server: Any) -> None:
    cache.clear()
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.PUBLIC_URL = live_server.url


def join(page: Any, url: str) -> None:
    page.goto(url + "/account/signup/")
    page.fill("#id_first_name", "Aino")
    page.fill("#id_email", "aino@example.com")
    page.fill("#id_password1", PASSWORD)
    page.check("input[name=consent-marketing-email]")
    page.locator("main form button[type=submit]").click()
    page.get_by_role("heading", name="Check your e-mail").wait_for()


def verify_on_another_device(browser: Any, url: str) -> None:
    context = browser.new_context(locale="en-GB")
    other = context.new_page()
    other.goto(url + link_in_last_mail(url))
    assert "aino@example.com" in other.locator("main").inner_text()
    other.get_by_role("button", name="Confirm").click()
    other.wait_for_load_state()
    context.close()


def figures(page: Any) -> tuple[str, str]:
    """The balance and the tier as the home page says them."""
    tier = page.locator(".hero .tier")
    return page.locator(".hero__figure").inner_text().replace("\xa0", " "), tier.get_attribute("data-tier")


def test_a_stranger_joins_buys_and_sees_silver_at_once(page: Any, browser: Any, live_server: Any) -> None:
    url = live_server.url
    page.set_viewport_size(PHONE)
    speak_english(page, url)
    join(page, url)
    assert not Member.objects.exists()
    verify_on_another_device(browser, url)
    log_in(page, url, PASSWORD)
    assert page.get_by_role("heading", name="Hello, Aino").is_visible()
    assert figures(page) == ("0", "bronze")
    assert page.get_by_text("Your first points are one purchase away").is_visible()

    page.goto(url + "/card/")
    card_number = "".join(each for each in page.locator(".membercard__number").inner_text() if each.isdigit())
    _key, key = key_for(PartnerFactory(name="Kauppahalli"))

    def buy(number: str, total: str) -> dict[str, Any]:
        facts = {"member": {"card_number": card_number}, "occurred_at": clock.now().isoformat()}
        return post_purchase(url, key, number, total=total, store="Kamppi", **facts)

    answer = buy("r-1", "42.50")
    assert [(each["rule"], each["points"]) for each in answer["reasons"]] == [("base", 42)]
    page.goto(url + "/")
    assert figures(page) == ("42", "bronze")
    page.goto(url + "/activity/")
    entry = page.locator(".entry").first
    assert "Kamppi" in entry.inner_text()
    assert entry.locator(".why").inner_text().split("\n") == ["Base points", "+42"]
    entry.get_by_text("Why these points").click()
    assert entry.locator(".reasons .is-given").inner_text().startswith("Base points")

    buy("r-2", "900.00")
    page.goto(url + "/")
    assert figures(page) == ("942", "bronze")
    assert "58 points to Silver" in page.locator("#goal").inner_text()
    assert buy("r-3", "60.00")["tier"]["code"] == "silver"
    page.reload()
    assert figures(page) == ("1 002", "silver")

    buy("r-4", "100.00")
    page.goto(url + "/activity/")
    said = page.locator(".entry").first.locator(".why").inner_text().split("\n")
    assert said == ["Base points", "+100", "Tier bonus", "+25"]
    page.goto(url + "/tiers/")
    mine = page.locator(".ladder__step[aria-current]")
    assert (mine.get_attribute("data-tier"), mine.locator(".badge").inner_text()) == ("silver", "Your tier")
    assert "Silver was reached" in page.locator(".ladder__history").inner_text()
    places = page.locator("nav a[aria-current=page]")  # the bar below on a phone, the one above on a desktop
    assert {each.strip() for each in places.all_text_contents()} == {"Home"}
    assert places.count() == 2
    looks_right(page, "tiers", portal_faults)
