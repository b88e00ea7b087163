"""Moving in by the admin: uploaded, checked by the worker, read, confirmed, taken in. Never by those who may not."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import translation

from loyalty.models import Partner
from members.models import Member, TierHold, User
from rewards.models import MovingIn, MovingInFile, Transfer
from rewards.moving_in import requests
from rewards.tasks import run_moving_in
from tests.factories.partners import PartnerFactory
from tests.factories.staff import logged_in, staff
from tests.rewards.test_moving_in import LOTS, MEMBERS, TIERS


@pytest.fixture(autouse=True)
def _in_english(settings: Any) -> Iterator[None]:
    settings.LANGUAGE_CODE = "en"
    with translation.override("en"):
        yield


pytestmark = pytest.mark.django_db


@pytest.fixture
def shop() -> Partner:
    return PartnerFactory(slug="shop")


@pytest.fixture
def clerk() -> User:
    return staff("rewards.move_in", "rewards.view_movingin")


@pytest.fixture
def client(clerk: User) -> Client:
    return logged_in(clerk)


def upload(client: Client, shop: Partner, **texts: str) -> Any:
    given = {"members": MEMBERS, "lots": LOTS, "tiers": TIERS, **texts}
    named = {name: SimpleUploadedFile(f"{name}.csv", text.encode()) for name, text in given.items() if text}
    return client.post(reverse("admin:rewards_movingin_add"), {"partner": shop.pk, **named})


def url(name: str, moving: MovingIn, *more: str) -> str:
    return reverse(f"admin:rewards_movingin_{name}", args=[moving.pk, *more])


def checked(client: Client, shop: Partner, **texts: str) -> MovingIn:
    upload(client, shop, **texts)
    run_moving_in()
    return MovingIn.objects.latest("id")


def test_upload_check_read_confirm_and_it_is_in(client: Client, clerk: User, shop: Partner) -> None:
    answer = upload(client, shop)
    moving = MovingIn.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, url("change", moving))
    assert "http-equiv" in client.get(url("change", moving)).content.decode()
    run_moving_in()
    moving.refresh_from_db()
    assert (moving.status, moving.report["dry_run"], moving.report["exact"]) == ("checked", True, True)
    assert not Member.objects.exists()
    page = client.get(url("change", moving)).content.decode()
    assert "parity exact" in page
    assert "Type the number of members (3) to confirm" in page
    assert client.post(url("confirm", moving), {"count": "3"}).status_code == 302
    run_moving_in()
    moving.refresh_from_db()
    assert (moving.status, moving.confirmed_by, moving.report["exact"]) == ("done", clerk, True)
    assert Member.objects.count() == 3
    assert set(moving.files.values_list("kind", flat=True)) == {"parity"}  # what was uploaded is gone
    assert "What is in the ledger now" in client.get(url("change", moving)).content.decode()
    assert b"c-1,in,420,0,420,0" in client.get(url("file", moving, "parity")).content
    assert LogEntry.objects.filter(user=clerk).count() == 2


def test_a_wrong_number_takes_nothing_in(client: Client, shop: Partner) -> None:
    moving = checked(client, shop)
    answer = client.post(url("confirm", moving), {"count": "30"})
    assert "That is not the number of members." in answer.content.decode()
    run_moving_in()
    assert not Member.objects.exists()


def test_confirmed_twice_it_is_taken_in_once(client: Client, shop: Partner) -> None:
    moving = checked(client, shop)
    for _attempt in range(2):
        client.post(url("confirm", moving), {"count": "3"})
        run_moving_in()
    assert Transfer.objects.filter(occasion__startswith="moving-in:").count() == 3


def test_tiers_are_held_in_the_name_of_who_confirmed(client: Client, clerk: User, shop: Partner) -> None:
    moving = checked(client, shop, tiers="member_id,tier,held_until\nc-3,gold,2099-12-31\n")
    assert moving.report["tiers_held_by_hand"] == 1
    client.post(url("confirm", moving), {"count": "3"})
    run_moving_in()
    assert TierHold.objects.get().staff == clerk


def test_a_file_that_cannot_be_read_says_why(client: Client, shop: Partner) -> None:
    moving = checked(client, shop, lots="member_id,points\n")
    assert moving.status == "failed"
    assert (
        "lots.csv has no column earned_on, expires_on" in client.get(url("change", moving)).content.decode()
    )
    assert client.post(url("discard", moving)).status_code == 302
    assert not MovingInFile.objects.exists()


def test_refused_rows_can_be_downloaded(client: Client, shop: Partner) -> None:
    moving = checked(client, shop, lots=LOTS + "c-3,l,=1+1,2026-01-01,never,,\n")
    page = client.get(url("change", moving)).content.decode()
    assert "lots.csv line 6: points is not a whole number of points (=1+1): digits only." in page
    assert b"lots.csv,6,c-3" in client.get(url("file", moving, "refused")).content
    assert client.get(url("file", moving, "members")).status_code == 404


def test_a_worker_that_died_is_gone_on_for(client: Client, shop: Partner) -> None:
    moving = checked(client, shop)
    client.post(url("confirm", moving), {"count": "3"})
    MovingIn.objects.update(status=MovingIn.Status.TAKING)  # begun, and nobody there any more
    assert requests.next_due() == moving.pk
    run_moving_in()
    moving.refresh_from_db()
    assert (moving.status, Member.objects.count()) == ("done", 3)


@pytest.mark.parametrize("group", ["Support", "Marketing", "Finance"])
def test_those_who_may_not_move_in_see_and_write_nothing(group: str, client: Client, shop: Partner) -> None:
    moving = checked(client, shop)
    other = logged_in(staff(group=group))
    assert upload(other, shop).status_code == 403
    for name in ("confirm", "discard", "again"):
        assert other.post(url(name, moving), {"count": "3"}).status_code == 403
    assert other.get(url("file", moving, "parity")).status_code == 403
    assert other.get(url("change", moving)).status_code == 403
    moving.refresh_from_db()
    assert (moving.status, MovingIn.objects.count()) == ("checked", 1)
