"""Redeeming in the portal and in the admin."""

import datetime as dt

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import translation

from loyalty import clock
from members.models import Member
from rewards.models import Redemption, RedemptionTerms, Transfer, Voucher
from rewards.verification import verify
from tests.factories.members import member as someone
from tests.factories.portal import NOW, portal_member
from tests.factories.redemptions import points_for, redeemed, reward, voucher_reward
from tests.factories.staff import logged_in, staff

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)


@pytest.fixture(autouse=True)
def _english_now(monkeypatch: pytest.MonkeyPatch, settings: object) -> None:
    settings.LANGUAGE_CODE = "en"  # type: ignore[attr-defined]
    translation.activate("en")
    monkeypatch.setattr(clock, "now", lambda: NOW)


@pytest.fixture
def aino() -> Member:
    found = portal_member()
    points_for(found, 250, at=NOW - DAY)
    return found


@pytest.fixture
def portal(aino: Member) -> Client:
    client = Client(headers={"accept-language": "en"})
    client.force_login(aino.user)  # type: ignore[arg-type]
    return client


class TestPortal:
    def form(self, portal: Client, url: str) -> dict[str, str]:
        page = portal.get(url)
        assert page.status_code == 200
        return {name: str(page.context["form"].initial[name]) for name in ("token", "points")}

    def test_points_go_only_when_it_is_confirmed_and_only_once(self, portal: Client, aino: Member) -> None:
        url = reverse("redeem-reward", args=[reward(points=100).public_id])
        sent = self.form(portal, url)
        assert not Redemption.objects.exists()

        first = portal.post(url, sent)
        again = portal.post(url, sent)

        row = Redemption.objects.get()
        assert first.url == again.url == reverse("redemption", args=[row.public_id])  # type: ignore[attr-defined]
        page = portal.get(first.url).content.decode()  # type: ignore[attr-defined]
        code = row.code or ""
        assert f"R-{code[1:5]}-{code[5:9]}-{code[9:]}" in page
        assert "<svg" in page
        assert verify(at=NOW) == []

    def test_a_voucher_shows_its_own_code(self, portal: Client, aino: Member) -> None:
        url = reverse("redeem-reward", args=[voucher_reward().public_id])
        page = portal.post(url, self.form(portal, url), follow=True).content.decode()
        code = Voucher.objects.get().code
        assert f"{code[:4]}-{code[4:8]}-{code[8:]}" in page

    def test_a_new_price_is_shown_before_it_is_paid(self, portal: Client, aino: Member) -> None:
        what = reward(points=100)
        url = reverse("redeem-reward", args=[what.public_id])
        sent = self.form(portal, url)
        type(what).objects.update(points=120)
        page = portal.post(url, sent)
        assert page.status_code == 409
        assert "The price has changed" in page.content.decode()
        assert not Redemption.objects.exists()
        assert portal.post(url, self.form(portal, url)).status_code == 302

    def test_what_cannot_be_had_says_why(self, portal: Client, aino: Member) -> None:
        url = reverse("redeem-reward", args=[reward(points=1000).public_id])
        page = portal.get(url).content.decode()
        assert "750 points missing." in page
        assert "Use 1" not in page

    def test_my_rewards_stand_by_what_can_be_done_with_them(self, portal: Client, aino: Member) -> None:
        active = redeemed(aino, reward(points=10, names={"en": "Active mug"}), at=NOW - DAY)
        redeemed(aino, reward(points=10, names={"en": "Old mug"}, collect_days=1), at=NOW - 3 * DAY)
        page = portal.get(reverse("my-rewards"))
        assert [
            (str(standing), [each.name for each in found]) for standing, _n, found in page.context["groups"]
        ] == [
            ("active", ["Active mug"]),
            ("ended", ["Old mug"]),
        ]
        assert active.redemption.code is not None

    def test_as_many_statements_for_many_as_for_one(
        self, portal: Client, aino: Member, django_assert_max_num_queries: object
    ) -> None:
        for _number in range(12):
            redeemed(aino, reward(points=1), at=NOW - DAY)
            redeemed(aino, voucher_reward(points=1), at=NOW - DAY)
        with django_assert_max_num_queries(12):  # type: ignore[operator]
            portal.get(reverse("my-rewards"))

    def test_cancelling_asks_first_and_gives_the_points_back(self, portal: Client, aino: Member) -> None:
        row = redeemed(aino, reward(), at=NOW - DAY).redemption
        url = reverse("cancel-redemption", args=[row.public_id])
        assert "100 points" in portal.get(url).content.decode()
        assert Redemption.objects.get().state == "reserved"
        portal.post(url)
        assert Redemption.objects.get().state == "cancelled"
        assert portal.get(url).status_code == 302
        statement = portal.get(reverse("statement")).content.decode()
        assert "Coffee mug" in statement
        assert "Given back: Coffee mug" in statement
        assert verify(at=NOW) == []

    def test_nobody_sees_or_cancels_anothers(self, portal: Client) -> None:
        other = someone()
        points_for(other, 100, at=NOW - DAY)
        row = redeemed(other, reward(), at=NOW - DAY).redemption
        for name in ("redemption", "cancel-redemption"):
            assert portal.get(reverse(name, args=[row.public_id])).status_code == 404
        assert portal.post(reverse("cancel-redemption", args=[row.public_id])).status_code == 404
        assert Redemption.objects.get().state == "reserved"


