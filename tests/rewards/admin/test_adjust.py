"""Adjusting points by hand: shown first, then posted once, with who and why; never by those who may not."""

import uuid

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from members.models import Member
from rewards.models import Transfer
from rewards.queries import balance_of
from rewards.verification import verify
from tests.factories.members import NOON, member
from tests.factories.staff import logged_in, staff

pytestmark = pytest.mark.django_db


@pytest.fixture
def aino() -> Member:
    return member()


def url(who: Member) -> str:
    return reverse("admin:rewards_transfer_adjust", args=[who.pk])


def sent(
    points: object, note: str = "Lost receipt", token: object = None, **buttons: str
) -> dict[str, object]:
    return {"points": points, "note": note, "token": str(token or uuid.uuid4()), **buttons}


def available(who: Member) -> int:
    return balance_of(who, NOON).available


def test_first_the_balance_to_be_then_the_posting(aino: Member) -> None:
    clerk = staff(group="Support")
    client = logged_in(clerk)
    shown = client.post(url(aino), sent(150))
    assert (shown.status_code, shown.context["before"], shown.context["after"]) == (200, 0, 150)
    assert not Transfer.objects.exists()
    done = client.post(url(aino), sent(150, confirm="1"))
    assert done["Location"] == reverse("admin:members_member_overview", args=[aino.pk])
    [transfer] = Transfer.objects.all()
    assert (transfer.kind, transfer.points, transfer.staff, transfer.note) == (
        "adjust",
        150,
        clerk,
        "Lost receipt",
    )
    assert available(aino) == 150
    [entry] = LogEntry.objects.all()
    assert (entry.user, entry.object_id) == (clerk, str(aino.pk))
    assert "+150" in entry.change_message
    assert list(verify(at=NOON)) == []


def test_the_same_form_twice_posts_once(aino: Member) -> None:
    client = logged_in(staff(group="Support"))
    form = sent(150, confirm="1")
    for _attempt in range(2):
        assert client.post(url(aino), form).status_code == 302
    assert available(aino) == 150
    assert LogEntry.objects.count() == 1


def test_points_are_taken_down_to_nothing_and_no_further(aino: Member) -> None:
    client = logged_in(staff(group="Support"))
    client.post(url(aino), sent(100, confirm="1"))
    answer = client.post(url(aino), sent(-101, confirm="1"))
    assert "points" in answer.context["form"].errors
    assert available(aino) == 100
    assert client.post(url(aino), sent(-100, confirm="1")).status_code == 302
    assert available(aino) == 0
    assert Transfer.objects.count() == 2


@pytest.mark.parametrize(
    "wrong",
    [
        sent(0),
        sent("x"),
        sent(10**7),
        sent(5, note="  "),
        sent(5, note="x" * 301),
        sent(5, token="birthday:2026"),
    ],
)
def test_nonsense_posts_nothing(aino: Member, wrong: dict[str, object]) -> None:
    answer = logged_in(staff(group="Support")).post(url(aino), wrong | {"confirm": "1"})
    assert answer.status_code == 200
    assert answer.context["form"].errors
    assert not Transfer.objects.exists()


def test_without_the_right_nothing_is_shown_or_posted(aino: Member) -> None:
    marketer = logged_in(staff(group="Marketing"))
    overview = marketer.get(reverse("admin:members_member_overview", args=[aino.pk])).content.decode()
    assert url(aino) not in overview
    for client, status in ((marketer, 403), (Client(), 302)):
        assert client.get(url(aino)).status_code == status
        assert client.post(url(aino), sent(150, confirm="1")).status_code == status
    assert not Transfer.objects.exists()
    assert not LogEntry.objects.exists()


def test_a_closed_member_is_left_alone(aino: Member) -> None:
    Member.objects.filter(pk=aino.pk).update(status=Member.Status.CLOSED)
    assert logged_in(staff(superuser=True)).post(url(aino), sent(5, confirm="1")).status_code == 403
    assert not Transfer.objects.exists()
