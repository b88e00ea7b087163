"""Leaving the programme: afterwards nothing in the whole database says who it was, and the books are as they were."""

import datetime as dt
from collections.abc import Sequence

import pytest
from allauth.account.models import EmailAddress
from allauth.usersessions.models import UserSession
from axes.models import AccessAttempt
from django.contrib.admin.models import LogEntry
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import translation

from campaigns.models import Message
from loyalty.api.models import IdempotencyKey
from loyalty.events import dispatch
from loyalty.events.models import Event
from members.consents import set_consent
from members.former_cards import add_cards
from members.models import ConsentChange, ExternalId, Member, TierHold, User
from members.privacy import erase
from referrals.codes import code_of
from referrals.models import ReferralCode
from rewards.models import Transfer
from rewards.verification import verify
from tests.factories.campaigns import MessageFactory
from tests.factories.members import NOON, member
from tests.factories.partners import PartnerFactory
from tests.factories.portal import PASSWORD, portal_member
from tests.factories.rewards import purchase
from tests.factories.staff import logged_in, staff

pytestmark = pytest.mark.django_db
LATER = NOON + dt.timedelta(days=1)


@pytest.fixture(autouse=True)
def _english(settings) -> None:
    settings.LANGUAGE_CODE = "en"
    with translation.override("en"):
        yield


@pytest.fixture
def known() -> Member:
    """A member of whom something is written wherever something can be."""
    aino = portal_member(
        "aino.salainen@example.com",
        first_name="Ainotar",
        last_name="Salainen",
        phone="+358401230987",
        birth_date=dt.date(1987, 3, 9),
    )
    shop = PartnerFactory(slug="shop")
    ExternalId.objects.create(partner=shop, external_id="cust-4711", member=aino, created_at=NOON)
    add_cards({"OLDCARD4711": aino.pk}, partner_id=shop.pk, at=NOON)
    set_consent(
        member_id=aino.pk, purpose="marketing", channel="email", granted=True, source="portal", at=NOON
    )
    purchase(aino, total="120.00", partner=shop)
    IdempotencyKey.objects.create(
        partner=shop,
        key="k-1",
        request_digest=b"x",
        status=201,
        body=f'{{"id": "{aino.public_id}", "first_name": "Ainotar"}}',
        created_at=NOON,
    )
    for status in (Message.Status.SENT, Message.Status.DUE):
        MessageFactory(
            member=aino,
            status=status,
            subject="Ainotar!",
            body="Dear Ainotar Salainen",
            detail="<aino.salainen@example.com> greylisted",
        )
    code_of(aino, NOON)
    TierHold.objects.create(
        member=aino, tier=aino.tier, kind="floor", set_at=NOON, note="Ms Salainen rang", staff=staff()
    )
    support = logged_in(staff(superuser=True))
    support.post(
        reverse("admin:members_member_change", args=[aino.pk]),
        {
            **{name: getattr(aino, name) for name in ("first_name", "last_name", "language", "time_zone")},
            "birth_date": "1987-03-09",
            "phone": aino.phone,
            "status": "active",
            "acquisition_channel": "store",
        },
    )
    assert LogEntry.objects.filter(object_repr="Ainotar Salainen").exists()
    AccessAttempt.objects.create(username="aino.salainen@example.com", failures_since_start=1)
    aino.refresh_from_db()
    return aino


def secrets_of(someone: Member) -> list[str]:
    """Every text by which somebody could tell who it was."""
    codes = ReferralCode.objects.filter(member=someone).values_list("code", flat=True)
    return [
        *("Ainotar", "Salainen", "aino.salainen", "401230987", "1987-03-09", "cust-4711", "OLDCARD4711"),
        *(someone.card_number, *codes),
    ]


