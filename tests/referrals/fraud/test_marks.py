"""What tells people apart, whichever way it is written, and never kept in clear."""

import datetime as dt
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from loyalty.events.models import Event
from members.fingerprints import digest, digests
from members.models import Member
from members.personal_data import copies_of
from members.privacy import erase
from referrals.fraud import handlers, marks
from referrals.fraud.marks import normal_mailbox, note_contacts, note_marks
from referrals.models import Mark
from tests.factories.members import NOON, member
from tests.factories.referrals import DAY, brought


@pytest.mark.parametrize(
    ("written", "mailbox"),
    [
        ("Aino@Example.COM", "aino@example.com"),
        ("aino+kahvi@example.com", "aino@example.com"),
        ("a.i.n.o+x+y@googlemail.com", "aino@gmail.com"),
        ("a.ino@example.com", "a.ino@example.com"),
        ("  ａｉｎｏ@ｅxample.com ", "aino@example.com"),
        ("ai\u200bno@example.com", "aino@example.com"),
        ("aino@MÜLLER.de.", "aino@xn--mller-kva.de"),
        ("aino@xn--mller-kva.de", "aino@xn--mller-kva.de"),
        ("+aino@example.com", "+aino@example.com"),
        ("...@gmail.com", ""),
        ("nobody", ""),
        ("", ""),
        ("@example.com", ""),
    ],
)
def test_one_mailbox_has_one_spelling(written: str, mailbox: str) -> None:
    assert normal_mailbox(written) == mailbox


def test_a_phone_is_the_same_with_and_without_its_country() -> None:
    home, abroad = (marks.hashes_of({"phone": phone}) for phone in ("040 123 4567", "+358 40 1234567"))
    assert home == abroad != {}
    assert marks.hashes_of({"phone": "12", "email": "nobody", "device": " "}) == {}


def test_hashes_differ_by_kind_and_by_key(settings: Any) -> None:
    before = digests({"device": "x", "payment": "x", "shoe": "x"})
    assert list(before) == ["device", "payment"]
    assert before["device"] != before["payment"]
    assert digests({"address": "Katu  1\nA"}) == digests({"address": "katu 1 a"})
    settings.SECRET_KEY = "another"
    assert digest("device", "x") != before["device"]


@pytest.mark.django_db
class TestNoting:
    @pytest.fixture
    def aino(self) -> Member:
        return member(email="aino@example.com", phone="+358401234567")

    def test_a_mark_is_kept_once_with_when_it_was_seen(self, aino: Member) -> None:
        for at in (NOON, NOON + dt.timedelta(hours=1), NOON + 3 * DAY, NOON - DAY):
            note_marks(aino.pk, at, device="phone-1", payment="")
        kept = Mark.objects.get()
        assert (kept.kind, kept.first_seen, kept.last_seen) == ("device", NOON - DAY, NOON + 3 * DAY)
        assert "phone-1" not in kept.hash
        assert len(kept.hash) == 64

    def test_contacts_of_many_cost_two_statements_and_old_ones_stay(self, aino: Member) -> None:
        others = [member(phone=f"+35840000000{n}") for n in range(5)]
        with CaptureQueriesContext(
            connection,
        ) as asked:
            note_contacts([aino.pk, *(each.pk for each in others)], NOON)
        assert len(asked) == 2
        assert Mark.objects.count() == 12
        Member.objects.filter(pk=aino.pk).update(email="new@example.com")
        note_contacts([aino.pk], NOON)
        assert Mark.objects.filter(member=aino, kind="email").count() == 2

    def test_nothing_is_noted_of_a_member_who_left_and_nothing_is_left(self, aino: Member) -> None:
        note_marks(aino.pk, NOON, device="phone-1")
        assert [each["kind"] for each in copies_of(aino)["marks"]] == ["device"]
        erase(member_id=aino.pk, source="staff", at=NOON)
        note_marks(aino.pk, NOON, device="phone-1")
        assert not Mark.objects.exists()

    def test_fingerprints_told_with_events_are_noted_and_others_cost_nothing(self, aino: Member) -> None:
        told = {"fingerprints": digests({"device": "tablet", "payment": "card"}), "visitor": "abc"}
        quiet = Event(name="activity.recorded", member_id=aino.pk, occurred_at=NOON, facts={"total": "3"})
        with CaptureQueriesContext(connection) as asked:
            handlers.note_fingerprints([quiet])
        assert len(asked) == 0
        event = Event(name="member.enrolled", member_id=aino.pk, occurred_at=NOON, facts=told)
        handlers.note_fingerprints([quiet, event, event])
        assert set(Mark.objects.values_list("kind", "hash")) == {
            ("device", digest("device", "tablet")),
            ("device", digest("device", "visitor abc")),
            ("payment", digest("payment", "card")),
        }

    def test_both_sides_of_a_new_referral_are_known_by_their_addresses(self, aino: Member) -> None:
        referral = brought(aino)
        handlers.note_contacts(list(Event.objects.filter(name="referral.joined")))
        assert set(Mark.objects.values_list("member", "kind")) == {
            (aino.pk, "email"),
            (aino.pk, "phone"),
            (referral.friend_id, "email"),
        }
