"""A marketer makes a reward without a line of code, looks at it as a member, and keeps it."""

import datetime as dt
import re
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from members.models import Tier
from rewards.catalogue.keeping import clone
from rewards.models import Aversion, Reward, RewardStock
from tests.factories.catalogue import family, points, reward
from tests.factories.members import NOON, member
from tests.factories.staff import logged_in, staff
from tests.rewards.catalogue.test_pictures import SVG, _bomb, picture

pytestmark = pytest.mark.django_db

LIST = "/admin/rewards/reward/"


@pytest.fixture
def marketer() -> Client:
    client = logged_in(staff(group="Marketing"))
    client.cookies["django_language"] = "en"
    return client


def filled(**changes: Any) -> dict[str, Any]:
    """The form as a browser sends it; ``changes`` replace fields."""
    form = {
        "code": "coffee", "kind": "product", "names_fi": "Kahvi", "names_sv": "Kaffe", "names_en": "Coffee",
        "points": "120", "money": "0", "fulfilment": "collect", "collect_days": "14", "is_active": "on",
        "limit_per_member_period": "ever", "limit_in_all_period": "day", "tags": "hot, drink", "skus": "k01",
    }  # fmt: skip
    return form | changes


def upload(content: bytes, name: str = "cup.jpg") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content, content_type="image/jpeg")


def change(given: Reward) -> str:
    return f"{LIST}{given.pk}/change/"


def test_a_reward_is_made_in_one_form_with_picture_and_stock(marketer: Client) -> None:
    answer = marketer.post(f"{LIST}add/", filled(picture_file=upload(picture()), pieces="20"))
    assert answer.status_code == 302, answer.context["errors"]
    made = Reward.objects.get()
    assert made.names == {"fi": "Kahvi", "sv": "Kaffe", "en": "Coffee"}
    assert (made.tags, made.skus, made.is_active) == (["hot", "drink"], ["k01"], True)
    assert made.picture is not None
    assert (made.picture.width, made.picture.height) == (800, 600)
    assert RewardStock.objects.values_list("total", "taken").get() == (20, 0)
    assert made.history.count() == 1  # type: ignore[attr-defined]


BAD = [
    (b"no picture", "not a picture"),
    (SVG, "not a picture"),
    (_bomb(), "too large"),
    (picture(size=(90, 90)), "too small"),
]


@pytest.mark.parametrize(("content", "why"), BAD, ids=["text", "svg", "bomb", "small"])
def test_bad_pictures_are_refused_beside_their_field(marketer: Client, content: bytes, why: str) -> None:
    answer = marketer.post(f"{LIST}add/", filled(picture_file=upload(content)))
    assert answer.status_code == 200
    assert why in str(answer.context["adminform"].form.errors["picture_file"])
    assert not Reward.objects.exists()


REFUSED: list[tuple[dict[str, str], str]] = [
    ({"fulfilment": "voucher"}, "voucher_family"),
    ({"kind": "donation", "fulfilment": "at_once"}, "cause"),
    ({"kind": "draw_entry", "fulfilment": "collect"}, "fulfilment"),
    ({"fulfilment": "at_once"}, "fulfilment"),
    ({"points": "0"}, "points"),
    ({"names_fi": "", "names_sv": "", "names_en": ""}, "names"),
    (
        {
            "opens_at_0": "2026-07-02",
            "opens_at_1": "09:00",
            "closes_at_0": "2026-07-01",
            "closes_at_1": "09:00",
        },
        "closes_at",
    ),
    ({"early_opens_at_0": "2026-07-02", "early_opens_at_1": "09:00"}, "early_tier"),
    ({"pieces": "-1"}, "pieces"),
]


@pytest.mark.parametrize(("changes", "field"), REFUSED)
def test_what_cannot_be_so_is_marked_and_nothing_is_saved(
    marketer: Client, changes: dict[str, str], field: str
) -> None:
    answer = marketer.post(f"{LIST}add/", filled(**changes))
    assert answer.status_code == 200
    assert field in answer.context["adminform"].form.errors
    assert "onstraint" not in str(answer.context["adminform"].form.errors)
    assert not Reward.objects.exists()


def test_the_audience_is_built_with_conditions(marketer: Client) -> None:
    page = marketer.get(f"{LIST}add/").content.decode()
    assert 'name="conditions-t"' in page
    assert "For every member." in page


def test_stock_never_goes_under_what_is_taken(marketer: Client) -> None:
    given = reward("coffee", points=120)
    RewardStock.objects.create(reward=given, total=9, taken=5)
    refused = marketer.post(change(given), filled(pieces="4"))
    assert "taken 5 already" in str(refused.context["adminform"].form.errors["pieces"])
    assert marketer.post(change(given), filled(pieces="5")).status_code == 302
    assert RewardStock.objects.values_list("total", "taken").get() == (5, 5)


def test_the_picture_stays_is_replaced_and_taken_away(marketer: Client) -> None:
    given = reward("coffee", points=120)
    marketer.post(change(given), filled(picture_file=upload(picture())))
    first = Reward.objects.get().picture
    assert first is not None
    marketer.post(change(given), filled())
    assert Reward.objects.get().picture == first
    marketer.post(change(given), filled(picture_file=upload(picture(size=(400, 300)))))
    assert Reward.objects.get().picture not in (first, None)
    marketer.post(change(given), filled(no_picture="on"))
    assert Reward.objects.get().picture is None


