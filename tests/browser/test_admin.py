"""The admin in a real browser: log-in, finding a member, adjusting points, the dashboard; axe clean, light and dark."""

import datetime as dt
from typing import Any

import pytest

from analytics.models import DailyFigures
from campaigns import ready_made
from members.models import Member
from rewards.grants import adjust
from rewards.models import EarningRule, Transfer
from tests.browser.walking import SCHEMES, admin_faults, log_in_staff
from tests.factories.campaigns import MessageFactory
from tests.factories.members import NOON, member
from tests.factories.staff import staff

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)


@pytest.fixture
def aino() -> Member:
    return member(first_name="Aino", last_name="Virtanen", email="aino@example.com", phone="+358401234567")


@pytest.fixture
def inside(page: Any, live_server: Any) -> Any:
    """The page of a logged-in superuser who speaks English."""
    page.boss = staff(superuser=True)
    return log_in_staff(page, live_server.url, page.boss)


def figures(days: int) -> None:
    """Figures of the last days, so that the dashboard has something to draw."""
    for back in range(days):
        DailyFigures.objects.create(
            date=NOON.date() - dt.timedelta(days=back),
            members=100 - back,
            new_members=1,
            active_members=back % 7,
            purchases=back % 9,
            revenue=10 * back,
            points_issued=10 * back,
            points_redeemed=back,
            points_expired=0,
            points_outstanding=1000 - back,
            computed_at=NOON,
        )


def campaign_pages() -> list[str]:
    """Steps of a draft, a running one, and the pages beside; texts and results are in the campaigner's walk."""
    draft = ready_made.create("win-back-now", staff_id=None, at=NOON)
    running = MessageFactory(status="unknown", reason="lost").campaign
    of = "campaigns/campaign"
    return [
        *(f"{of}/{draft.pk}/{step}/" for step in ("who", "when", "gift", "check")),
        *(f"{of}/{running.pk}/change/", f"{of}/add/", f"{of}/calendar/"),
        "campaigns/sendingpolicy/1/change/",
    ]


def test_support_finds_a_member_and_adjusts_points_by_keyboard(inside: Any, aino: Member) -> None:
    page = inside
    page.fill("#k-find", "040 123 4567")
    page.press("#k-find", "Enter")
    page.get_by_role("link", name="Aino Virtanen").first.click()
    page.get_by_role("link", name="Adjust points").click()
    page.fill("#id_points", "150")
    page.press("#id_points", "Tab")
    page.keyboard.type("Lost receipt")
    page.press("#id_note", "Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector(".k-sum")
    assert page.locator(".k-sum dd").all_inner_texts() == ["0", "+150", "150"]
    assert not Transfer.objects.exists()
    page.get_by_role("button", name="Give the points").click()
    page.wait_for_url("**/overview/")
    assert "Lost receipt" in page.locator(".k-entries").inner_text()
    assert [transfer.staff for transfer in Transfer.objects.all()] == [page.boss]


def test_our_pages_have_no_faults_that_axe_can_see(
    inside: Any, aino: Member, viewport: dict[str, int], live_server: Any
) -> None:
    page = inside
    figures(61)
    adjust(member_id=aino.pk, points=50, staff_id=page.boss.pk, note="Lost receipt", at=NOON)
    page.set_viewport_size(viewport)
    campaigns = campaign_pages()
    found = {}
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        for path in (
            "",
            f"members/member/{aino.pk}/overview/",
            f"members/member/{aino.pk}/consents/",
            f"rewards/transfer/adjust/{aino.pk}/",
            "rewards/tierdraft/add/",
            "rewards/bulkadjustment/add/",
            "rewards/movingin/add/",
            f"rewards/earningrule/{EarningRule.objects.get(code='base').pk}/revise/",
            *campaigns,
        ):
            page.goto(f"{live_server.url}/admin/{path}")
            page.wait_for_timeout(300)
            found[f"{scheme} {path}"] = admin_faults(page, colours_only=scheme == "dark")
    assert {where: what for where, what in found.items() if what} == {}
