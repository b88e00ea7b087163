"""Redeeming in a real browser: reach a reward, confirm, show the code, and cancel; accessible on a phone and a desk."""

import os
from pathlib import Path
from typing import Any

import pytest

from loyalty import clock
from rewards.models import Redemption
from tests.browser.walking import portal_faults as faults
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
