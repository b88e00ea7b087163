"""``import_members``: what is brought along from another system, that it adds up, and that nothing comes in twice."""

import csv
import datetime as dt
import json
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import translation

from loyalty.models import Event, Partner, Run
from members.enrolment import NewMember, enrol
from members.former_cards import former_number
from members.identification import UnknownMember, find_member
from members.models import Consent, ExternalId, FormerCard, Member, TierChange, TierHold
from rewards import tier_review
from rewards.grants import adjust
from rewards.ledger import Why, expire_due, mature_due, spend
from rewards.management.commands import import_members
from rewards.models import Account, Lot, Transfer, Wallet
from rewards.models.ledger import AccountKind
from rewards.moving_in import importing
from rewards.queries import balance_of
from rewards.verification import verify
from tests.factories.members import NOON, member
from tests.factories.partners import PartnerFactory
from tests.factories.staff import staff


@pytest.fixture(autouse=True)
def _in_english(settings: Any) -> Iterator[None]:
    settings.LANGUAGE_CODE = "en"
    with translation.override("en"):
        yield


pytestmark = pytest.mark.django_db

MEMBERS = """member_id,email,phone,first_name,last_name,birth_date,language,joined_on,card_number,consents
c-1,aino@example.com,040 1234567,Aino,Virtanen,1980-02-29,fi,2019-05-01,6006 4900 0001,marketing:email|profiling
c-2,bo@example.com,,Bo,Ek,,sv,,6006-4900-0002|old-77,
c-3,,,,,,,,,
"""
LOTS = """member_id,lot_id,points,earned_on,expires_on,pending_until,qualifying_points
c-1,l1,300,2026-01-10,2027-12-31,,900
c-1,l2,120,2026-05-02,never,,120
c-2,l3,50,2026-06-01,2026-12-31,2026-06-30,
c-2,l4,70,2024-01-01,2026-01-31,,
"""
TIERS = """member_id,tier,held_since,held_until,qualifying_points
c-1,silver,2026-03-01,2027-02-28,1020
c-2,gold,2025-11-01,2026-12-31,5200
"""


@pytest.fixture(autouse=True)
def _midsummer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_members.clock, "now", lambda: NOON)


@pytest.fixture
def shop() -> Partner:
    return PartnerFactory(slug="shop")


def files(path: Path, members: str = MEMBERS, lots: str = LOTS, tiers: str = TIERS) -> Path:
    for name, text in (("members", members), ("lots", lots), ("tiers", tiers)):
        (path / f"{name}.csv").write_text(text, encoding="utf-8")
    return path


def run(source: Path, *options: str) -> dict[str, Any]:
    """The report, with the exit code when it is not 0."""
    out = StringIO()
    try:
        call_command("import_members", str(source), "--partner", "shop", "--json", *options, stdout=out)
    except CommandError as error:
        return {**json.loads(out.getvalue() or "{}"), "exit": error.returncode, "said": str(error)}
    return json.loads(out.getvalue())  # type: ignore[no-any-return]


def who(external_id: str) -> Member:
    return Member.objects.select_related("tier").get(external_ids__external_id=external_id)


def balance(external_id: str) -> tuple[int, int, int]:
    found = balance_of(who(external_id), NOON)
    return found.available, found.pending, found.debt


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8-sig") as stream:
        return list(csv.DictReader(stream))


def rows_written() -> dict[str, int]:
    written = (
        Member, ExternalId, FormerCard, Consent, TierChange, TierHold, Transfer, Lot, Account, Wallet, Event, Run,
    )  # fmt: skip
    return {model.__name__: model.objects.count() for model in written}


def test_members_come_with_points_tiers_and_cards(tmp_path: Path, shop: Partner) -> None:
    report = run(files(tmp_path))
    assert (report["exact"], report["members_that_differ"]) == (True, 0)
    assert report["members"] == {"in_file": 3, "in": 3, "new": 3, "known": 0, "refused": 0}
    assert report["lots"] == {"in_file": 3, "in_ledger": 3, "given_now": 3, "expired": 1, "refused": 0}
    assert report["points"] == {"points": {"in_file": 540, "in_ledger": 470, "expired": 70, "refused": 0}}
    assert report["tiers"] == {
        "silver": {"in_file": 1, "here": 1},
        "gold": {"in_file": 1, "here": 1},
    }
    assert report["cards"] == {"in_file": 3, "work": 3}
    assert (balance("c-1"), balance("c-2"), balance("c-3")) == ((420, 0, 0), (0, 50, 0), (0, 0, 0))
    aino = who("c-1")
    assert (aino.email, aino.phone, aino.language) == ("aino@example.com", "+358401234567", "fi")
    assert aino.joined_at == dt.datetime(2019, 4, 30, 21, tzinfo=dt.UTC)
    assert (aino.tier.code, aino.tier_since) == ("silver", dt.datetime(2026, 2, 28, 22, tzinfo=dt.UTC))
    assert set(aino.consents.values_list("purpose", "channel")) == {
        ("marketing", "email"),
        ("profiling", "any"),
    }
    assert TierChange.objects.filter(member=aino).latest("id").reason == TierChange.Reason.MOVED_IN
    assert verify(at=NOON) == []


