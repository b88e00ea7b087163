"""The purchase CSV as a stream: what goes through, what is refused and with which words."""

import datetime as dt
import gzip
from decimal import Decimal
from pathlib import Path

import pytest

from members.activities import LineFacts
from rewards.purchases import blocks, reading
from rewards.purchases.blocks import FileRefused
from rewards.purchases.reading import Purchase, PurchasesFile, Refusal
from rewards.purchases.surveying import survey
from rewards.purchases.values import COLUMNS

HEADER = ",".join(COLUMNS)
NOW = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
BREAD = "a1,m1,2026-02-28T10:00:00+02:00,s1,store,EUR,bread,Bakery,Food,1,2.50"
MILK = "a1,m1,2026-02-28T10:00:00+02:00,s1,store,EUR,milk,Dairy,Food,2,3.10"
LATER = "a2,m2,2026-02-28T11:00:00Z,,,EUR,,,,0,0"


def write(path: Path, *rows: str, header: str = HEADER, end: str = "\n") -> Path:
    file = path / "purchases.csv"
    file.write_bytes(end.join([header, *rows, ""]).encode("utf-8", "surrogateescape"))
    return file


def read(file: Path) -> list[Purchase | Refusal]:
    reader = PurchasesFile(currencies=frozenset({"EUR"}), not_after=NOW, split=survey(file).split)
    return list(reader.read(file))


def refusals(file: Path) -> dict[int, str]:
    return {row.line: row.reason for item in read(file) if isinstance(item, Refusal) for row in item.rows}


def test_adjacent_rows_make_one_purchase(tmp_path: Path) -> None:
    first, second = read(write(tmp_path, BREAD, MILK, LATER))
    assert isinstance(first, Purchase)
    assert first[:8] == (
        "a1",
        "m1",
        dt.datetime(2026, 2, 28, 8, tzinfo=dt.UTC),
        "s1",
        "store",
        "EUR",
        Decimal("5.60"),
        (
            LineFacts("bread", "Bakery", "Food", Decimal("1"), Decimal("2.50")),
            LineFacts("milk", "Dairy", "Food", Decimal("2"), Decimal("3.10")),
        ),
    )
    assert isinstance(second, Purchase)
    assert (second.total, second.store, second.channel) == (Decimal("0"), "", "")


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("packed", [False, True])
def test_line_ends_marks_and_gzip_make_no_difference(
    tmp_path: Path, end: str, mark: bytes, packed: bool
) -> None:
    plain = read(write(tmp_path, BREAD, "", MILK, LATER))
    content = mark + end.join([HEADER, BREAD, "", MILK, LATER]).encode()
    other = tmp_path / "named.anything"
    other.write_bytes(gzip.compress(content) if packed else content)
    assert read(other) == plain
    assert survey(other).lines == 3


def test_blocks_may_end_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(tmp_path, BREAD, MILK, LATER, end="\r\n")
    whole = read(file)
    for size in range(1, 120, 7):
        monkeypatch.setattr(blocks, "BLOCK_BYTES", size)
        assert read(file) == whole


def test_quoted_cells_hold_commas_and_quotes(tmp_path: Path) -> None:
    (purchase,) = read(write(tmp_path, BREAD.replace("bread", '"bread, ""rye"""').replace("a1", '"a1"')))
    assert isinstance(purchase, Purchase)
    assert purchase.lines[0].sku == 'bread, "rye"'
    assert purchase.external_id == "a1"


def test_an_open_quotation_mark_spoils_its_own_purchase_only(tmp_path: Path) -> None:
    items = read(write(tmp_path, BREAD.replace("bread", '"bread'), LATER))
    assert [type(item) for item in items] == [Refusal, Purchase]
    assert "quotation marks" in refusals(tmp_path / "purchases.csv")[2]


