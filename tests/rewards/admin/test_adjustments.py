"""Adjustments that wait, and files of adjustments, as staff see them."""

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import time_machine
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import translation

from members.models import Member
from rewards import tasks
from rewards.models import (
    AdjustmentRequest,
    AdjustmentSettings,
    BulkAdjustment,
    ExpiryPolicy,
    GiftTerms,
    Transfer,
)
from rewards.queries import balance_of
from tests.factories.members import NOON, member
from tests.factories.staff import logged_in, staff


@pytest.fixture(autouse=True)
def _in_english(settings: Any) -> Iterator[None]:
    settings.LANGUAGE_CODE = "en"
    with translation.override("en"):
        yield


pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _now() -> object:
    with time_machine.travel(NOON, tick=False), translation.override("en"):
        yield


@pytest.fixture
def who() -> Member:
    return member()


def clerk() -> object:
    return staff("rewards.adjust_points", "members.view_member", "rewards.view_transfer")


def boss() -> object:
    return staff("rewards.decide_adjustments", "rewards.view_adjustmentrequest", "members.view_member")


def test_a_large_adjustment_waits_and_another_person_approves_it(who: Member) -> None:
    asking = clerk()
    url = reverse("admin:rewards_transfer_adjust", args=[who.pk])
    data = {"points": 5000, "note": "Goodwill", "token": str(uuid.uuid4()), "confirm": "1"}
    response = logged_in(asking).post(url, data, follow=True)
    assert "waits for a second person" in response.content.decode()
    request = AdjustmentRequest.objects.get()
    listed = reverse("admin:rewards_adjustmentrequest_changelist")
    act = {"action": "approve_chosen", "_selected_action": [request.pk]}
    logged_in(asking).post(listed, act)
    assert balance_of(who, NOON).available == 0
    asking.user_permissions.set(boss().user_permissions.all())  # type: ignore[attr-defined]
    assert "somebody else has to decide" in logged_in(asking).post(listed, act, follow=True).content.decode()
    assert balance_of(who, NOON).available == 0
    page = logged_in(boss()).post(listed, act, follow=True).content.decode()
    assert "approved and posted" in page
    assert balance_of(who, NOON).available == 5000


def upload(client: object, *rows: str) -> BulkAdjustment:
    data = "\n".join(["member,points,note", *rows]).encode()
    client.post(  # type: ignore[attr-defined]
        reverse("admin:rewards_bulkadjustment_add"), {"file": SimpleUploadedFile("points.csv", data)}
    )
    return BulkAdjustment.objects.latest("pk")


def act(client: object, batch: BulkAdjustment, name: str, **more: str) -> str:
    url = reverse("admin:rewards_bulkadjustment_act", args=[batch.pk])
    response = client.post(url, {"act": name} | more, follow=True)  # type: ignore[attr-defined]
    batch.refresh_from_db()
    return str(response.content.decode())


def test_a_file_is_checked_started_followed_undone_and_downloaded(who: Member) -> None:
    client = logged_in(clerk())
    batch = upload(client, f"{who.card_number},50,=HYPERLINK(1)", f"{who.email},-10,b", "@nobody,5,c")
    page = client.get(reverse("admin:rewards_bulkadjustment_change", args=[batch.pk])).content.decode()
    assert "No active member is known by this." in page
    assert (batch.good, batch.bad, batch.given, batch.taken) == (2, 1, 50, 10)
    act(client, batch, "start")
    assert batch.status == "queued"
    tasks.run_bulk_adjustment()
    assert balance_of(who, NOON).available == 40
    csv = b"".join(
        client.get(reverse("admin:rewards_bulkadjustment_outcome", args=[batch.pk])).streaming_content
    ).decode()
    assert "'=HYPERLINK(1)" in csv
    assert "'@nobody" in csv
    assert ",-10," in csv
    act(client, batch, "undo", spent="debt")
    tasks.run_bulk_adjustment()
    assert balance_of(who, NOON).available == 0
    batch.refresh_from_db()
    assert batch.status == "undone"


def test_many_adjustments_are_started_by_typing_their_number(who: Member) -> None:
    AdjustmentSettings.objects.update(typed_above=2)
    client = logged_in(clerk())
    batch = upload(client, *(f"{who.email},1,{number}" for number in range(3)))
    assert "Type 3 to confirm." in act(client, batch, "start", typed="2")
    assert batch.status == "draft"
    act(client, batch, "start", typed="3")
    assert batch.status == "queued"


def test_a_large_file_is_let_run_by_another_person(who: Member) -> None:
    batch = upload(logged_in(clerk()), f"{who.email},5000,a")
    act(logged_in(clerk()), batch, "start")
    assert batch.status == "draft"
    act(logged_in(batch.uploaded_by), batch, "start")
    assert batch.status == "waiting"
    url = reverse("admin:rewards_bulkadjustment_act", args=[batch.pk])
    assert logged_in(batch.uploaded_by).post(url, {"act": "approve"}).status_code == 403
    act(logged_in(boss()), batch, "approve")
    assert batch.status == "queued"


def test_without_the_right_nothing_is_seen_or_uploaded(who: Member) -> None:
    batch = upload(logged_in(clerk()), f"{who.email},5,a")
    stranger = logged_in(staff("members.view_member"))
    for name, args in (("add", []), ("change", [batch.pk]), ("outcome", [batch.pk]), ("changelist", [])):
        assert stranger.get(reverse(f"admin:rewards_bulkadjustment_{name}", args=args)).status_code == 403
    assert (
        stranger.post(
            reverse("admin:rewards_bulkadjustment_act", args=[batch.pk]), {"act": "start"}
        ).status_code
        == 403
    )
    assert not Transfer.objects.exists()


def test_the_terms_of_gifts_and_a_sliding_policy_are_made_in_the_admin() -> None:
    client = logged_in(staff(superuser=True))
    for name in (
        "giftterms",
        "gift",
        "expirynotice",
        "adjustmentsettings",
        "adjustmentrequest",
        "bulkadjustment",
    ):
        assert client.get(reverse(f"admin:rewards_{name}_changelist")).status_code == 200
    client.post(
        reverse("admin:rewards_giftterms_add"),
        {"is_open": "on", "minimum": 5, "per_day": "", "per_month": 70},
    )
    assert GiftTerms.objects.filter(minimum=5, per_day=None, per_month=70).exists()
    wallet = ExpiryPolicy.objects.get().wallet_id
    client.post(
        reverse("admin:rewards_expirypolicy_add"),
        {"wallet": wallet, "months": "", "days": 90, "rounding": "exact", "sliding": "on"},
    )
    assert ExpiryPolicy.objects.filter(days=90, sliding=True, months=None).exists()
    page = client.get(reverse("admin:rewards_expirypolicy_changelist")).content.decode()
    assert "each activity begins it anew" in page
