"""Lists from files: every row is right or nothing is written."""

from collections.abc import Iterator

import pytest
from django.utils.translation import override

from members.models import ExternalId, Segment, SegmentChange
from members.segments import lists
from members.segments.definition import SegmentRefused
from tests.factories.members import NOON, member
from tests.factories.partners import PartnerFactory
from tests.factories.segments import members_of, segment

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _english() -> Iterator[None]:
    with override("en"):
        yield


@pytest.fixture
def vips() -> Segment:
    return Segment.objects.create(code="vips", names={"en": "VIPs"}, kind="list", created_at=NOON)


def take_in(made: Segment, text: str, mode: str = "add", **options: object) -> lists.Moves:
    rows = lists.read(text.encode())
    checked = lists.check(rows, partner=None)
    return lists.take_in(segment_id=made.pk, checked=checked, mode=mode, at=NOON, **options)  # type: ignore[arg-type]


def test_members_are_named_by_card_address_and_id(vips: Segment) -> None:
    aino, bo, cecilia = member(), member(email="bo@example.com"), member()
    moves = take_in(vips, f"member\n{aino.card_number}\nBO@example.com\n{cecilia.public_id}\n")
    assert (members_of(vips), moves.joined) == ({aino, bo, cecilia}, 3)
    vips.refresh_from_db()
    assert (vips.member_count, vips.joined_count, vips.refreshed_at) == (3, 3, NOON)


def test_members_are_named_by_a_partners_own_id(vips: Segment) -> None:
    partner, aino = PartnerFactory(), member()
    ExternalId.objects.create(partner=partner, external_id="c-1", member=aino, created_at=NOON)
    with pytest.raises(lists.FileRefused, match="partner"):
        lists.read(b"external_id\nc-1\n")
    rows = lists.read(b"external_id\nc-1\n", partner=partner)
    assert lists.check(rows, partner=partner).member_ids == [aino.pk]
    assert [row.problem for row in lists.check(rows, partner=PartnerFactory()).bad] == [
        "No active member is known by this."
    ]


def test_a_file_with_wrong_rows_writes_nothing_and_names_them(vips: Segment) -> None:
    aino = member()
    text = f"card_number;email\n{aino.card_number};\n1234;\n;nobody@example.com\n"
    with pytest.raises(lists.RowsRefused) as refused:
        take_in(vips, text)
    assert [(row.line, row.shown) for row in refused.value.rows] == [(3, "1234"), (4, "nobody@example.com")]
    assert not SegmentChange.objects.exists()
    assert take_in(vips, text, leave_out_bad=True).joined == 1
    assert members_of(vips) == {aino}


def test_a_list_is_added_to_replaced_and_taken_from(vips: Segment) -> None:
    aino, bo, cecilia = member(), member(), member()
    take_in(vips, f"member\n{aino.card_number}\n{bo.card_number}\n")
    take_in(vips, f"member\n{cecilia.card_number}\n{bo.card_number}\n")
    assert members_of(vips) == {aino, bo, cecilia}
    assert take_in(vips, f"member\n{aino.card_number}\n", "remove").left == 1
    assert members_of(vips) == {bo, cecilia}
    moves = take_in(vips, f"member\n{aino.card_number}\n{bo.card_number}\n", "replace")
    assert (members_of(vips), moves.joined, moves.left) == ({aino, bo}, 1, 1)


@pytest.mark.parametrize("text", ["", "member\n", "who\nx\n", "member\n\0\n"])
def test_what_is_no_list_is_refused_whole(text: str) -> None:
    with pytest.raises(lists.FileRefused):
        lists.read(text.encode())


def test_members_by_conditions_are_not_taken_from_files() -> None:
    made, aino = segment("swedes", {"field": "language", "op": "eq", "value": "sv"}), member()
    with pytest.raises(SegmentRefused):
        take_in(made, f"member\n{aino.card_number}\n")
    assert members_of(made) == set()
