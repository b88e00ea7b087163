"""Many codes at once: a worker that dies in the middle is gone on with, and no code is made or taken in twice."""

import csv
import io
import re
import zipfile

import pytest
from django.contrib.auth import get_user_model

from loyalty.workbook import write
from rewards.models import Voucher, VoucherBatch, VoucherStep
from rewards.verification import verify
from rewards.vouchers import batches, codes, export, issuing, pool_file, tasks, using
from rewards.vouchers.using import Asked
from rewards.vouchers.worth import Purchase
from tests.factories.members import NOON, UserFactory
from tests.factories.partners import PartnerFactory
from tests.factories.vouchers import pooled, voucher, voucher_family

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff_id() -> int:
    return UserFactory().pk


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "CHUNK", 10)


def made(count: int, staff_id: int, **facts: object) -> VoucherBatch:
    family = voucher_family(**{"prefix": "KAHVI", "valid_days": 30} | facts)
    return batches.ask_for_codes(family_id=family.pk, count=count, staff_id=staff_id, at=NOON)


class Killed(BaseException):
    """What no handler catches: the process is gone."""


def test_codes_are_made_with_what_they_are_worth_and_their_history(staff_id: int, small_chunks: None) -> None:
    batch = made(25, staff_id)
    batches.work(batch_id=batch.pk, at=NOON)
    batch.refresh_from_db()
    assert (batch.state, batch.done, batch.refused, batches.percent(batch)) == ("done", 25, 0, 100)
    rows = list(Voucher.objects.filter(batch=batch))
    assert len({row.code for row in rows}) == 25
    assert all(codes.is_well_formed(row.code) and row.code.startswith("KAHVI") for row in rows)
    like = voucher(batch.family)
    kept = ("state", "value", "remaining", "uses", "uses_left", "issued_at", "valid_from", "expires_at")
    assert {tuple(getattr(row, name) for name in kept) for row in rows} == {
        tuple(getattr(like, name) for name in kept)
    }
    steps = VoucherStep.objects.filter(voucher__batch=batch)
    assert {(step.kind, step.at, step.staff_id) for step in steps} == {("issued", NOON, staff_id)}
    assert steps.count() == 25
    assert verify(at=NOON) == []


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_a_batch_whose_worker_was_killed_is_gone_on_with_and_nothing_is_doubled(
    staff_id: int, small_chunks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = made(35, staff_id)
    plain, drawn = codes.new_code, 0

    def dying(prefix: str = "") -> str:
        nonlocal drawn
        if (drawn := drawn + 1) == 27:
            raise Killed
        return plain(prefix)

    monkeypatch.setattr(codes, "new_code", dying)
    with pytest.raises(Killed):
        batches.work(batch_id=batch.pk, at=NOON)
    batch.refresh_from_db()
    assert (batch.state, batch.done, Voucher.objects.count()) == ("running", 20, 20)
    assert batches.next_due() == batch.pk
    tasks.make_vouchers()
    batch.refresh_from_db()
    assert (batch.state, batch.done, Voucher.objects.count()) == ("done", 35, 35)
    assert VoucherStep.objects.count() == 35
    assert batches.next_due() is None


def test_codes_that_met_by_chance_are_drawn_again(
    staff_id: int, small_chunks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = made(12, staff_id)
    drawn = iter([codes.new_code()] * 10 + [codes.new_code() for _number in range(100)])
    monkeypatch.setattr(codes, "new_code", lambda prefix="": next(drawn))
    batches.work(batch_id=batch.pk, at=NOON)
    assert Voucher.objects.filter(batch=batch).count() == 12


def test_a_batch_that_failed_keeps_its_error_and_can_be_gone_on_with(
    staff_id: int, small_chunks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = made(5, staff_id)
    with monkeypatch.context() as patch:
        patch.setattr(codes, "new_code", lambda prefix="": 1 / 0)
        with pytest.raises(ZeroDivisionError):
            batches.work(batch_id=batch.pk, at=NOON)
    batch.refresh_from_db()
    assert (batch.state, "ZeroDivisionError" in batch.error) == ("failed", True)
    assert batches.next_due() is None
    assert batches.again(batch_id=batch.pk)
    batches.work(batch_id=batch.pk, at=NOON)
    assert Voucher.objects.count() == 5


FILE = """\ufeffCode;Expires
abc-123-x;2027-12-31
ABC 123 X;
;
 ;2027-01-01
kahvi+1;
{long};
past-1;2026-06-14
late-1;soon
today-1;2026-06-15
known-1;
""".format(long="A" * 41)


def test_a_files_codes_go_into_the_pool_and_each_bad_row_says_why(staff_id: int, small_chunks: None) -> None:
    family = voucher_family(source="pool")
    pooled(voucher_family(source="pool"), "KNOWN1")
    batch = batches.ask_for_import(family_id=family.pk, data=FILE.encode(), staff_id=staff_id, at=NOON)
    assert batch.total == 9
    batches.work(batch_id=batch.pk, at=NOON)
    batch.refresh_from_db()
    assert (batch.state, batch.done, batch.refused, batch.file) == ("done", 2, 7, None)
    assert {row["line"]: row["why"] for row in batch.problems} == {
        3: "known",
        5: "empty",
        6: "characters",
        7: "long",
        8: "past",
        9: "date",
        11: "known",
    }
    assert set(batch.problems[0]) == {"line", "why"}  # never the code
    stored = list(family.vouchers.order_by("pk").values_list("code", "spelling", "state"))
    assert stored == [("ABC123X", "abc-123-x", "stored"), ("TODAY1", "today-1", "stored")]
    assert voucher(family).code == "ABC123X"
    assert verify(at=NOON) == []


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_an_import_that_was_killed_goes_on_behind_the_last_chunk(
    staff_id: int, small_chunks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    family = voucher_family(source="pool")
    text = "code\n" + "".join(f"CODE{number % 33}\n" for number in range(35))
    batch = batches.ask_for_import(family_id=family.pk, data=text.encode(), staff_id=staff_id, at=NOON)
    plain, chunks = batches._take_in, 0

    def dying(*args: object) -> None:
        nonlocal chunks
        plain(*args)  # type: ignore[arg-type]
        if (chunks := chunks + 1) == 2:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(batches, "_take_in", dying)
        with pytest.raises(Killed):
            batches.work(batch_id=batch.pk, at=NOON)
    assert family.vouchers.count() == 10
    batches.work(batch_id=batch.pk, at=NOON)
    batch.refresh_from_db()
    assert (batch.done, batch.refused, family.vouchers.count()) == (33, 2, 33)


@pytest.mark.parametrize(
    "data", [b"", b"code\n", b"number\n1\n", b"\xff\xfe", b"code\n\0", b'code\n"' + b"x" * 200_000]
)
def test_what_is_no_file_of_codes_is_refused(staff_id: int, data: bytes) -> None:
    family = voucher_family(source="pool")
    with pytest.raises(pool_file.FileRefused):
        batches.ask_for_import(family_id=family.pk, data=data, staff_id=staff_id, at=NOON)
    assert not VoucherBatch.objects.exists()


def test_what_is_free_of_a_batch_is_cancelled_together(staff_id: int) -> None:
    batch = made(4, staff_id)
    batches.work(batch_id=batch.pk, at=NOON)
    used, locked, *_free = Voucher.objects.filter(batch=batch)
    shop = PartnerFactory()
    using.redeem(_asked(used, shop.pk), at=NOON)
    using.lock(_asked(locked, shop.pk), at=NOON)
    assert batches.cancel_unused(batch_id=batch.pk, staff_id=staff_id, note="misprint", at=NOON) == 2
    states = sorted(Voucher.objects.filter(batch=batch).values_list("state", flat=True))
    assert states == ["active", "cancelled", "cancelled", "used"]
    assert VoucherStep.objects.filter(kind="cancelled", note="misprint").count() == 2
    assert verify(at=NOON) == []


def _asked(given: Voucher, partner_id: int) -> Asked:
    from decimal import Decimal

    return Asked(code=given.code, partner_id=partner_id, checkout="r-1", purchase=Purchase(Decimal(20)))


def test_nothing_is_made_of_a_kind_whose_codes_come_from_elsewhere(staff_id: int) -> None:
    with pytest.raises(batches.NotForThis):
        made(5, staff_id, source="pool", prefix="")
    with pytest.raises(issuing.FamilyClosed):
        made(5, staff_id, is_active=False)
    assert get_user_model().objects.filter(pk=staff_id).exists()
    assert not VoucherBatch.objects.exists()


def test_the_exports_run_no_formula() -> None:
    family = voucher_family(names={"en": "=HYPERLINK(1)", "fi": "=HYPERLINK(1)"})
    given = voucher(family)
    rows = Voucher.objects.all()
    text = b"".join(export.download(rows, name="codes", file_format="csv", at=NOON)).decode("utf-8-sig")  # type: ignore[arg-type]
    _header, row = csv.reader(io.StringIO(text))
    assert row[:2] == [codes.grouped(given.code), "'=HYPERLINK(1)"]
    assert row[3] == "5.00"
    response = export.download(rows, name="codes", file_format="xlsx", at=NOON)
    book = b"".join(response)  # type: ignore[arg-type]
    response.close()
    sheet = zipfile.ZipFile(io.BytesIO(book)).read("xl/worksheets/sheet1.xml").decode()
    assert '<c t="inlineStr"><is><t xml:space="preserve">=HYPERLINK(1)</t></is></c>' in sheet
    assert "<c><v>5.00</v></c>" in sheet
    assert "<f>" not in sheet


def test_a_sheet_takes_any_text() -> None:
    target = io.BytesIO()
    write(target, header=["<a>"], rows=[["\x00\x1f & \ud800"], [None], [True]])
    sheet = zipfile.ZipFile(target).read("xl/worksheets/sheet1.xml").decode()
    assert re.findall(r"<t [^>]*>(.*?)</t>", sheet) == ["&lt;a&gt;", " &amp; ", "True"]


def test_exporting_asks_the_database_the_same_for_one_row_and_thirty(
    django_assert_num_queries: object,
) -> None:
    family = voucher_family()
    for _number in range(30):
        voucher(family)
    with django_assert_num_queries(1):  # type: ignore[operator]
        lines = list(export.download(Voucher.objects.all(), name="c", file_format="csv", at=NOON))  # type: ignore[call-overload]
    assert len(lines) == 31
