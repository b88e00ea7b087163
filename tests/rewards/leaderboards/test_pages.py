"""What members, partners and staff see of leaderboards, and who is never on them."""

import datetime as dt
import uuid
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import translation

from loyalty import clock
from members.models import Member
from rewards.leaderboards import membership, upkeep
from rewards.models import ForbiddenWord, Leaderboard, LeaderboardProfile, LeaderboardTable
from tests.api.till import Till
from tests.factories.challenges import challenge
from tests.factories.leaderboards import heard, leaderboard, seen, table
from tests.factories.members import NOON, member
from tests.factories.partners import PartnerFactory
from tests.factories.portal import login_for
from tests.factories.rewards import purchase
from tests.factories.staff import logged_in, staff

pytestmark = pytest.mark.django_db

DAY = dt.timedelta(days=1)


@pytest.fixture(autouse=True)
def _in_english(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    settings.LANGUAGE_CODE = "en"
    monkeypatch.setattr(clock, "now", lambda: NOON)
    with translation.override("en"):
        yield


@pytest.fixture
def till(db: None) -> Till:
    return Till(PartnerFactory(slug="shop"))


@pytest.fixture
def aino(till: Till) -> Member:
    return member(partner=till.partner, external_id="c-1", email="aino@example.com", language="en")


@pytest.fixture
def client(aino: Member) -> Client:
    user = login_for("browser@example.com")
    Member.objects.filter(user=user).update(user=None)
    Member.objects.filter(pk=aino.pk).update(user=user)
    browser = Client(headers={"accept-language": "en"})
    browser.force_login(user)
    return browser


@pytest.fixture
def board() -> Leaderboard:
    """The month's, with fourteen members on it and two who do not want to be."""
    made = leaderboard(names={"en": "The month's best"})
    for number in range(14):
        purchase(seen(f"Other {number}"), total=100 - number)
    purchase(member(first_name="Secret", last_name="Shopper"), total=1_000)
    heard()
    return made


def page(client: Client, **query: str) -> str:
    answer = client.get(reverse("leaderboards"), query)
    assert answer.status_code == 200
    return answer.content.decode()


# --- Members ------------------------------------------------------------------------------------------------------


def test_an_empty_page_teaches(client: Client) -> None:
    text = page(client)
    assert "No leaderboards just now" in text
    leaderboard()
    assert "Nobody has a place here yet" not in text


def test_who_has_no_nickname_sees_others_and_not_themselves(
    client: Client, aino: Member, board: Leaderboard
) -> None:
    purchase(aino, total=500)
    heard()
    text = page(client)
    assert text.index("Other 0") < text.index("Other 1")
    assert "14 members" in text
    assert "is-mine" not in text
    assert "Do you want to be on them?" in text
    for hidden in ("Aino", "Virtanen", "Secret", "Shopper", "500 points", "1,000 points"):
        assert hidden not in text.split("<main")[1]


def test_joining_in_shows_ones_own_place_with_neighbours(
    client: Client, aino: Member, board: Leaderboard
) -> None:
    purchase(aino, total=88)  # the same as Other 12
    heard()
    answer = client.post(reverse("leaderboard-nickname"), {"nickname": "Kahvikuppi"}, follow=True)
    text = answer.content.decode()
    assert "You are on the leaderboards as Kahvikuppi." in text
    assert "15 members" in text
    own = text.split('class="is-mine" aria-current="true"')
    assert len(own) == 2
    assert "Kahvikuppi" in own[1].split("</tr>")[0]
    assert '<td class="num standings__rank">13</td>' in own[1]  # tied with the one before
    shown_near = text.split("standings__near")[1]
    assert "Other 11" in shown_near
    assert "Other 13" in shown_near
    assert "standings__gap" in shown_near


def test_one_among_the_first_is_marked_there(client: Client, aino: Member, board: Leaderboard) -> None:
    purchase(aino, total=99)
    heard()
    membership.take_nickname(member_id=aino.pk, nickname="Kahvikuppi", at=NOON)
    text = page(client)
    assert text.count("is-mine") == 1
    assert "standings__near" not in text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ab", "at least 3"),
        ("Ai\u200bno", "Letters, figures and"),
        ("Ylläpito", "not allowed"),
        ("OTHER 3", "Somebody has this nickname already"),
        ("", "This field is required"),
    ],
)
def test_a_nickname_that_cannot_be_had_says_why(
    client: Client, aino: Member, board: Leaderboard, text: str, said: str
) -> None:
    answer = client.post(reverse("leaderboard-nickname"), {"nickname": text})
    assert said in answer.content.decode()
    assert not LeaderboardProfile.objects.filter(member=aino).exists()