def text_of(content: bytes) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", content.decode()).split())


def test_the_form_is_previewed_as_a_member_with_nothing_saved(marketer: Client) -> None:
    given = reward("coffee", points=120, is_active=False)
    aino = member(first_name="Aino", language="fi")
    points(aino, 300)
    form = filled(names_en="Better coffee", points="420", is_active="", who=aino.card_number, language="en")
    said = text_of(marketer.post(f"{LIST}{given.pk}/preview/", form).content)
    assert "Better coffee" in said
    assert "120 points missing" in said
    assert "Aino Virtanen" in said
    given.refresh_from_db()
    assert (given.points, given.names) == (120, {"en": "Coffee"})
    assert given.history.count() == 1  # type: ignore[attr-defined]


def test_a_made_up_member_has_the_tier_and_points_asked_for(marketer: Client) -> None:
    silver, gold = Tier.objects.get(code="silver"), Tier.objects.get(code="gold")
    given = reward("coffee", points=120, minimum_tier=gold)
    form = filled(minimum_tier=str(gold.pk), tier="silver", points_of_member="100", language="en")
    said = text_of(marketer.post(f"{LIST}{given.pk}/preview/", form).content)
    assert f"{silver.name} · 100 points" in said
    assert "From tier Gold on." in said
    assert "20 points missing" in said
    assert "380 points are left" in text_of(
        marketer.post(
            f"{LIST}{given.pk}/preview/", form | {"tier": "gold", "points_of_member": "500"}
        ).content
    )


def test_a_form_with_errors_is_not_previewed(marketer: Client) -> None:
    given = reward("coffee")
    answer = marketer.post(f"{LIST}{given.pk}/preview/", filled(points="many"))
    assert answer.status_code == 422
    assert "It cannot be shown yet" in text_of(answer.content)


def test_a_copy_is_a_draft_with_a_code_of_its_own(marketer: Client) -> None:
    given = reward(
        "coffee", points=120, tags=["hot"], voucher_family=family(), fulfilment="voucher", limit_in_all=3
    )
    RewardStock.objects.create(reward=given, total=9, taken=5)
    marketer.post(f"{LIST}{given.pk}/clone/")
    copy = Reward.objects.exclude(pk=given.pk).get()
    assert (copy.code, copy.is_active, copy.tags, copy.limit_in_all) == ("coffee-2", False, ["hot"], 3)
    assert copy.public_id != given.public_id
    assert not RewardStock.objects.filter(reward=copy).exists()
    assert clone(given).code == "coffee-3"


def test_archived_and_taken_out_again(marketer: Client) -> None:
    given = reward("coffee", points=120)
    marketer.post(f"{LIST}{given.pk}/archive/")
    given.refresh_from_db()
    assert (given.is_active, given.archived_at) == (False, NOON)
    assert "coffee" not in text_of(marketer.get(LIST).content)
    assert "coffee" in text_of(marketer.get(f"{LIST}?where=archive").content)
    refused = marketer.post(change(given), filled())
    assert "is_active" in refused.context["adminform"].form.errors
    marketer.post(f"{LIST}{given.pk}/restore/")
    given.refresh_from_db()
    assert (given.is_active, given.archived_at) == (False, None)


@pytest.mark.parametrize("act", ["clone", "archive", "restore"])
def test_looking_changes_nothing_and_others_may_not(marketer: Client, act: str) -> None:
    given = reward("coffee")
    marketer.get(f"{LIST}{given.pk}/{act}/")
    support = logged_in(staff(group="Support"))
    assert support.post(f"{LIST}{given.pk}/{act}/").status_code == 403
    assert marketer.post(f"{LIST}999999/{act}/").status_code == 404
    assert Reward.objects.values_list("code", "is_active", "archived_at").get() == ("coffee", True, None)
    assert logged_in(staff()).get(f"{LIST}{given.pk}/preview/").status_code == 403


def test_the_list_costs_the_same_for_one_and_for_thirty(
    marketer: Client, django_assert_max_num_queries: Any
) -> None:
    for _number in range(30):
        reward(opens_at=NOON + dt.timedelta(days=1))
    with django_assert_max_num_queries(20):
        assert "opens later" in text_of(marketer.get(LIST).content)


def test_either_ors_are_kept_with_their_kinds(marketer: Client) -> None:
    form = {
        "code": "milk", "names_fi": "Maito", "purchases": "2", "days": "365",
        "kinds-TOTAL_FORMS": "1", "kinds-INITIAL_FORMS": "0", "kinds-MIN_NUM_FORMS": "1", "kinds-MAX_NUM_FORMS": "1000",
        "kinds-0-code": "oat", "kinds-0-names_fi": "kaura", "kinds-0-skus": "1002,k03", "kinds-0-categories": "",
    }  # fmt: skip
    assert marketer.get("/admin/rewards/aversion/add/").status_code == 200
    answer = marketer.post("/admin/rewards/aversion/add/", form)
    assert answer.status_code == 302, answer.context["errors"]
    kind = Aversion.objects.get().kinds.get()
    assert (kind.names, kind.skus) == ({"fi": "kaura"}, ["1002", "k03"])
    assert marketer.get(f"/admin/rewards/aversion/{kind.aversion_id}/change/").status_code == 200
