"""The ledger in the admin: read only for everybody, of constant cost, and downloaded without formulas."""

import csv
import io

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from loyalty.admin_base import EstimatingPaginator
from rewards.grants import adjust
from rewards.models import Account, Lot, Transfer
from tests.factories.members import NOON, member
from tests.factories.staff import logged_in, staff

pytestmark = pytest.mark.django_db

LEDGER = ("transfer", "lot", "account")


def test_nobody_adds_changes_or_deletes_a_row() -> None:
    boss = staff(superuser=True)
    aino = member()
    adjust(member_id=aino.pk, points=50, staff_id=boss.pk, note="Lost receipt", at=NOON)
    client = logged_in(boss)
    before = [list(model.objects.order_by("pk").values()) for model in (Transfer, Lot, Account)]
    for name, model in zip(LEDGER, (Transfer, Lot, Account), strict=True):
        row = model.objects.order_by("-pk")[0]
        change = reverse(f"admin:rewards_{name}_change", args=[row.pk])
        assert client.get(change).status_code == 200
        assert client.get(reverse(f"admin:rewards_{name}_add")).status_code == 403
        assert client.post(reverse(f"admin:rewards_{name}_add"), {"points": "5"}).status_code == 403
        assert client.post(change, {"points": "5"}).status_code == 403
        assert (
            client.post(reverse(f"admin:rewards_{name}_delete", args=[row.pk]), {"post": "yes"}).status_code
            == 403
        )
    assert [list(model.objects.order_by("pk").values()) for model in (Transfer, Lot, Account)] == before


@pytest.mark.parametrize("name", LEDGER)
def test_a_list_costs_the_same_for_one_and_for_thirty(name: str) -> None:
    boss = staff(superuser=True)
    client = logged_in(boss)
    url = reverse(f"admin:rewards_{name}_changelist")
    adjust(member_id=member().pk, points=50, staff_id=boss.pk, note="x", at=NOON)
    client.get(url)
    with CaptureQueriesContext(connection) as one:
        assert client.get(url).status_code == 200
    for _number in range(29):
        adjust(member_id=member().pk, points=50, staff_id=boss.pk, note="x", at=NOON)
    with CaptureQueriesContext(connection) as thirty:
        assert client.get(url).status_code == 200
    assert len(thirty) == len(one)


def test_a_row_is_found_by_its_number_and_by_its_member() -> None:
    boss = staff(superuser=True)
    for name in ("Aino", "Eero"):
        adjust(member_id=member(first_name=name).pk, points=50, staff_id=boss.pk, note=name, at=NOON)
    first = Transfer.objects.order_by("pk")[0]
    client = logged_in(boss)
    for text in (f"#{first.pk}", first.member.card_number, "aino"):
        page = client.get(reverse("admin:rewards_transfer_changelist"), {"q": text})
        assert list(page.context["cl"].result_list) == [first], text


def test_a_members_rows_carry_the_members_head() -> None:
    boss = staff(superuser=True)
    aino, eero = member(first_name="Aino"), member(first_name="Eero")
    for who in (aino, eero):
        adjust(member_id=who.pk, points=50, staff_id=boss.pk, note="x", at=NOON)
    page = logged_in(boss).get(reverse("admin:rewards_transfer_changelist"), {"member__id__exact": aino.pk})
    assert [row.member for row in page.context["cl"].result_list] == [aino]
    assert page.context["member"] == aino


def test_the_download_keeps_numbers_and_disarms_formulas() -> None:
    boss = staff(superuser=True)
    aino = member()
    for note in ("=HYPERLINK(1)", "+1", "@SUM(1)", "-2", "\tx", "plain"):
        adjust(member_id=aino.pk, points=50, staff_id=boss.pk, note=f"{note}", at=NOON)
    adjust(member_id=aino.pk, points=-10, staff_id=boss.pk, note="taken", at=NOON)
    answer = logged_in(boss).get(reverse("admin:rewards_transfer_download_csv"))
    assert answer.streaming
    text = b"".join(answer.streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]
    header, *rows = csv.reader(io.StringIO(text))
    notes = [row[-1] for row in rows]
    assert sorted(notes) == sorted(["'=HYPERLINK(1)", "'+1", "'@SUM(1)", "'-2", "x", "plain", "taken"])
    assert len({len(row) for row in [header, *rows]}) == 1
    assert {row[6] for row in rows} == {"50", "-10"}


def test_the_download_needs_the_right_to_look() -> None:
    client = logged_in(staff("members.view_member"))
    assert client.get(reverse("admin:rewards_transfer_download_csv")).status_code == 403


def test_a_large_table_is_estimated_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    for _number in range(7):
        member()
    rows = Account.objects.order_by("pk")
    assert EstimatingPaginator(rows, 5).count == rows.count()
    monkeypatch.setattr("loyalty.admin_base.COUNTED_EXACTLY", 3)
    with CaptureQueriesContext(connection) as queries:
        assert EstimatingPaginator(rows, 5).count >= 4
    assert all("LIMIT 4" in query["sql"] or query["sql"].startswith("EXPLAIN") for query in queries)