def test_lots_keep_their_days(tmp_path: Path, shop: Partner) -> None:
    run(files(tmp_path))
    first, endless = Lot.objects.filter(member=who("c-1"), account__wallet__is_default=True).order_by("id")
    assert first.earned_at == dt.datetime(2026, 1, 9, 22, tzinfo=dt.UTC)
    assert first.expires_at == dt.datetime(
        2027, 12, 31, 22, tzinfo=dt.UTC
    )  # good on the last day, in Helsinki
    assert endless.expires_at is None
    assert {first.transfer.occasion, endless.transfer.occasion} == {
        "moving-in:shop:c-1:l1",
        "moving-in:shop:c-1:l2",
    }
    assert first.transfer.occurred_at == NOON
    assert mature_due(at=dt.datetime(2026, 7, 1, tzinfo=dt.UTC)) == 1
    assert balance("c-2") == (50, 0, 0)
    assert expire_due(at=dt.datetime(2027, 1, 1, tzinfo=dt.UTC)) != []
    assert balance("c-2") == (0, 0, 0)


def test_opening_points_are_adjusted_not_issued(tmp_path: Path, shop: Partner) -> None:
    run(files(tmp_path))
    assert set(Transfer.objects.values_list("kind", "from_account__kind", "source")) == {
        ("adjust", AccountKind.ADJUSTED, "moving_in")
    }


def test_tier_points_cannot_be_spent_and_leave_the_window_in_time(tmp_path: Path, shop: Partner) -> None:
    run(files(tmp_path))
    aino, bo = who("c-1"), who("c-2")
    status = Wallet.objects.get(code="opening-status")
    assert not status.is_default
    kept_there = Account.objects.filter(wallet=status, kind="available", balance__gt=0)
    assert dict(kept_there.values_list("member", "balance")) == {aino.pk: 1020, bo.pk: 5200}
    kept = dt.datetime(2026, 12, 31, 12, tzinfo=dt.UTC)
    tier_review.review_members([bo.pk], at=kept)
    assert who("c-2").tier.code == "gold"  # as promised, to the last day
    tier_review.review_members([bo.pk], at=kept + dt.timedelta(days=1))
    assert who("c-2").tier.code == "bronze"
    assert verify(at=kept + dt.timedelta(days=1)) == []


def test_a_dry_run_writes_nothing(tmp_path: Path, shop: Partner) -> None:
    before = rows_written()
    report = run(files(tmp_path), "--dry-run")
    assert rows_written() == before
    assert (report["dry_run"], report["exact"]) == (True, True)
    assert report["points"]["points"] == {"in_file": 540, "in_ledger": 470, "expired": 70, "refused": 0}


def test_a_dry_run_says_what_the_move_then_does(tmp_path: Path, shop: Partner) -> None:
    source = files(tmp_path, lots=LOTS + "c-3,l9,x,2026-01-01,never,,\n")
    tried = run(source, "--dry-run")
    parity = table(source / "moving-in.parity.csv")
    done = run(source)
    assert (tried.pop("dry_run"), done.pop("dry_run")) == (True, False)
    assert tried == done
    assert table(source / "moving-in.parity.csv") == parity
    assert [row["difference"] for row in parity] == ["0", "0", "0"]


def test_a_second_run_adds_nothing(tmp_path: Path, shop: Partner) -> None:
    run(files(tmp_path))
    before = rows_written()
    report = run(tmp_path)
    assert rows_written() == {**before, "Run": before["Run"] + 1}
    assert (report["exact"], report["members"]["known"], report["lots"]["given_now"]) == (True, 3, 0)