BAD = {
    "quantity is negative": BREAD.replace(",1,", ",-1,"),
    "line_total is negative": BREAD.replace("2.50", "-2.50"),
    "line_total is not a number": BREAD.replace("2.50", "NaN"),
    "at most 2 decimals": BREAD.replace("2.50", "2.505"),
    "at most 3 decimals": BREAD.replace(",1,", ",0.0001,"),
    "below ten thousand million": BREAD.replace("2.50", "9" * 13),
    "quantity is not a number": BREAD.replace(",1,", ",٣,"),
    "has a comma": BREAD.replace("2.50", '"2,50"'),
    "12 columns instead of 11": BREAD.replace("2.50", "2,50"),
    "5 columns instead of 11": "a1,m1,2026-02-28T10:00:00+02:00,s1,store",
    "in the future": BREAD.replace("2026-02", "2027-02"),
    "before 1970": BREAD.replace("2026-02", "1969-02"),
    "no time zone": BREAD.replace("+02:00", ""),
    "not an ISO 8601 time": BREAD.replace("2026-02-28", "28.2.2026"),
    "out of range": BREAD.replace("2026-02-28", "0001-01-01").replace("+02", "+14"),
    "currency 'XXX' is not taken": BREAD.replace("EUR", "XXX"),
    "activity_id is empty": BREAD.replace("a1", ""),
    "member_id is empty": BREAD.replace("m1", " "),
    "activity_id is longer than 100": BREAD.replace("a1", "a" * 101),
    "channel is longer than 50": BREAD.replace("store", "x" * 51),
    "sku holds a control character": BREAD.replace("bread", "br\x00ead"),
    "sku is not UTF-8": BREAD.replace("bread", "leip\udce4"),
    "store is not UTF-8": BREAD.replace("s1", "k\udce4"),
    "line is longer than 64 kB": BREAD.replace("bread", "b" * 70_000),
}


@pytest.mark.parametrize("reason", BAD)
def test_a_bad_row_is_refused_with_its_reason(tmp_path: Path, reason: str) -> None:
    file = write(tmp_path, "a0" + BREAD[2:], BAD[reason], LATER)
    assert reason in refusals(file)[3]
    assert [item.external_id for item in read(file) if isinstance(item, Purchase)] == ["a0", "a2"]


def test_a_bad_row_takes_its_whole_purchase_along(tmp_path: Path) -> None:
    file = write(tmp_path, BREAD, MILK.replace("3.10", "x"), BREAD, LATER)
    assert refusals(file) == {
        2: "Refused together with line 3 of the same purchase.",
        3: "line_total is not a number that can be taken ('x'): digits, a point and at most 2 decimals, below ten "
        "thousand million.",
        4: "Refused together with line 3 of the same purchase.",
    }


def test_rows_of_one_purchase_agree_on_who_and_when(tmp_path: Path) -> None:
    assert refusals(write(tmp_path, BREAD, MILK.replace("m1", "m2")))[3] == (
        "member_id differs from the first row of the same purchase (line 2)."
    )


def test_rows_that_stand_apart_are_refused_everywhere(tmp_path: Path) -> None:
    file = write(tmp_path, BREAD, LATER, MILK)
    reason = (
        "The rows of this purchase stand apart (lines 2 and 4), or it is in the file twice: sort the file by "
        "activity_id or remove the repetition."
    )
    assert refusals(file) == {2: reason, 4: reason}


def test_a_purchase_without_end_is_refused_in_constant_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MAX_ROWS_OF_PURCHASE", 10)
    items = read(write(tmp_path, *[BREAD] * 25, LATER))
    assert [(type(item), len(item.rows)) for item in items] == [
        (Refusal, 10),
        (Refusal, 10),
        (Refusal, 5),
        (Purchase, 1),
    ]
    assert [item.continued for item in items if isinstance(item, Refusal)] == [False, True, True]


HEADERS = {
    "no column currency": HEADER.replace(",currency", ""),
    "separated by ';'": HEADER.replace(",", ";"),
    "another order": ",".join(reversed(COLUMNS)),
    "unknown column note": HEADER + ",note",
    "no column activity_id": "",
}


@pytest.mark.parametrize("reason", HEADERS)
def test_another_header_is_refused(tmp_path: Path, reason: str) -> None:
    with pytest.raises(FileRefused, match=r"Line 1: .*The first line should be: activity_id,"):
        survey(write(tmp_path, BREAD, header=HEADERS[reason]))
    with pytest.raises(FileRefused, match=reason):
        survey(write(tmp_path, BREAD, header=HEADERS[reason]))


def test_files_that_cannot_be_read_are_refused_as_a_whole(tmp_path: Path) -> None:
    packed = gzip.compress("\n".join([HEADER, *[BREAD] * 1000]).encode())
    broken = {
        "is empty": b"",
        "UTF-16": "\n".join([HEADER, BREAD]).encode("utf-16"),
        "cut off": packed[:-20],
        "cannot be read to its end": packed[:40] + b"\xff" * 40 + packed[80:],
    }
    for reason, content in broken.items():
        (tmp_path / "file").write_bytes(content)
        with pytest.raises(FileRefused, match=reason):
            survey(tmp_path / "file")
    with pytest.raises(FileRefused, match=r"Cannot open .*No such file"):
        survey(tmp_path / "missing")
    with pytest.raises(FileRefused, match=r"Cannot open .*directory"):
        survey(tmp_path)