def test_leaving_takes_one_off_at_once(client: Client, aino: Member, board: Leaderboard) -> None:
    purchase(aino, total=500)
    membership.take_nickname(member_id=aino.pk, nickname="Kahvikuppi", at=NOON)
    assert "Kahvikuppi" in page(client)
    text = client.post(reverse("leave-leaderboards"), follow=True).content.decode()
    assert "You are not on any leaderboard any more." in text
    assert "Kahvikuppi" not in text
    assert "14 members" in text


def test_one_can_look_back_at_final_tables(client: Client, board: Leaderboard) -> None:
    upkeep.close(table(board), at=NOON)
    LeaderboardTable.objects.create(
        leaderboard=board, starts_on=dt.date(2026, 7, 1), ends_on=dt.date(2026, 8, 1)
    )
    assert "Nobody has a place here yet" in page(client)
    text = page(client, **{"from": "2026-06-01"})
    assert "Other 0" in text
    assert "Final" in text
    assert "June 2026" in text


@pytest.mark.parametrize(
    "query", [{"board": "x\x00"}, {"from": "never"}, {"from": "9999-99-99"}, {"board": "no"}]
)
def test_what_is_unknown_in_the_address_counts_as_not_chosen(
    client: Client, board: Leaderboard, query: dict[str, str]
) -> None:
    assert "Other 0" in page(client, **query)


def test_boards_of_drafts_and_hidden_ones_are_not_shown(client: Client) -> None:
    leaderboard(names={"en": "Hidden"}, is_active=False)
    leaderboard(names={"en": "Draft"}, challenge=challenge(is_open=False))
    text = page(client)
    assert "Hidden" not in text
    assert "Draft" not in text


def test_progress_is_shown_in_the_challenges_measure(client: Client) -> None:
    leaderboard(challenge=challenge(names={"en": "Often"}, steps=[5]), period="ever")
    purchase(seen("Anna"))
    heard()
    text = page(client)
    assert "Progress in the challenge “Often”" in text
    assert "1 time" in text


def test_it_costs_the_same_for_few_and_many(client: Client, aino: Member) -> None:
    leaderboard()
    membership.take_nickname(member_id=aino.pk, nickname="Kahvikuppi", at=NOON)
    purchase(aino)
    heard()

    def statements() -> int:
        with CaptureQueriesContext(connection) as made:
            page(client)
        return len(made)

    statements()
    few = statements()
    for number in range(9):
        purchase(seen(f"Other {number}"))
    heard()
    assert statements() == few


# --- Partners -----------------------------------------------------------------------------------------------------


def test_partners_read_nicknames_only(till: Till, aino: Member, board: Leaderboard) -> None:
    (listed,) = till.get("leaderboards").json()["results"]
    assert listed["name"] == "The month's best"
    body = till.get(f"leaderboards/{board.public_id}", top="2").json()
    assert body["members"] == 14
    assert body["top"] == [
        {"rank": 1, "nickname": "Other 0", "score": "100.00", "text": "100 points"},
        {"rank": 2, "nickname": "Other 1", "score": "99.00", "text": "99 points"},
    ]
    assert body["table"] == {"starts_on": "2026-06-01", "ends_on": "2026-06-30", "is_final": False}
    assert (body["mine"], body["around"]) == (None, [])