def test_killed_in_the_middle_and_run_again_it_completes(
    tmp_path: Path, shop: Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "BATCH", 1)
    opening = importing.open_batch

    def until_the_second(batch: Any, move: Any) -> Any:
        opened = opening(batch, move)
        if batch[0].member.member_id == "c-2":
            raise KeyboardInterrupt
        return opened

    monkeypatch.setattr(importing, "open_batch", until_the_second)
    assert run(files(tmp_path))["exit"] == 130
    assert list(ExternalId.objects.values_list("external_id", flat=True)) == ["c-1"]
    assert Run.objects.latest("id").status == Run.Status.FAILED
    monkeypatch.setattr(importing, "open_batch", opening)
    report = run(tmp_path)
    assert (report["exact"], report["members"]["new"], report["lots"]["given_now"]) == (True, 2, 1)
    assert balance("c-1") == (420, 0, 0)
    assert verify(at=NOON) == []


def test_a_bad_row_holds_its_member_back_whole(tmp_path: Path, shop: Partner) -> None:
    source = files(tmp_path, lots=LOTS.replace("c-1,l2,120", "c-1,l2,=1+1"))
    report = run(source)
    assert (report["exit"], report["exact"], report["members"]["refused"]) == (1, False, 1)
    assert set(ExternalId.objects.values_list("external_id", flat=True)) == {"c-2", "c-3"}
    assert report["points"]["points"] == {"in_file": 420, "in_ledger": 50, "expired": 70, "refused": 300}
    held, bad = table(source / "moving-in.rejected.csv")
    assert (held["file"], held["line"], held["reason"]) == (
        "members.csv", "2", "Held back whole, because of lots.csv line 3.",
    )  # fmt: skip
    assert (bad["file"], bad["line"]) == ("lots.csv", "3")
    assert bad["reason"] == "points is not a whole number of points (=1+1): digits only."
    corrected = run(files(tmp_path))
    assert (corrected["exact"], corrected["members"]["new"]) == (True, 1)
    assert not (source / "moving-in.rejected.csv").exists()


@pytest.mark.parametrize(
    ("file", "row", "reason"),
    [
        ("members", ",x@example.com,,,,,,,,", "member_id is empty."),
        ("members", "c-9,nobody,,,,,,,,", "email is not an e-mail address: correct it, or leave it empty."),
        ("members", "c-9,,123,,,,,,,", "phone is not a phone number: correct it, or leave it empty."),
        ("members", "c-9,,,,,2026-13-01,,,,", "birth_date is not a day (2026-13-01): write it as 2026-03-01."),
        ("members", "c-9,,,,,,,2027-01-01,,", "joined_on lies in the future."),
        ("members", "c-9,,,,,,de,,,", "language de is not offered: use one of en, fi, sv, or leave it empty."),
        ("members", "c-9,,,", "The row has 4 columns instead of 10: quote a text that holds the separator."),
        ("lots", "c-3,l,10,2026-01-01,,,",
         "expires_on is empty: write the last day on which the points are good, or never."),
        ("lots", "c-3,l,-5,2026-01-01,never,,", "points is negative (-5): settle what the member owes before moving."),
        ("lots", "c-3,l,0,2026-01-01,never,,", "The lot has no points: leave the row out."),
        ("lots", "c-3,l,9,2026-01-01,2025-01-01,,", "The points expire before they were earned."),
        ("lots", "nobody,l,9,2026-01-01,never,,", "member_id is not among the members that can be taken."),
        ("lots", "c-1,l1,9,2026-01-01,never,,", "The same lot stands on line 2: give each a lot_id of its own."),
        ("tiers", "c-3,platinum,,,", "There is no tier platinum on offer: use one of bronze, silver, gold."),
        ("tiers", "c-1,gold,,,", "The member's tier stands on line 2 already."),
    ],
)  # fmt: skip
def test_bad_rows_say_why(tmp_path: Path, shop: Partner, file: str, row: str, reason: str) -> None:
    texts = {"members": MEMBERS, "lots": LOTS, "tiers": TIERS}
    source = files(tmp_path, **{**texts, file: texts[file] + row + "\n"})
    assert run(source, "--dry-run")["exit"] == 1
    assert reason in [each["reason"] for each in table(source / "moving-in.rejected.csv")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no column member_id"),
        ("member_id,colour\nc-1,red\n", "a column that is not known: colour"),
        ("member_id,email,email\n", "a column twice"),
    ],
)
def test_a_file_with_other_columns_is_refused_whole(
    tmp_path: Path, shop: Partner, text: str, said: str
) -> None:
    before = rows_written()
    answer = run(files(tmp_path, members=text))
    assert (answer["exit"], said in answer["said"]) == (2, True)
    assert rows_written() == before


