"""Redeeming in a real browser: reach a reward, confirm, show the code, use it at a till over HTTP; or cancel."""

import itertools
import os
import urllib.parse
from pathlib import Path
from typing import Any

import pytest

from loyalty import clock
from rewards.models import Redemption
from tests.browser.walking import portal_faults as faults
from tests.browser.walking import post
from tests.factories.partners import PartnerFactory, key_for
from tests.factories.portal import DAY, PASSWORD, portal_member
from tests.factories.redemptions import points_for, redeemed, reward, voucher_reward

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)
PICTURES = os.environ.get("KANTIS_PICTURES", "")


@pytest.fixture(autouse=True)
def _quick_passwords(settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def test_a_member_redeems_shows_the_code_and_cancels(page: Any, live_server: Any, viewport: Any) -> None:
    aino = portal_member(language="fi")
    now = clock.now()
    points_for(aino, 900, at=now - DAY)
    mug = reward(
        points=250, money="2.50", descriptions={"fi": "Iso muki"}, instructions={"fi": "Kysy tiskiltä."}
    )
    redeemed(aino, voucher_reward(points=100, names={"fi": "Viisi euroa"}), at=now - DAY)
    lunch = voucher_reward(points=120, names={"fi": "Lounasetu"})
    page.set_viewport_size(viewport)

    def seen(name: str) -> None:
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth + 1"), name
        assert faults(page) == [], name
        if PICTURES:
            page.screenshot(path=str(Path(PICTURES) / f"{name}-{viewport['width']}.png"), full_page=True)

    page.goto(f"{live_server.url}/account/login/")
    page.fill("input[name=login]", "aino@example.com")
    page.fill("input[name=password]", PASSWORD)
    page.click("main button[type=submit], main form button.button")
    page.goto(f"{live_server.url}/rewards/")
    page.locator(f"main a[href='/rewards/{lunch.public_id}/']").first.click()
    page.wait_for_url(f"**/rewards/{lunch.public_id}/")
    seen("reward")
    page.click(f"a[href='/rewards/{lunch.public_id}/redeem/']")
    page.click("main form button.button")
    page.wait_for_url("**/rewards/mine/**")
    seen("voucher")
    assert page.locator(".membercard__code svg").count() == 1
    at_the_till(live_server.url, page.inner_text(".membercard__number").split()[-1])
    page.goto(f"{live_server.url}/rewards/{mug.public_id}/redeem/")
    seen("confirm")
    page.click("main form button.button")
    page.wait_for_url("**/rewards/mine/**")
    seen("code")
    row = Redemption.objects.get(reward=mug)
    assert row.code is not None
    assert f"R-{row.code[1:5]}" in page.inner_text("main")
    page.goto(f"{live_server.url}/rewards/mine/")
    seen("mine")
    page.goto(f"{live_server.url}/rewards/mine/{row.public_id}/cancel/")
    seen("cancel")
    page.click("main form button.button")
    page.wait_for_url(f"**/rewards/mine/{row.public_id}/")
    assert Redemption.objects.get(pk=row.pk).state == "cancelled"
    seen("cancelled")


def at_the_till(url: str, code: str) -> None:
    """The code as the page shows it, at a till that speaks HTTP: asked about, kept, used once, given back."""
    _row, key = key_for(PartnerFactory())
    number = itertools.count(1)

    def call(what: str, **body: Any) -> dict[str, Any]:
        path = f"vouchers/{urllib.parse.quote(code.strip().lower())}/{what}"
        return post(url, key, path, body, once=f"{code}-{next(number)}")

    answer = call("validate", total="7.40")
    assert (answer["valid"], answer["amount"], answer["problems"]) == (True, "5.00", [])
    assert call("lock", checkout="receipt-1", total="7.40")["state"] == "locked"
    [locked] = call("validate", total="7.40")["problems"]
    assert locked["code"] == "voucher-locked"
    assert call("redeem", checkout="receipt-1")["amount"] == "5.00"
    [used] = call("validate", total="7.40")["problems"]
    assert used["code"] == "voucher-used"
    assert call("rollback", checkout="receipt-1")["state"] == "rolled_back"
    assert call("validate", total="7.40")["valid"]
