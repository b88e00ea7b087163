"""Support's refunds: a preview that is exact, one posting per form, and decisions on those held."""

from decimal import Decimal

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from members.activities import LineFacts, NewActivity
from members.models import Activity, Member, User
from rewards import ledger
from rewards.earning import record_and_reward
from rewards.ledger import Why
from rewards.models import Refund, RefundPolicy, Transfer, Wallet
from rewards.models.ledger import AccountKind
from rewards.refund_parts import Order
from rewards.refunds import refund
from tests.factories import staff as people
from tests.factories.members import NOON, member
from tests.factories.partners import PartnerFactory
from tests.factories.staff import staff

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _noon(monkeypatch: pytest.MonkeyPatch) -> None:
    from loyalty import clock

    monkeypatch.setattr(clock, "now", lambda: NOON)


def logged_in(user: User) -> Client:
    """A client with this user's session, in English."""
    client = people.logged_in(user)
    client.cookies["django_language"] = "en"
    return client


@pytest.fixture
def aino() -> Member:
    return member(partner=PartnerFactory())


@pytest.fixture
def activity(aino: Member) -> Activity:
    assert aino.enrolled_by is not None
    lines = (
        LineFacts("bread", "Bakery", "FOOD", Decimal(3), Decimal(30)),
        LineFacts("milk", "Dairy", "FOOD", Decimal(1), Decimal("12.50")),
    )
    new = NewActivity(
        aino.enrolled_by.pk, aino.pk, "r-1", "purchase", NOON, "EUR", Decimal("42.50"), lines=lines
    )
    return Activity.objects.get(public_id=record_and_reward(new, at=NOON).activity_id)


@pytest.fixture
def support() -> Client:
    return logged_in(staff(group="Support"))


def spend(who: Member, points: int) -> None:
    ledger.spend(
        member_id=who.pk, wallet_id=Wallet.objects.get(is_default=True).pk, points=points,
        kind=Transfer.Kind.REDEEM, to_kind=AccountKind.REDEEMED, why=Why(), at=NOON,
    )  # fmt: skip


def page_of(activity: Activity) -> str:
    return reverse("admin:rewards_refund_of", args=[activity.pk])


def token_in(client: Client, activity: Activity) -> str:
    return str(client.get(page_of(activity)).context_data["form"].initial["token"])


def test_the_activity_tells_why_and_what_was_refunded(support: Client, activity: Activity) -> None:
    refund(activity_id=activity.pk, external_id="f-1", order=Order(amount=Decimal("2.50")), at=NOON)
    page = support.get(reverse("admin:members_activity_change", args=[activity.pk])).content.decode()

    assert "Why these points" in page
    assert "42 points: 1 point for each full 1 EUR" in page
    assert "No points, because the tier held then, Bronze, gives no extra." in page
    assert "2 points were taken back." in page
    assert page_of(activity) in page


def test_without_the_rights_the_parts_are_left_out(activity: Activity) -> None:
    client = logged_in(staff("members.view_activity", "members.view_member"))
    page = client.get(reverse("admin:members_activity_change", args=[activity.pk])).content.decode()
    assert "Why these points" not in page
    assert "k-refunds" not in page


def test_a_refund_is_seen_before_it_is_made_and_made_once(support: Client, activity: Activity) -> None:
    form = {"way": "lines", "quantity_0": "1", "quantity_1": "", "token": token_in(support, activity)}
    seen = support.post(page_of(activity), form)
    assert seen.context_data["preview"].points == 10
    assert seen.context_data["form"].visible_fields() == []
    assert not Refund.objects.exists()

    done = support.post(page_of(activity), form | {"confirm": "1"}, follow=True)
    again = support.post(page_of(activity), form | {"confirm": "1"}, follow=True)

    assert "10 points were taken back" in done.content.decode()
    assert "nothing was done twice" in again.content.decode()
    made = Refund.objects.get()
    assert (made.amount, made.points, made.decided_by_id) == (
        Decimal("10.00"), 10, int(support.session["_auth_user_id"]),
    )  # fmt: skip
    assert LogEntry.objects.filter(change_message__contains="10 points taken back").count() == 1


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({"way": "amount"}, "amount"),
        ({"way": "amount", "amount": "42.51"}, "amount"),
        ({"way": "amount", "amount": "-1"}, "amount"),
        ({"way": "lines"}, "way"),
        ({"way": "lines", "quantity_0": "4"}, "quantity_0"),
        ({"way": "everything"}, "way"),
        ({}, "way"),
    ],
)
def test_what_cannot_be_refunded_is_marked(
    support: Client, activity: Activity, form: dict[str, str], field: str
) -> None:
    body = {"token": token_in(support, activity), "confirm": "1", **form}
    answer = support.post(page_of(activity), body)
    assert field in answer.context_data["form"].errors
    assert not Refund.objects.exists()