def test_files_from_a_finnish_spreadsheet_are_read(tmp_path: Path, shop: Partner) -> None:
    members = '\ufeffmember_id;first_name;last_name;joined_on\r\nc-1;Åsa;"af Heurlin; Ö";1.5.2019\r\n'
    assert run(files(tmp_path, members, "member_id;points;earned_on;expires_on\r\nc-1;5;1.2.2026;31.1.2027\r\n",
                     "member_id;tier\r\n"))["exact"]  # fmt: skip
    assert who("c-1").full_name == "Åsa af Heurlin; Ö"
    assert balance("c-1") == (5, 0, 0)


def test_duplicates_by_email_are_reported_not_half_written(tmp_path: Path, shop: Partner) -> None:
    member(email="taken@example.com")
    source = files(
        tmp_path,
        members=MEMBERS + "c-4,AINO@example.com,,,,,,,,\nc-5,taken@example.com,,,,,,,,\n",
        lots=LOTS + "c-4,l,10,2026-01-01,never,,\nc-5,l,20,2026-01-01,never,,\n",
    )
    report = run(source)
    assert (report["members"]["in"], report["members"]["refused"]) == (3, 2)
    assert report["points"]["points"]["refused"] == 30
    assert [row["reason"] for row in table(source / "moving-in.rejected.csv")] == [
        "The e-mail address stands on line 2 already: one person twice? Merge them first.",
        "Another member has this e-mail address already: give that member this member_id, or leave out the address.",
    ]
    assert not ExternalId.objects.filter(external_id__in=["c-4", "c-5"]).exists()


