"""Causes in the portal, the API and the admin: giving, thanks, the year, and money that everybody sees."""

import uuid
from decimal import Decimal

import pytest
from django.test import Client
from django.utils import translation

from loyalty import clock
from members.models import Member
from rewards.causes.giving import give
from rewards.models import Cause, Donation, Payout, Redemption
from rewards.queries import balance_of
from tests.api.till import Till
from tests.factories.causes import cause
from tests.factories.members import NOON, member
from tests.factories.partners import PartnerFactory
from tests.factories.portal import portal_member
from tests.factories.redemptions import points_for
from tests.factories.staff import logged_in, staff

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _english_noon(settings: object, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.LANGUAGE_CODE = "en"  # type: ignore[attr-defined]
    translation.activate("en")
    monkeypatch.setattr(clock, "now", lambda: NOON)


@pytest.fixture
def sea() -> Cause:
    return cause(code="sea", goal=Decimal("10.00"))


@pytest.fixture
def aino() -> Member:
    found = portal_member()
    points_for(found, 1000)
    return found


@pytest.fixture
def browser(aino: Member) -> Client:
    return logged_in(aino.user)  # type: ignore[arg-type]


class TestPortal:
    def test_say_confirm_and_be_thanked(self, sea: Cause, aino: Member, browser: Client) -> None:
        form = {"points": "200", "token": str(uuid.uuid4())}
        asked = browser.post("/causes/sea/", form).content.decode()
        assert "They become <strong>" in asked
        assert not Donation.objects.exists()
        for _twice in range(2):
            done = browser.post("/causes/sea/", form | {"confirm": "1"}, follow=True)
        assert "The sea thanks you." in done.content.decode()
        assert (Donation.objects.count(), balance_of(aino, NOON).available) == (1, 800)

    @pytest.mark.parametrize("points", ["5", "1001", "-3", "", "x"])
    def test_what_cannot_be_given_is_said_at_the_field(
        self, sea: Cause, browser: Client, points: str
    ) -> None:
        form = {"points": points, "token": str(uuid.uuid4()), "confirm": "1"}
        answer = browser.post("/causes/sea/", form)
        assert answer.status_code == 200
        assert answer.context["form"].errors["points"]
        assert not Redemption.objects.exists()

    def test_everybody_sees_what_became_of_the_points(self, sea: Cause, aino: Member, client: Client) -> None:
        give(member_id=aino.pk, cause_id=sea.pk, points=800, via="portal", at=NOON)
        Payout.objects.create(
            cause=sea, amount=3, paid_on=NOON.date(), reference="RF18", staff=staff(), recorded_at=NOON
        )
        shown = client.get("/causes/sea/").content.decode()
        assert all(text in shown for text in ("RF18", "4.00", "3.00", "1.00", "Log in to give points"))
        assert client.get("/causes/").status_code == 200
        assert client.post("/causes/sea/", {"points": "20", "confirm": "1"}).status_code == 200
        assert Donation.objects.count() == 1

    def test_a_closed_cause_that_was_given_nothing_is_nowhere(self, client: Client) -> None:
        cause(code="gone", is_active=False)
        assert client.get("/causes/gone/").status_code == 404

    def test_the_year_to_read_and_to_download(self, sea: Cause, aino: Member, browser: Client) -> None:
        give(member_id=aino.pk, cause_id=sea.pk, points=200, via="portal", at=NOON)
        assert "What I gave in 2026" in browser.get("/donations/").content.decode()
        assert browser.get("/donations/?year=abc").status_code == 200
        Cause.objects.update(recipient="=HYPERLINK(1)")
        lines = b"".join(browser.get("/donations/statement.csv?year=2026")).decode().splitlines()  # type: ignore[arg-type]
        assert lines[1].split(",")[1:] == ["Clean Baltic Sea", "'=HYPERLINK(1)", "200", "1.00", "EUR"]

    def test_another_members_thanks_are_not_shown(self, sea: Cause, browser: Client) -> None:
        other = member()
        points_for(other, 100)
        gift = give(member_id=other.pk, cause_id=sea.pk, points=100, via="portal", at=NOON).donation
        assert browser.get(f"/donations/{gift.redemption.public_id}/").status_code == 404


class TestApi:
    @pytest.fixture
    def shop(self) -> Till:
        return Till(PartnerFactory(slug="shop"))

    @pytest.fixture
    def onni(self, shop: Till) -> Member:
        found = member(partner=shop.partner, external_id="c-9")
        points_for(found, 500)
        return found

    def body(self, **facts: object) -> dict[str, object]:
        return {"member": {"external_id": "c-9"}, "points": 200, "external_id": "g-1"} | facts

    def test_give_once_and_read(self, sea: Cause, shop: Till, onni: Member) -> None:
        first = shop.post(f"causes/{sea.public_id}/donations", self.body())
        again = shop.post(f"causes/{sea.public_id}/donations", self.body())
        assert (first.status_code, again.status_code) == (201, 200)
        assert first.json() == again.json()
        told = first.json()
        assert (told["amount"], told["thanks"], told["balance"]["available"]) == (
            "1.00",
            "The sea thanks you.",
            300,
        )
        totals = shop.get("causes").json()["results"][0]
        assert (totals["given"], totals["due"], totals["givers"], totals["goal"]) == (
            "1.00",
            "1.00",
            1,
            "10.00",
        )
        assert shop.get(f"causes/{sea.public_id}").json()["payouts"] == []
        year = shop.get(f"members/{onni.public_id}/donations", year="2026").json()
        assert (year["points"], year["results"][0]["id"]) == (200, told["id"])

    def test_cancelling_the_redemption_of_the_same_id_takes_it_back(
        self, sea: Cause, shop: Till, onni: Member
    ) -> None:
        told = shop.post(f"causes/{sea.public_id}/donations", self.body()).json()
        assert shop.post(f"redemptions/{told['id']}/cancel", {}).status_code == 200
        assert shop.get("causes").json()["results"][0]["given"] == "0.00"

    @pytest.mark.parametrize(
        ("facts", "status", "code"),
        [
            ({"points": 9}, 409, "too-few-points"),
            ({"points": 501}, 409, "insufficient-points"),
            ({"points": 0}, 422, None),
            ({"points": 10**12}, 422, None),
            ({"member": {"external_id": "nobody"}}, 404, "unknown-member"),
        ],
    )
    def test_each_refusal_has_its_own_type(
        self, sea: Cause, shop: Till, onni: Member, facts: dict[str, object], status: int, code: str | None
    ) -> None:
        answer = shop.post(f"causes/{sea.public_id}/donations", self.body(**facts))
        assert answer.status_code == status
        assert code is None or answer.json()["code"] == code
        assert not Donation.objects.exists()

    def test_other_content_under_a_known_id(self, sea: Cause, shop: Till, onni: Member) -> None:
        shop.post(f"causes/{sea.public_id}/donations", self.body())
        other = cause()
        answer = shop.post(f"causes/{other.public_id}/donations", self.body())
        assert (answer.status_code, answer.json()["code"]) == (409, "redemption-exists")
        assert Donation.objects.count() == 1

    def test_unknown_cause_and_wrong_year(self, shop: Till, onni: Member) -> None:
        assert shop.get(f"causes/{uuid.uuid4()}").json()["code"] == "unknown-cause"
        assert shop.get(f"members/{onni.public_id}/donations", year="20x6").status_code == 422

    def test_it_takes_the_scopes(self, sea: Cause) -> None:
        till = Till(PartnerFactory(), scopes=("rewards:read",))
        assert till.get("causes").status_code == 200
        assert till.post(f"causes/{sea.public_id}/donations", self.body()).status_code == 403
        assert not Donation.objects.exists()


class TestAdmin:
    def test_totals_payment_and_taking_it_back(self, sea: Cause, aino: Member) -> None:
        give(member_id=aino.pk, cause_id=sea.pk, points=800, via="portal", at=NOON)
        clerk = logged_in(staff(group="Finance"))
        assert "4.00 EUR" in clerk.get("/admin/rewards/cause/").content.decode()
        assert clerk.get(f"/admin/rewards/cause/{sea.pk}/change/").status_code == 200
        form = {"amount": "3.00", "paid_on": "2026-06-15", "reference": "=cmd", "token": str(uuid.uuid4())}
        for _twice in range(2):
            clerk.post(f"/admin/rewards/cause/{sea.pk}/pay/", form)
        row = Payout.objects.get()
        assert (row.amount, row.reference) == (Decimal("3.00"), "=cmd")
        assert "'=cmd" in b"".join(clerk.get("/admin/rewards/payout/download-csv/")).decode()  # type: ignore[arg-type]
        assert clerk.get(f"/admin/rewards/payout/{row.pk}/change/").status_code == 200
        clerk.post(f"/admin/rewards/payout/{row.pk}/withdraw/", {"note": "Typed wrongly"})
        row.refresh_from_db()
        assert (row.withdrawn_at, row.withdrawn_note) == (NOON, "Typed wrongly")

    def test_more_than_is_due_is_asked_about(self, sea: Cause) -> None:
        clerk = logged_in(staff(group="Finance"))
        form = {"amount": "3.00", "paid_on": "2026-06-15", "token": str(uuid.uuid4())}
        answer = clerk.post(f"/admin/rewards/cause/{sea.pk}/pay/", form)
        assert answer.context["form"].errors["amount"]
        assert not Payout.objects.exists()

    def test_support_may_not_write_payments_down(self, sea: Cause) -> None:
        clerk = logged_in(staff(group="Support"))
        assert clerk.get("/admin/rewards/cause/").status_code == 200
        form = {"amount": "3.00", "paid_on": "2026-06-15", "token": str(uuid.uuid4()), "beyond": "on"}
        assert clerk.post(f"/admin/rewards/cause/{sea.pk}/pay/", form).status_code == 403
        assert not Payout.objects.exists()

    def test_the_list_of_causes_costs_the_same_for_one_and_for_many(
        self, sea: Cause, django_assert_max_num_queries: object
    ) -> None:
        boss = logged_in(staff(superuser=True))
        for _each in range(8):
            cause()
        with django_assert_max_num_queries(20):  # type: ignore[operator]
            assert boss.get("/admin/rewards/cause/").status_code == 200

    def test_gifts_are_listed_and_exported(self, sea: Cause, aino: Member) -> None:
        give(member_id=aino.pk, cause_id=sea.pk, points=800, via="portal", at=NOON)
        boss = logged_in(staff(superuser=True))
        assert boss.get("/admin/rewards/donation/").status_code == 200
        assert "sea" in b"".join(boss.get("/admin/rewards/donation/download-csv/")).decode()  # type: ignore[arg-type]
