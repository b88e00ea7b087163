"""Draws in the portal, the API and the admin: what each shows to whom, and that nobody sees the seed too early."""

import pytest
from django.test import Client
from django.utils import translation

from loyalty import clock
from members.models import Member
from rewards.draws import holding, prizes, sealing
from rewards.models import Draw, DrawWinner
from tests.api.till import Till
from tests.factories.draws import AFTER, DAY, draft, draw, entered, held
from tests.factories.members import NOON, member
from tests.factories.partners import PartnerFactory
from tests.factories.portal import portal_member
from tests.factories.redemptions import reward
from tests.factories.staff import logged_in, staff

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _english_noon(settings: object, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.LANGUAGE_CODE = "en"  # type: ignore[attr-defined]
    translation.activate("en")
    monkeypatch.setattr(clock, "now", lambda: NOON)


@pytest.fixture
def aino() -> Member:
    return portal_member()


def page(of: Draw, client: Client) -> str:
    return str(client.get(f"/draws/{of.public_id}/").content.decode())


class TestPortal:
    def test_a_member_sees_their_odds_and_the_way_in(self, aino: Member) -> None:
        opened = draw()
        way_in = reward(points=50, kind="draw_entry", fulfilment="at_once", draw=opened)
        entered(opened, aino, chances=3)
        entered(opened, member(), chances=1201)
        client = logged_in(aino.user)  # type: ignore[arg-type]
        for shown in (page(opened, client), client.get("/draws/").content.decode()):
            assert "You have <strong>3</strong> of 1\N{NO-BREAK SPACE}204 chances." in shown
        assert f"/rewards/{way_in.public_id}/" in page(opened, client)

    def test_visitors_see_the_promise_and_no_draft(self, client: Client) -> None:
        opened, hidden = draw(), draft()
        assert opened.commitment in page(opened, client)
        assert client.get(f"/draws/{hidden.public_id}/").status_code == 404
        assert client.get("/draws/").status_code == 200

    def test_the_list_and_the_seed_come_in_their_time(self, client: Client) -> None:
        opened = draw(draws_at=AFTER + DAY)
        entered(opened, member())
        seed = sealing.unseal(opened).hex()
        files = [f"/draws/{opened.public_id}/{name}" for name in ("entries.csv", "draw.json", "")]
        assert client.get(files[0]).status_code == 404
        assert all(seed not in client.get(name).content.decode() for name in files[1:])
        holding.close(draw_id=opened.pk, at=AFTER)
        assert client.get(files[0]).content == b"number,holder,chances\n1,1,1\n"
        assert all(seed not in client.get(name).content.decode() for name in files)
        holding.hold(draw_id=opened.pk, at=AFTER + DAY)
        assert all(seed in client.get(name).content.decode() for name in files[1:])

    def test_a_winner_is_told_and_others_see_numbers_only(self, aino: Member, client: Client) -> None:
        opened = draw()
        entered(opened, aino)
        held(opened)
        assert "You won!" in page(opened, logged_in(aino.user))  # type: ignore[arg-type]
        assert "You won!" not in page(opened, client)
        assert "Virtanen" not in page(opened, client)

    def test_the_list_of_draws_costs_the_same_for_one_and_for_many(
        self, aino: Member, django_assert_max_num_queries: object
    ) -> None:
        client = logged_in(aino.user)  # type: ignore[arg-type]
        for _each in range(8):
            one = draw(points=5)
            entered(one, aino)
            held(one)
            entered(draw(), aino)
        with django_assert_max_num_queries(26):  # type: ignore[operator]
            assert client.get("/draws/").status_code == 200


class TestApi:
    @pytest.fixture
    def till(self) -> Till:
        return Till(PartnerFactory())

    def test_open_and_drawn_ones(self, till: Till) -> None:
        opened, drawn, _hidden = draw(), draw(), draft()
        entry = entered(drawn, member(), chances=4)
        held(drawn)
        answer = till.get("draws").json()["results"]
        assert {each["id"] for each in answer} == {str(opened.public_id), str(drawn.public_id)}
        told = till.get(f"draws/{drawn.public_id}").json()
        assert told["winners"] == [{"position": 1, "prize": 1, "number": entry.number}]
        assert (told["state"], told["chances"], len(told["seed"])) == ("drawn", 4, 64)
        assert told["entries_url"].endswith(f"/draws/{drawn.public_id}/entries.csv")

    def test_entries_only_after_closing(self, till: Till) -> None:
        opened = draw()
        entered(opened, member(), chances=2)
        refused = till.get(f"draws/{opened.public_id}/entries")
        assert (refused.status_code, refused.json()["code"]) == (409, "entries-not-published")
        held(opened)
        told = till.get(f"draws/{opened.public_id}/entries").json()
        assert told["results"] == [{"number": 1, "holder": 1, "chances": 2}]

    @pytest.mark.parametrize("path", ["draws/{}", "draws/{}/entries"])
    def test_a_draft_is_unknown(self, till: Till, path: str) -> None:
        answer = till.get(path.format(draft().public_id))
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown-draw")

    def test_it_takes_the_scope(self) -> None:
        till = Till(PartnerFactory(), scopes=("members:read",))
        assert till.get("draws").status_code == 403


class TestAdmin:
    def url(self, of: Draw, act: str = "change") -> str:
        return f"/admin/rewards/draw/{of.pk}/{act}/"

    def test_open_hold_and_hand_over(self, monkeypatch: pytest.MonkeyPatch) -> None:
        made, boss = draft(), logged_in(staff(superuser=True))
        assert boss.get(self.url(made)).status_code == 200
        boss.post(self.url(made, "open"))
        made.refresh_from_db()
        assert made.state == "open"
        entered(made, member())
        boss.post(self.url(made, "hold"))
        made.refresh_from_db()
        assert made.state == "open"
        monkeypatch.setattr(clock, "now", lambda: AFTER)
        boss.post(self.url(made, "hold"))
        made.refresh_from_db()
        assert made.state == "drawn"
        won = DrawWinner.objects.get()
        assert boss.get(f"/admin/rewards/drawwinner/{won.pk}/change/").status_code == 200
        boss.post(f"/admin/rewards/drawwinner/{won.pk}/hand-over/", {"note": "=1+1"})
        won.refresh_from_db()
        assert (won.fulfilled_at, won.note) == (AFTER, "=1+1")
        export = b"".join(boss.get("/admin/rewards/drawwinner/download-csv/")).decode()  # type: ignore[arg-type]
        assert "'=1+1" in export

    def test_marketing_cannot_see_the_seed_anywhere(self) -> None:
        opened = draw()
        seed, sealed = sealing.unseal(opened).hex(), bytes(opened.sealed or b"").hex()
        clerk = logged_in(staff(group="Marketing"))
        for address in (self.url(opened), self.url(opened, "history"), "/admin/rewards/draw/"):
            text = clerk.get(address).content.decode()
            assert "Summer draw" in text
            assert seed not in text
            assert sealed not in text

    def test_dates_stand_from_the_opening_on(self) -> None:
        opened, boss = draw(), logged_in(staff(superuser=True))
        empty = {f"prizes-{name}": "0" for name in ("TOTAL_FORMS", "INITIAL_FORMS")}
        boss.post(
            self.url(opened),
            {"names_0": "x", "names_1": "x", "names_2": "x", "closes_at_0": "2030-01-01", **empty},
        )
        again = Draw.objects.get(pk=opened.pk)
        assert (again.closes_at, again.state, again.commitment) == (
            opened.closes_at,
            "open",
            opened.commitment,
        )

    def test_calling_off_takes_a_reason(self) -> None:
        opened, boss = draw(), logged_in(staff(superuser=True))
        assert boss.post(self.url(opened, "cancel"), {"note": ""}).status_code == 200
        opened.refresh_from_db()
        assert opened.state == "open"
        boss.post(self.url(opened, "cancel"), {"note": "The prize broke"})
        opened.refresh_from_db()
        assert (opened.state, opened.cancel_note) == ("cancelled", "The prize broke")

    @pytest.mark.parametrize("act", ["open", "hold", "cancel"])
    def test_support_may_not_hold_draws(self, act: str) -> None:
        made, clerk = draft(), logged_in(staff(group="Support"))
        assert clerk.post(self.url(made, act), {"note": "x"}).status_code == 403
        made.refresh_from_db()
        assert made.state == "draft"

    def test_finance_may_look_and_not_hand_over(self) -> None:
        opened = draw()
        entered(opened, member())
        held(opened)
        won, clerk = DrawWinner.objects.get(), logged_in(staff(group="Finance"))
        assert clerk.get("/admin/rewards/drawwinner/").status_code == 200
        assert clerk.post(f"/admin/rewards/drawwinner/{won.pk}/hand-over/", {}).status_code == 403
        assert prizes.waiting().count() == 0
        won.refresh_from_db()
        assert won.fulfilled_at is None