def test_an_address_taken_meanwhile_refuses_its_member_only(
    tmp_path: Path, shop: Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    opening, taken = importing.open_batch, []

    def somebody_was_first(batch: Any, move: Any) -> Any:
        if not taken:
            taken.append(enrol(NewMember(email="bo@example.com"), source=Member.Source.PORTAL, at=NOON))
        return opening(batch, move)

    monkeypatch.setattr(importing, "open_batch", somebody_was_first)
    report = run(files(tmp_path))
    assert (report["members"]["in"], report["members"]["refused"]) == (2, 1)
    assert report["differences"] == [{"member_id": "c-2", "what": "not taken in, see the refused rows"}]


def test_shared_phones_are_told_but_taken(tmp_path: Path, shop: Partner) -> None:
    report = run(files(tmp_path, members=MEMBERS + "c-4,,+358401234567,,,,,,,\n"))
    assert (report["exact"], report["members_sharing_a_phone"]) == (True, 2)


def test_members_known_by_their_number_keep_what_they_have(tmp_path: Path, shop: Partner) -> None:
    bo = member(partner=shop, external_id="c-2", email="own@example.com", first_name="Bosse")
    adjust(member_id=bo.pk, points=5, staff_id=staff().pk, note="Sorry", at=NOON)
    report = run(files(tmp_path))
    assert (report["exact"], report["members"]["known"]) == (True, 1)
    bo.refresh_from_db()
    assert (bo.email, bo.first_name, balance("c-2")) == ("own@example.com", "Bosse", (5, 50, 0))


def test_those_who_left_do_not_come_back(tmp_path: Path, shop: Partner) -> None:
    gone = member(partner=shop, external_id="c-2")
    Member.objects.filter(pk=gone.pk).update(status=Member.Status.CLOSED)
    report = run(files(tmp_path))
    assert (
        report["reasons"][0]
        == "members.csv line 3: This member has left the programme here: leave the row out."
    )
    assert not Transfer.objects.filter(member=gone).exists()


# --- Where users of other systems hurt --------------------------------------------------------------------------------


def test_import_of_69_000_customers_breaks_no_manual_points(tmp_path: Path, shop: Partner) -> None:
    """open-loyalty 129, at a smaller scale: after the import, points by hand and redemption work as ever."""
    count = 1_200
    members = "member_id,email\n" + "".join(f"c-{n},c{n}@example.com\n" for n in range(count))
    lots = "member_id,points,earned_on,expires_on\n" + "".join(
        f"c-{n},{n + 1},2026-01-01,never\n" for n in range(count)
    )
    with CaptureQueriesContext(connection) as queries:
        report = run(files(tmp_path, members, lots, "member_id,tier\n"))
    assert (report["exact"], report["points"]["points"]["in_ledger"]) == (True, count * (count + 1) // 2)
    assert len(queries) < 250
    clerk, chosen = staff(), who("c-700")
    adjust(member_id=chosen.pk, points=50, staff_id=clerk.pk, note="Sorry", at=NOON)
    adjust(member_id=chosen.pk, points=-1, staff_id=clerk.pk, note="Sorry", at=NOON)
    spend(member_id=chosen.pk, wallet_id=Wallet.objects.get(is_default=True).pk, points=700, kind=Transfer.Kind.REDEEM,
          to_kind=AccountKind.REDEEMED, why=Why(), at=NOON)  # fmt: skip
    assert balance("c-700") == (50, 0, 0)
    assert verify(at=NOON) == []


def test_duplicate_cards_lead_to_one_member_only(tmp_path: Path, shop: Partner) -> None:
    """odoo PR 145782: a card number that two customers have."""
    own = member()
    source = files(
        tmp_path,
        members=MEMBERS + f"c-4,,,,,,,,600649000001,\nc-5,,,,,,,,{own.card_number},\n",
    )
    report = run(source)
    assert report["members"]["refused"] == 2
    assert [row["reason"] for row in table(source / "moving-in.rejected.csv")] == [
        "Card 600649000001 stands on line 2 already: a card belongs to one member.",
        f"Card {own.card_number} belongs to another member already.",
    ]
    assert find_member({"card_number": "6006 4900 0001"}, partner=shop) == who("c-1")
    assert find_member({"card_number": "old77"}, partner=PartnerFactory()) == who("c-2")
    assert find_member({"card_number": own.card_number}, partner=shop) == own
    with pytest.raises(UnknownMember):
        find_member({"card_number": "600649009999"}, partner=shop)


def test_opening_balances_when_moving_from_another_system(tmp_path: Path, shop: Partner) -> None:
    """nopCommerce 7728, erpnext 40732: the sum of the old system is the sum here, per member and in all."""
    source = files(tmp_path)
    assert run(source)["exact"]
    assert [
        (
            row["member_id"],
            row["points_in_file"],
            row["points_in_ledger"],
            row["balance_now"],
            row["tier_in_ledger"],
        )
        for row in table(source / "moving-in.parity.csv")
    ] == [
        ("c-1", "420", "420", "420", "silver"),
        ("c-2", "50", "50", "50", "gold"),
        ("c-3", "0", "0", "0", "bronze"),
    ]


# --- Tiers ------------------------------------------------------------------------------------------------------------


def test_a_tier_that_points_do_not_give_is_reported(tmp_path: Path, shop: Partner) -> None:
    report = run(files(tmp_path, tiers="member_id,tier\nc-3,gold\n"))
    assert (report["exit"], report["exact"]) == (1, False)
    assert report["differences"] == [
        {"member_id": "c-3", "what": "tier gold in the file, bronze here: 0 tier points count"}
    ]


def test_or_held_by_hand_in_the_name_of_staff(tmp_path: Path, shop: Partner) -> None:
    clerk = staff()
    report = run(
        files(tmp_path, tiers="member_id,tier,held_until\nc-3,gold,2026-09-30\n"), "--staff", clerk.email
    )
    assert (report["exact"], report["tiers_held_by_hand"]) == (True, 1)
    hold = TierHold.objects.get()
    assert (hold.member, hold.kind, hold.staff) == (who("c-3"), TierHold.Kind.FLOOR, clerk)
    assert hold.until == dt.datetime(2026, 9, 30, 21, tzinfo=dt.UTC)
    assert (who("c-3").tier.code, verify(at=NOON)) == ("gold", [])
    TierHold.objects.update(ended_at=NOON)
    run(tmp_path, "--staff", clerk.email)
    assert TierHold.objects.count() == 1  # what staff lifted stays lifted


def test_more_points_than_the_tier_takes_lift_the_member(tmp_path: Path, shop: Partner) -> None:
    report = run(
        files(tmp_path, tiers="member_id,tier,held_since,held_until,qualifying_points\nc-3,silver,,,6000\n")
    )
    assert report["differences"][0]["what"] == "tier silver in the file, gold here: 6000 tier points count"
    assert verify(at=NOON) == []


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("6006 4900-0001", "600649000001"),
        ("abc-12", "ABC12"),
        ("123", ""),
        ("x" * 26, ""),
        ("9000000000000000", ""),
    ],
)
def test_numbers_of_other_cards(given: str, stored: str) -> None:
    assert former_number(given) == stored