def test_refunds_need_the_right(activity: Activity) -> None:
    client = logged_in(staff("members.view_activity", "rewards.view_refund"))
    assert client.get(page_of(activity)).status_code == 403
    assert client.post(page_of(activity), {"way": "all", "confirm": "1"}).status_code == 403
    assert not Refund.objects.exists()


@pytest.mark.parametrize(("decision", "taken", "forgiven"), [("take", 42, 0), ("forgive", 12, 30)])
def test_a_held_refund_is_decided_once(
    support: Client, aino: Member, activity: Activity, decision: str, taken: int, forgiven: int
) -> None:
    RefundPolicy.objects.create(valid_from=NOON.replace(year=2025), spent="hold")
    spend(aino, 30)
    refund(activity_id=activity.pk, external_id="f-1", order=Order(everything=True), at=NOON)
    held = Refund.objects.get()
    page = support.get(reverse("admin:rewards_refund_change", args=[held.pk])).content.decode()
    assert "Take back 42 points (then owes 30)" in " ".join(page.split())
    assert "Forgive 30 points (take back 12)" in " ".join(page.split())

    url = reverse("admin:rewards_refund_decide", args=[held.pk])
    support.post(url, {"decision": decision})
    again = support.post(url, {"decision": "take"}, follow=True)

    held.refresh_from_db()
    assert (held.status, held.points, held.forgiven) == ("posted", taken, forgiven)
    assert "decided already" in again.content.decode()
    assert LogEntry.objects.filter(change_message__startswith="Decided").count() == 1


def test_deciding_needs_the_right_and_a_post(support: Client, aino: Member, activity: Activity) -> None:
    RefundPolicy.objects.create(valid_from=NOON.replace(year=2025), spent="hold")
    spend(aino, 30)
    refund(activity_id=activity.pk, external_id="f-1", order=Order(everything=True), at=NOON)
    url = reverse("admin:rewards_refund_decide", args=[Refund.objects.get().pk])
    support.get(url, {"decision": "take"})
    viewer = logged_in(staff("rewards.view_refund"))

    assert viewer.post(url, {"decision": "take"}).status_code == 403
    assert Refund.objects.get().status == "held"


def test_held_refunds_are_found_by_the_filter_at_constant_cost(support: Client, activity: Activity) -> None:
    url, counts = reverse("admin:rewards_refund_changelist"), []
    for number in range(12):
        refund(activity_id=activity.pk, external_id=f"f-{number}", order=Order(amount=Decimal(1)), at=NOON)
        if number in (0, 11):
            support.get(url)
            with CaptureQueriesContext(connection) as queries:
                assert support.get(url, {"status__exact": "posted"}).status_code == 200
            counts.append(len(queries))
    assert counts[0] == counts[1]


def test_the_policy_is_revised_not_edited(activity: Activity) -> None:
    marketing = logged_in(staff(group="Marketing"))
    url = reverse("admin:rewards_refundpolicy_add")
    marketing.post(url, {"spent": "forgive", "valid_from_0": "", "valid_from_1": ""})
    made = RefundPolicy.objects.get()
    past = marketing.post(url, {"spent": "debt", "valid_from_0": "2020-01-01", "valid_from_1": "12:00"})

    assert (made.spent, made.valid_from) == ("forgive", NOON)
    assert "valid_from" in past.context_data["form"].errors
    assert RefundPolicy.objects.count() == 1