def test_a_member_without_a_nickname_is_not_told_of(till: Till, aino: Member, board: Leaderboard) -> None:
    purchase(aino, total=500)
    heard()
    body = till.get(f"leaderboards/{board.public_id}", member=str(aino.public_id)).json()
    assert (body["mine"], body["around"], body["members"]) == (None, [], 14)
    assert body["top"][0]["nickname"] == "Other 0"


def test_a_nickname_is_taken_changed_and_given_up(till: Till, aino: Member, board: Leaderboard) -> None:
    address = f"/api/v1/members/{aino.public_id}/leaderboard-profile"
    purchase(aino, total=500)
    heard()
    assert till.client.get(address).json() == {"nickname": None, "joined_at": None}
    first = till.client.put(address, {"nickname": "Kahvi"}, format="json")
    assert (first.status_code, first.json()["nickname"]) == (200, "Kahvi")
    again = till.client.put(address, {"nickname": "Kahvi"}, format="json")
    assert again.json() == first.json()
    body = till.get(f"leaderboards/{board.public_id}", member=str(aino.public_id)).json()
    assert body["mine"] == {"rank": 1, "nickname": "Kahvi", "score": "500.00", "text": "500 points"}
    assert [line["nickname"] for line in body["around"]] == ["Kahvi", "Other 0", "Other 1"]
    till.client.put(address, {"nickname": "Tee"}, format="json")
    assert till.client.get(address).json()["nickname"] == "Tee"
    for _again in range(2):
        gone = till.client.delete(address)
        assert (gone.status_code, gone.json()) == (200, {"nickname": None, "joined_at": None})
    assert till.get(f"leaderboards/{board.public_id}").json()["members"] == 14


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"nickname": "Ylläpito"}, 422, "nickname-refused"),
        ({"nickname": "Other 3"}, 422, "nickname-refused"),
        ({"nickname": "A\u202eino"}, 422, "nickname-refused"),
        ({"nickname": "x" * 101}, 422, "invalid"),
        ({"nickname": None}, 422, "invalid"),
        ({}, 422, "invalid"),
        ({"nickname": "Kahvi", "member": "x"}, 400, "unknown-field"),
        ({"nickname": "Kah\x00vi"}, 400, "malformed"),
    ],
)
def test_bad_nicknames_are_problems(
    till: Till, aino: Member, board: Leaderboard, body: dict[str, Any], status: int, code: str
) -> None:
    answer = till.client.put(f"/api/v1/members/{aino.public_id}/leaderboard-profile", body, format="json")
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert not LeaderboardProfile.objects.filter(member=aino).exists()


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"top": "0"}, 422),
        ({"top": "101"}, 422),
        ({"top": "x"}, 422),
        ({"starts_on": "June"}, 422),
        ({"starts_on": "2020-01-01"}, 404),
        ({"member": "x"}, 422),
        ({"member": str(uuid.uuid4())}, 404),
    ],
)
def test_bad_questions_are_problems(
    till: Till, board: Leaderboard, query: dict[str, str], status: int
) -> None:
    assert till.get(f"leaderboards/{board.public_id}", **query).status_code == status


def test_a_partner_who_may_not_see_the_member_learns_and_changes_nothing(
    aino: Member, board: Leaderboard
) -> None:
    membership.take_nickname(member_id=aino.pk, nickname="Kahvi", at=NOON)
    other = Till(PartnerFactory(slug="other"))
    address = f"/api/v1/members/{aino.public_id}/leaderboard-profile"
    assert other.client.get(address).status_code == 404
    assert other.client.put(address, {"nickname": "Tee"}, format="json").status_code == 404
    assert other.client.delete(address).status_code == 404
    assert other.get(f"leaderboards/{board.public_id}", member=str(aino.public_id)).status_code == 404
    assert LeaderboardProfile.objects.get(member=aino).nickname == "Kahvi"


