"""The portal's catalogue: what a member sees, marks, filters and never wants."""

import datetime as dt
import re
from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from members.models import Member, Tier
from rewards.catalogue.favourites import mark
from rewards.catalogue.pictures import take_in
from rewards.catalogue.preferences import say
from rewards.models import Aversion, AversionKind, Favourite, MemberAversion, Reward, RewardCategory
from tests.factories.catalogue import points, reward
from tests.factories.members import NOON, UserFactory, member
from tests.rewards.catalogue.test_pictures import picture

pytestmark = pytest.mark.django_db

DAY = dt.timedelta(days=1)
Page = Callable[..., str]


@pytest.fixture
def aino() -> Member:
    who = member(user=UserFactory(), first_name="Aino")
    points(who, 500)
    return who


@pytest.fixture
def portal(client: Client, aino: Member) -> Client:
    assert aino.user is not None
    client.force_login(aino.user, backend="django.contrib.auth.backends.ModelBackend")
    client.cookies["django_language"] = "en"
    return client


def text_of(content: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", content).split())


@pytest.fixture
def page(portal: Client) -> Page:
    """The words of a page."""

    def fetch(address: str, **headers: str) -> str:
        answer = portal.get(address, headers=headers)
        assert answer.status_code == 200
        return text_of(answer.content.decode())

    return fetch


def names(content: str) -> list[str]:
    return re.findall(r'class="reward__name"><a [^>]*>([^<]*)</a>', content)


def test_affordable_first_and_locked_ones_say_what_is_missing(portal: Client, page: Page) -> None:
    reward("Coffee", names={"en": "Coffee"}, points=120)
    reward("Flask", names={"en": "Flask"}, points=1_800)
    reward("Lunch", names={"en": "Lunch"}, points=300, minimum_tier=Tier.objects.get(code="gold"))
    said = page("/rewards/?sort=affordable&available=")
    assert "You have 500 points to use." in said
    assert re.search(r"Coffee 120 points Yours to take", said)
    assert re.search(r"Flask 1.800 points 1.300 points missing", said)
    assert re.search(r"Lunch 300 points From tier Gold on.", said)
    assert names(portal.get("/rewards/?category=").content.decode())[-3:] == ["Coffee", "Flask", "Lunch"]


def test_htmx_gets_the_filtered_list_alone(portal: Client) -> None:
    shelf = RewardCategory.objects.create(code="cafe", names={"en": "Café"})
    reward("Coffee", names={"en": "Coffee"}, category=shelf)
    reward("Bag", names={"en": "Bag"})
    answer = portal.get("/rewards/?category=cafe", headers={"hx-request": "true"})
    content = answer.content.decode()
    assert content.lstrip().startswith('<section id="rewards"')
    assert names(content) == ["Coffee"]
    assert 'data-announce="1 reward"' in content
    assert "HX-Request" in answer["Vary"]


def test_unknown_filters_and_pages_do_no_harm(page: Page) -> None:
    reward("Coffee", names={"en": "Coffee"})
    assert "Coffee" in page("/rewards/?sort=%00&page=zebra&favourites=2")
    assert "Nothing fits this filter" in page("/rewards/?category=%00nowhere")
    assert "No favourites here yet" in page("/rewards/?favourites=1")


def test_an_empty_catalogue_says_so(page: Page) -> None:
    assert "New rewards appear here" in page("/rewards/")


def test_the_reward_page_leads_to_redeeming_when_nothing_is_missing(page: Page, portal: Client) -> None:
    given = reward(
        points=120,
        money="5.00",
        descriptions={"en": "Hot and black."},
        instructions={"en": "Show the code."},
        picture=take_in(picture(), at=NOON),
        picture_texts={"en": "A cup"},
        limit_per_member=2,
        tags=["hot"],
    )
    said = page(f"/rewards/{given.public_id}/")
    assert "380 points are left to you after it." in said
    assert "Hot and black." in said
    assert "Show the code." in said
    assert "+ 5.00 €" in said
    content = portal.get(f"/rewards/{given.public_id}/").content.decode()
    assert f'src="/pictures/{given.picture.digest}.webp"' in content  # type: ignore[union-attr]
    assert 'alt="A cup"' in content


def test_a_locked_reward_offers_no_redeeming(page: Page) -> None:
    said = page(f"/rewards/{reward(points=820).public_id}/")
    assert "320 points missing" in said
    assert "we tell you when you can get it" in said
    assert "Redeem" not in said


HIDDEN: list[dict[str, object]] = [
    {"is_active": False},
    {"opens_at": NOON + 60 * DAY},
    {"conditions": {"field": "language", "op": "eq", "value": "sv"}},
]


@pytest.mark.parametrize("facts", HIDDEN)
def test_what_is_hidden_has_no_page_and_cannot_be_marked(portal: Client, facts: dict[str, object]) -> None:
    given = reward(**facts)
    assert portal.get(f"/rewards/{given.public_id}/").status_code == 404
    assert portal.post(f"/rewards/{given.public_id}/favourite/", {"on": "1"}).status_code == 404
    assert not Favourite.objects.exists()


def test_what_has_ended_still_says_so(page: Page) -> None:
    assert "This reward has ended." in page(f"/rewards/{reward(closes_at=NOON).public_id}/")


def test_the_heart_marks_and_unmarks_and_goes_back(portal: Client, aino: Member) -> None:
    given = reward()
    address = f"/rewards/{given.public_id}/favourite/"
    answer = portal.post(address, {"on": "1", "next": "/rewards/?page=2"})
    assert (answer.status_code, answer["Location"]) == (302, "/rewards/?page=2")
    assert Favourite.objects.get().member == aino
    portal.post(address, {"on": "1"})
    assert Favourite.objects.count() == 1
    away = portal.post(address, {"on": "0", "next": "https://evil.example/"})
    assert away["Location"] == f"/rewards/{given.public_id}/"
    assert (
        portal.post(address, {"on": "0", "next": "//evil.example/"})["Location"]
        == f"/rewards/{given.public_id}/"
    )
    assert not Favourite.objects.exists()
    assert portal.get(address).status_code == 405


def test_htmx_gets_the_heart_alone(portal: Client) -> None:
    answer = portal.post(
        f"/rewards/{reward().public_id}/favourite/", {"on": "1"}, headers={"hx-request": "true"}
    )
    content = answer.content.decode()
    assert content.lstrip().startswith('<form class="fav"')
    assert 'aria-pressed="true"' in content


def test_never_is_said_and_taken_back(portal: Client, page: Page, aino: Member) -> None:
    assert "Nothing to choose just now" in page("/profile/never/")
    milk = Aversion.objects.create(code="milk", names={"en": "Milk"})
    oat, whole = (
        AversionKind.objects.create(aversion=milk, code=code, names={"en": code}) for code in ("oat", "whole")
    )
    assert "Never whole" in page("/profile/never/")
    portal.post("/profile/never/", {"never": [str(whole.pk)]})
    assert list(MemberAversion.objects.values_list("member_id", "kind_id")) == [(aino.pk, whole.pk)]
    answer = portal.post("/profile/never/", {"never": [str(oat.pk), "99999999"]}, follow=True)
    assert "no longer there" in text_of(answer.content.decode())
    assert MemberAversion.objects.get().kind == whole
    portal.post("/profile/never/", {"never": ["x", ""]})
    assert not MemberAversion.objects.exists()


def test_the_members_own_copy_of_their_data_has_it_all(portal: Client, aino: Member) -> None:
    mark(member_id=aino.pk, reward=reward("Bag", names={"en": "Bag"}), at=NOON)
    milk = Aversion.objects.create(code="milk", names={"en": "Milk"})
    oat = AversionKind.objects.create(aversion=milk, code="oat", names={"en": "oat drink"})
    say(member_id=aino.pk, kind_ids=[oat.pk], at=NOON)
    data = portal.get("/profile/my-data.json").json()
    assert data["favourites"] == [{"reward": "Bag", "marked_at": "2026-06-15T09:00:00Z"}]
    assert data["never_wants"] == [{"kind": "oat drink", "said_at": "2026-06-15T09:00:00Z"}]


def test_home_counts_down_to_the_next_reward(page: Page) -> None:
    assert "Your next reward" not in page("/")
    reward("Bag", names={"en": "Bag"}, points=700)
    assert re.search(r"Your next reward .* Bag 200 points missing", page("/"))


def test_visitors_are_sent_to_the_log_in(client: Client) -> None:
    given = reward()
    for address in ("/rewards/", f"/rewards/{given.public_id}/", "/profile/never/"):
        answer = client.get(address)
        assert (answer.status_code, answer["Location"].startswith("/account/login/")) == (302, True)


def test_the_page_costs_the_same_for_one_reward_and_for_thirty(portal: Client) -> None:
    kept = take_in(picture(), at=NOON)
    shelf = RewardCategory.objects.create(code="cafe", names={"en": "Café"})

    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert portal.get("/rewards/").status_code == 200
        assert not [each for each in queries if '"rewards_picture"."content"' in each["sql"]]
        return len(queries)

    def put(number: int) -> None:
        for _each in range(number):
            reward(picture=kept, category=shelf, limit_per_member=1, skus=["a"], tags=["b"])

    put(1)
    cost()
    one = cost()
    put(29)
    assert cost() == one
    assert Reward.objects.count() == 30