class TestAdmin:
    def test_support_finds_it_by_code_and_hands_it_over(self, aino: Member) -> None:
        row = redeemed(aino, reward(), at=NOW - DAY).redemption
        desk = logged_in(staff(group="Support"))
        listed = desk.get(reverse("admin:rewards_redemption_changelist"), {"q": (row.code or "").lower()})
        assert "Coffee mug" in listed.content.decode()
        url = reverse("admin:rewards_redemption_change", args=[row.pk])
        assert "Hand over" in desk.get(url).content.decode()
        desk.post(reverse("admin:rewards_redemption_fulfil", args=[row.pk]))
        assert Redemption.objects.get().state == "fulfilled"

    def test_cancelling_needs_a_reason_and_the_right(self, aino: Member) -> None:
        row = redeemed(aino, reward(), at=NOW - DAY).redemption
        url = reverse("admin:rewards_redemption_cancel", args=[row.pk])
        assert logged_in(staff("rewards.view_redemption")).post(url, {"note": "x"}).status_code == 403
        desk = logged_in(staff(group="Support"))
        assert desk.post(url, {"note": ""}).status_code == 200
        assert Redemption.objects.get().state == "reserved"
        desk.post(url, {"note": "The mug was broken"})
        step = row.steps.last()
        assert step is not None
        assert (step.to_state, step.note, step.staff_id is not None) == (
            "cancelled",
            "The mug was broken",
            True,
        )
        assert verify(at=NOW) == []

    def test_staff_redeem_for_a_member_once_per_form(self, aino: Member) -> None:
        what = reward(points=100)
        desk = logged_in(staff(group="Support"))
        url = reverse("admin:rewards_redemption_for_member")
        token = str(desk.get(url).context["form"].initial["token"])
        sent = {"member": aino.card_number, "reward": what.pk, "token": token}
        for _time in range(2):
            assert desk.post(url, sent).status_code == 302
        row = Redemption.objects.get()
        assert (row.via, row.steps.get().staff_id is not None) == ("staff", True)

        short = desk.post(url, sent | {"reward": reward(points=9999).pk, "token": str(row.public_id)})
        assert "points missing" in short.content.decode()
        assert Transfer.objects.filter(kind="redeem").count() == 1

    def test_terms_are_revised_by_date(self) -> None:
        desk = logged_in(staff(group="Marketing"))
        desk.post(
            reverse("admin:rewards_redemptionterms_add"),
            {"grace_days": 3, "cancel_days": 7, "point_value": "0.01", "least_points": 100, "point_step": 50},
        )
        made = RedemptionTerms.objects.first()
        assert made is not None
        assert (made.valid_from, made.grace_days, made.point_step) == (NOW, 3, 50)