def test_each_scope_is_needed(aino: Member, till: Till, board: Leaderboard) -> None:
    narrow = Till(till.partner, scopes=("members:read", "rewards:read"))
    address = f"/api/v1/members/{aino.public_id}/leaderboard-profile"
    assert narrow.get("leaderboards").status_code == 200
    assert narrow.client.put(address, {"nickname": "Tee"}, format="json").status_code == 403
    assert narrow.client.delete(address).status_code == 403
    none = Till(till.partner, scopes=("members:read",))
    for path in ("leaderboards", f"leaderboards/{board.public_id}"):
        assert none.get(path).status_code == 403
    assert not LeaderboardProfile.objects.filter(member=aino).exists()


# --- Staff --------------------------------------------------------------------------------------------------------


def test_marketers_make_leaderboards_and_see_how_they_stand(board: Leaderboard) -> None:
    browser = logged_in(staff(group="Marketing"))
    made = {
        "code": "week",
        "names_fi": "Viikko",
        "names_sv": "Veckan",
        "names_en": "The week",
        "basis": "earned",
        "period": "week",
        "settling_days": "3",
        "position": "0",
        "is_active": "on",
    }
    answer = browser.post(reverse("admin:rewards_leaderboard_add"), made)
    assert answer.status_code == 302, answer.content.decode()[-3000:]
    assert Leaderboard.objects.get(code="week").name == "The week"
    refused = browser.post(
        reverse("admin:rewards_leaderboard_add"), made | {"code": "x", "basis": "challenge"}
    )
    assert "Say which challenge" in refused.content.decode()
    text = browser.get(reverse("admin:rewards_leaderboard_change", args=[board.pk])).content.decode()
    assert "Other 0" in text
    assert "June 2026" in text


def test_support_renames_and_removes_nicknames(board: Leaderboard, client: Client, aino: Member) -> None:
    membership.take_nickname(member_id=aino.pk, nickname="Naapuri", at=NOON)
    browser = logged_in(staff(group="Support"))
    rename = reverse("admin:rewards_leaderboardprofile_rename", args=[aino.pk])
    taken = browser.post(rename, {"nickname": "Other 3"}).content.decode()
    assert "Somebody has this nickname already" in taken
    assert browser.post(rename, {"nickname": "Kahvi 7"}).status_code == 302
    assert LeaderboardProfile.objects.get(member=aino).nickname == "Kahvi 7"
    assert "Our staff gave you another nickname" in page(client)
    client.post(reverse("leaderboard-nickname"), {"nickname": "Kahvi 8"})
    assert "Our staff gave you another nickname" not in page(client)
    delete = reverse("admin:rewards_leaderboardprofile_delete", args=[aino.pk])
    assert browser.get(delete).status_code == 200
    assert browser.post(delete, {"post": "yes"}).status_code == 302
    assert not LeaderboardProfile.objects.filter(member=aino).exists()
    assert Member.objects.filter(pk=aino.pk).exists()


def test_staff_keep_the_forbidden_words(aino: Member) -> None:
    browser = logged_in(staff(group="Marketing"))
    browser.post(reverse("admin:rewards_forbiddenword_add"), {"word": "kilpailija", "anywhere": "on"})
    assert ForbiddenWord.objects.filter(word="kilpailija", anywhere=True).exists()
    with pytest.raises(ValueError, match="not allowed"):
        membership.take_nickname(member_id=aino.pk, nickname="KilpailijaOy", at=NOON)


def test_finance_only_looks(board: Leaderboard) -> None:
    browser = logged_in(staff(group="Finance"))
    someone = LeaderboardProfile.objects.earliest("pk")
    assert browser.get(reverse("admin:rewards_leaderboardprofile_changelist")).status_code == 200
    rename = reverse("admin:rewards_leaderboardprofile_rename", args=[someone.pk])
    assert browser.post(rename, {"nickname": "Changed"}).status_code in (302, 403)
    delete = reverse("admin:rewards_leaderboardprofile_delete", args=[someone.pk])
    assert browser.post(delete, {"post": "yes"}).status_code == 403
    assert LeaderboardProfile.objects.get(pk=someone.pk).nickname == someone.nickname