def places_of(texts: Sequence[str]) -> set[tuple[str, str, str]]:
    """Table, column and text, wherever one of the texts stands in the whole database."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public' "
            "AND data_type NOT IN ('boolean', 'bytea', 'timestamp with time zone')"
        )
        found = set()
        for table, column in cursor.fetchall():
            cursor.execute(
                f"SELECT t FROM unnest(%s::text[]) AS t "
                f"WHERE EXISTS (SELECT 1 FROM \"{table}\" WHERE \"{column}\"::text ILIKE '%%' || t || '%%')",
                [list(texts)],
            )
            found |= {(table, column, text) for (text,) in cursor.fetchall()}
    return found


def test_a_search_of_the_whole_database_finds_nothing_of_who_it_was(known: Member) -> None:
    texts = secrets_of(known)
    assert {text for _table, _column, text in places_of(texts)} == set(texts)  # the search does find
    assert erase(member_id=known.pk, source="portal", at=LATER)
    assert places_of(texts) == set()


def test_the_books_and_what_happened_stay_as_they_were(known: Member) -> None:
    before = list(Transfer.objects.order_by("pk").values())
    erase(member_id=known.pk, source="portal", at=LATER)
    assert list(Transfer.objects.order_by("pk").values()) == before
    assert verify(at=LATER) == []
    known.refresh_from_db()
    assert (known.status, known.user, known.activities.count()) == ("erased", None, 1)


def test_consents_end_as_withdrawn_and_their_history_stays(known: Member) -> None:
    erase(member_id=known.pk, source="staff", at=LATER, staff_id=staff().pk)
    rows = ConsentChange.objects.filter(member=known).order_by("pk")
    assert [(row.granted, row.source) for row in rows] == [(True, "portal"), (False, "staff")]
    assert not known.consents.filter(granted=True).exists()


def test_what_was_queued_is_not_sent_and_what_was_sent_has_no_words(known: Member) -> None:
    erase(member_id=known.pk, source="portal", at=LATER)
    rows = (
        Message.objects.filter(member=known)
        .order_by("pk")
        .values_list("status", "reason", "subject", "body", "detail")
    )
    assert list(rows) == [("sent", "", "", "", ""), ("skipped", "not_a_member", "", "", "")]


def test_what_was_written_while_the_member_left_is_forgotten_too(known: Member) -> None:
    erase(member_id=known.pk, source="portal", at=LATER)
    late = MessageFactory(member=known, body="Dear Ainotar")
    dispatch.dispatch_batch(at=LATER)
    late.refresh_from_db()
    assert (late.status, late.body) == ("skipped", "")


def test_it_is_done_and_told_once(known: Member) -> None:
    assert erase(member_id=known.pk, source="portal", at=LATER)
    card = Member.objects.get(pk=known.pk).card_number
    assert not erase(member_id=known.pk, source="staff", at=LATER)
    told = Event.objects.get(name="member.erased")
    assert (told.member_id, told.facts) == (known.pk, {"source": "portal"})
    assert Member.objects.get(pk=known.pk).card_number == card


def test_somebody_who_works_here_keeps_the_staff_log_in() -> None:
    worker = staff(group="Support")
    someone = member(user=worker, email="worker@example.com")
    erase(member_id=someone.pk, source="portal", at=LATER)
    worker.refresh_from_db()
    assert (worker.is_active, worker.groups.count()) == (True, 1)
    assert Member.objects.get(pk=someone.pk).email == ""


def test_what_somebody_decided_when_they_worked_here_keeps_a_nameless_row(known: Member) -> None:
    user = known.user
    assert user is not None
    ConsentChange.objects.create(
        member=member(),
        purpose="marketing",
        channel="sms",
        granted=True,
        source="staff",
        staff=user,
        changed_at=NOON,
    )
    erase(member_id=known.pk, source="portal", at=LATER)
    user.refresh_from_db()
    assert (user.email, user.first_name, user.is_active) == (f"erased-{user.pk}@invalid", "", False)
    assert not user.has_usable_password()
    assert not EmailAddress.objects.filter(user=user).exists()


def test_the_same_person_may_join_again_and_begins_anew(known: Member) -> None:
    erase(member_id=known.pk, source="portal", at=LATER)
    again = portal_member("aino.salainen@example.com")
    assert again.pk != known.pk
    assert again.activities.count() == 0


# --- In the portal ----------------------------------------------------------------------------------------------------


def logged_in_afresh(someone: Member) -> Client:
    client = Client(headers={"accept-language": "en"})
    client.post("/account/login/", {"login": someone.email, "password": PASSWORD})
    asked = client.get("/profile/leave/")["Location"]
    client.post(asked, {"password": PASSWORD, "next": "/profile/leave/"})
    return client


def test_leaving_asks_for_the_log_in_afresh(known: Member) -> None:
    client = Client()
    client.force_login(known.user)
    for answer in (client.get("/profile/leave/"), client.post("/profile/leave/", {"sure": "on"})):
        assert answer.status_code == 302
        assert answer["Location"].startswith("/account/reauthenticate/")
    known.refresh_from_db()
    assert known.status == "active"


def test_the_page_says_what_is_lost_and_wants_a_tick(known: Member) -> None:
    client = logged_in_afresh(known)
    page = client.get("/profile/leave/").content.decode()
    assert "120 points" in page
    assert reverse("my-data") in page
    answer = client.post("/profile/leave/", {})
    assert "Tick the box if you want to leave." in answer.content.decode()
    known.refresh_from_db()
    assert known.status == "active"


def test_a_member_leaves_and_every_session_ends(known: Member) -> None:
    here, elsewhere = logged_in_afresh(known), logged_in_afresh(known)
    elsewhere.get("/")
    user_id = known.user_id
    answer = here.post("/profile/leave/", {"sure": "on"}, follow=True)
    assert "You have left the programme." in answer.content.decode()
    assert elsewhere.get("/profile/")["Location"].startswith("/account/login/")
    assert not User.objects.filter(pk=user_id).exists()
    assert not UserSession.objects.filter(user_id=user_id).exists()
    assert not any(str(user_id) == row.get_decoded().get("_auth_user_id") for row in Session.objects.all())


def test_a_members_own_copy_holds_their_messages_and_nobody_elses(known: Member) -> None:
    MessageFactory(member=member(), subject="For somebody else")
    code = ReferralCode.objects.get(member=known).code
    answer = logged_in_afresh(known).get("/profile/my-data.json")
    data = answer.json()
    assert [(row["subject"], row["body"], row["status"]) for row in data["messages"]] == [
        ("Ainotar!", "Dear Ainotar Salainen", "sent"),
        ("Ainotar!", "Dear Ainotar Salainen", "due"),
    ]
    nothing = {"former_codes": [], "friends_joined": 0, "friends": [], "invited": None}
    assert data["invitations"] == {"code": code} | nothing
    assert data["gifts"] == {"by_card": True, "by_email": False}
    assert "For somebody else" not in answer.content.decode()


# --- In the admin -----------------------------------------------------------------------------------------------------


def erase_url(someone: Member) -> str:
    return reverse("admin:members_member_erase", args=[someone.pk])


@pytest.mark.parametrize(
    "rights", [("members.view_member", "members.change_member"), ("members.erase_member",)]
)
def test_without_the_right_nobody_is_erased(known: Member, rights: tuple[str, ...]) -> None:
    client = logged_in(staff(*rights))
    assert client.get(erase_url(known)).status_code == 403
    assert client.post(erase_url(known), {"digits": known.card_number[-4:]}).status_code == 403
    known.refresh_from_db()
    assert (known.status, Event.objects.filter(name="member.erased").count()) == ("active", 0)


def test_a_slip_erases_nobody(known: Member) -> None:
    wrong = f"{(int(known.card_number[-4:]) + 1) % 10000:04}"
    page = logged_in(staff(group="Support")).post(erase_url(known), {"digits": wrong}).content.decode()
    assert "These are not the last four digits" in page
    known.refresh_from_db()
    assert known.status == "active"


@pytest.mark.parametrize("status", ["active", "closed"])
def test_staff_erase_a_member_by_typing_the_cards_last_digits(known: Member, status: str) -> None:
    Member.objects.filter(pk=known.pk).update(status=status)
    client = logged_in(staff(group="Support"))
    overview = reverse("admin:members_member_overview", args=[known.pk])
    assert erase_url(known) in client.get(overview).content.decode()
    texts = secrets_of(known)
    assert "120 points" in client.get(erase_url(known)).content.decode()
    answer = client.post(erase_url(known), {"digits": known.card_number[-4:]}, follow=True)
    assert "The member is erased." in answer.content.decode()
    assert erase_url(known) not in answer.content.decode()
    assert client.get(erase_url(known)).status_code == 403
    assert places_of(texts) == set()
    log = LogEntry.objects.latest("pk")
    assert (log.object_id, log.change_message) == (str(known.pk), "Erased")


def test_nobody_writes_a_name_into_an_erased_members_row(known: Member) -> None:
    erase(member_id=known.pk, source="portal", at=LATER)
    client = logged_in(staff(superuser=True))
    change = reverse("admin:members_member_change", args=[known.pk])
    assert client.post(change, {"first_name": "Ainotar", "status": "active"}).status_code == 403
    known.refresh_from_db()
    assert (known.first_name, known.status) == ("", "erased")
