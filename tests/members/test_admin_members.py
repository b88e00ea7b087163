"""Support's desk: one search for everything, a list of constant cost, one timeline, corrections and consents."""

import datetime as dt
from decimal import Decimal

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import translation

from loyalty.models import Programme
from members.activities import LineFacts, NewActivity
from members.consents import has_consent
from members.models import ConsentChange, Member, Tier
from members.search import search
from members.timeline import timeline
from rewards import ledger
from rewards.earning import record_and_reward
from rewards.grants import adjust
from rewards.models import Lot
from tests.factories.members import NOON, member
from tests.factories.partners import PartnerFactory
from tests.factories.staff import logged_in, staff

pytestmark = pytest.mark.django_db

LIST = "admin:members_member_changelist"


def purchase(who: Member, external_id: str, total: str = "42.50", at: dt.datetime = NOON) -> None:
    partner = who.enrolled_by or PartnerFactory()
    line = LineFacts("SKU1", "COFFEE", "FOOD", Decimal(1), Decimal(total))
    new = NewActivity(
        partner.pk, who.pk, external_id, "purchase", at, "EUR", Decimal(total), "kamppi", "store", (line,)
    )
    record_and_reward(new, at=at)


# --- Search -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def aino() -> Member:
    return member(
        partner=PartnerFactory(),
        external_id="C-0042",
        first_name="Aino Maria",
        last_name="Virtanen-Öhman",
        email="aino.virtanen@example.com",
        phone="+358401234567",
    )


def found(text: str) -> list[Member]:
    return list(search(Member.objects.all(), text))


def test_one_box_finds_by_every_identifier(aino: Member) -> None:
    member(first_name="Eero", last_name="Laine", email="eero@example.com", phone="+358409999999")
    card = aino.card_number
    for text in (
        card,
        f" {card[:4]} {card[4:8]} {card[8:12]} {card[12:]} ",
        card[:8],
        "aino.virtanen@example.com",
        "AINO.Virtanen@Example.com",
        "0401234567",
        "040 123 4567",
        "+358 40 123 4567",
        "00358401234567",
        "C-0042",
        str(aino.public_id),
        "aino",
        "Virtanen",
        "öhman",
        "virtanen aino",
        "maria virt",
    ):
        assert found(text) == [aino], text


def test_what_nobody_has_finds_nobody(aino: Member) -> None:
    for text in ("9999 9999 9999 9999", "nobody@example.com", "+358501111111", "C-9", "Zzz", "\x00zz"):
        assert found(text) == [], text


def test_an_empty_box_shows_everybody(aino: Member) -> None:
    assert found("  ") == [aino]


# --- List -------------------------------------------------------------------------------------------------------------


def test_the_list_costs_the_same_for_one_and_for_thirty() -> None:
    client = logged_in(staff(superuser=True))
    member()
    client.get(reverse(LIST))
    with CaptureQueriesContext(connection) as one:
        assert client.get(reverse(LIST)).status_code == 200
    for number in range(29):
        purchase(member(partner=PartnerFactory()), f"T{number}")
    with CaptureQueriesContext(connection) as thirty:
        assert client.get(reverse(LIST)).status_code == 200
    assert len(thirty) == len(one)


def test_the_list_shows_card_tier_and_points(aino: Member) -> None:
    purchase(aino, "T1", "1234.00")
    page = logged_in(staff(group="Support")).get(reverse(LIST), {"q": "virtanen"}).content.decode()
    card = aino.card_number
    assert f"{card[:4]} {card[4:8]} {card[8:12]} {card[12:]}" in page
    assert "Hopea" in page or "Silver" in page
    assert reverse("admin:members_member_overview", args=[aino.pk]) in page


def test_the_download_holds_what_the_search_left(aino: Member) -> None:
    member(first_name="=1+1", last_name="Laine", email="eero@example.com")
    client = logged_in(staff(superuser=True))
    answer = client.get(reverse("admin:members_member_download_csv"), {"q": "laine"})
    lines = b"".join(answer.streaming_content).decode("utf-8-sig").splitlines()  # type: ignore[attr-defined]
    assert len(lines) == 2
    assert "'=1+1,Laine,eero@example.com" in lines[1]


# --- Pages ------------------------------------------------------------------------------------------------------------


def test_the_timeline_tells_what_happened_and_why(aino: Member) -> None:
    boss = staff(superuser=True)
    purchase(aino, "T1", at=NOON + dt.timedelta(days=1))
    adjust(
        member_id=aino.pk, points=50, staff_id=boss.pk, note="Lost receipt", at=NOON + dt.timedelta(days=2)
    )
    page = timeline(aino, may_see=lambda _permission: True)
    told = [(entry.kind, str(entry.title), entry.points) for entry in page.entries]
    assert [kind for kind, _title, _points in told] == ["transfer", "activity", "tier"]
    assert [points for _kind, _title, points in told] == [50, 42, None]
    assert [(reason.points, reason.detail) for reason in page.entries[1].reasons] == [
        (42, page.entries[1].reasons[0].detail)
    ]
    assert "Lost receipt" in page.entries[0].detail
    assert page.before is None


def test_lots_that_expired_at_one_moment_are_one_entry(aino: Member) -> None:
    for number in range(3):
        purchase(aino, f"T{number}", at=NOON + dt.timedelta(days=number))
    end = Lot.objects.filter(member=aino).values_list("expires_at", flat=True).distinct().get()
    ledger.expire_due(at=end)
    with translation.override("en"):
        page = timeline(aino, may_see=lambda _permission: True)
        told = [(entry.at, str(entry.title), entry.detail, entry.points) for entry in page.entries]
    assert told[0] == (end, "Points expired", "3 lots at once", -126)
    assert [points for _at, _title, _detail, points in told[1:]] == [42, 42, None, 42]
    answer = logged_in(staff(superuser=True)).get(page.entries[0].url)
    assert answer.context["cl"].result_count == 3


def test_the_overview_says_until_when_points_are_valid_as_the_portal_does(aino: Member) -> None:
    purchase(aino, "T1")
    client = logged_in(staff(superuser=True))
    client.cookies["django_language"] = "en"
    page = client.get(reverse("admin:members_member_overview", args=[aino.pk]))
    assert "42 of them valid until 30.6.2028" in page.content.decode()


def test_the_timeline_goes_on_where_a_page_ended(aino: Member) -> None:
    for day in range(7):
        purchase(aino, f"T{day}", at=NOON + dt.timedelta(days=day + 1))
    seen = []
    before = None
    for _page in range(10):
        page = timeline(aino, may_see=lambda _permission: True, before=before, size=3)
        seen += [entry.position for entry in page.entries]
        before = page.before
        if before is None:
            break
    assert len(seen) == len(set(seen)) == 8
    assert seen == sorted(seen, reverse=True)


def test_the_overview_costs_the_same_for_one_activity_and_for_thirty(aino: Member) -> None:
    client = logged_in(staff(superuser=True))
    url = reverse("admin:members_member_overview", args=[aino.pk])
    purchase(aino, "T0")
    client.get(url)
    with CaptureQueriesContext(connection) as one:
        assert client.get(url).status_code == 200
    for number in range(29):
        purchase(aino, f"T{number + 1}", at=NOON + dt.timedelta(hours=number))
    with CaptureQueriesContext(connection) as thirty:
        assert client.get(url).status_code == 200
    assert (
        len(thirty) <= len(one) + 1
    )  # the first time points expire is asked once there is something to expire


def test_possible_duplicates_are_shown(aino: Member) -> None:
    twin = member(
        first_name="A.", last_name="Virtanen", email="aino.virtanen+shop@example.com", phone="+358401234567"
    )
    page = logged_in(staff(group="Support")).get(reverse("admin:members_member_overview", args=[aino.pk]))
    [likeness] = page.context["duplicates"]
    assert likeness.member == twin
    assert len(likeness.shared) == 2


def test_unknown_members_and_nonsense_are_not_found(aino: Member) -> None:
    client = logged_in(staff(superuser=True))
    for object_id in ("999999", "x", "9" * 30):
        assert client.get(reverse("admin:members_member_overview", args=[object_id])).status_code == 404
    overview = reverse("admin:members_member_overview", args=[aino.pk])
    assert client.get(overview, {"before": "yesterday"}).status_code == 404


def test_pages_are_refused_without_the_right(aino: Member) -> None:
    client = logged_in(staff("campaigns.view_campaign"))
    for name in ("overview", "consents", "change"):
        url = reverse(f"admin:members_member_{name}", args=[aino.pk])
        assert client.get(url).status_code == 403, name
    assert client.get(reverse(LIST)).status_code == 403


def test_what_one_may_not_see_is_left_out(aino: Member) -> None:
    purchase(aino, "T1")
    client = logged_in(staff("members.view_member"))
    page = client.get(reverse("admin:members_member_overview", args=[aino.pk]))
    assert [entry.kind for entry in page.context["page"].entries] == ["tier"]
    assert page.context["tiles"] == []
    assert page.context["consents"] == []


# --- Changes ----------------------------------------------------------------------------------------------------------


def form_of(who: Member, **changes: str) -> dict[str, str]:
    return {
        "first_name": who.first_name,
        "last_name": who.last_name,
        "email": who.email,
        "phone": who.phone,
        "birth_date": "",
        "language": who.language,
        "time_zone": who.time_zone,
        "acquisition_channel": who.acquisition_channel,
        "status": who.status,
        **changes,
    }


def test_a_correction_writes_only_what_was_changed(aino: Member) -> None:
    client = logged_in(staff(group="Support"))
    url = reverse("admin:members_member_change", args=[aino.pk])
    with CaptureQueriesContext(connection) as queries:
        answer = client.post(url, form_of(aino, phone="040 765 4321"))
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    updates = [query["sql"] for query in queries if query["sql"].startswith('UPDATE "members_member"')]
    assert len(updates) == 1
    assert "tier" not in updates[0].split("WHERE")[0]
    aino.refresh_from_db()
    assert aino.phone == "+358407654321"
    assert LogEntry.objects.count() == 1


def test_an_address_of_another_member_is_refused(aino: Member) -> None:
    other = member(email="eero@example.com")
    client = logged_in(staff(group="Support"))
    answer = client.post(
        reverse("admin:members_member_change", args=[aino.pk]),
        form_of(aino, email="EERO@example.com", phone="12"),
    )
    assert answer.status_code == 200
    assert set(answer.context["adminform"].form.errors) == {"email", "phone"}
    assert reverse("admin:members_member_overview", args=[other.pk]) in answer.content.decode()
    aino.refresh_from_db()
    assert aino.email == "aino.virtanen@example.com"


def test_staff_enrol_somebody_with_what_they_agree_to() -> None:
    clerk = staff(group="Support")
    new = {
        "first_name": "Linnea",
        "last_name": "Lindström",
        "email": "Linnea@Example.com",
        "phone": "",
        "birth_date": "",
        "language": "sv",
        "time_zone": "Europe/Helsinki",
        "acquisition_channel": "store",
        "consent-marketing-email": "on",
    }
    answer = logged_in(clerk).post(reverse("admin:members_member_add"), new)
    linnea = Member.objects.get()
    assert answer.status_code == 302
    assert answer["Location"] == reverse("admin:members_member_overview", args=[linnea.pk])
    assert (linnea.source, linnea.email, linnea.language) == ("staff", "linnea@example.com", "sv")
    assert has_consent(linnea.pk, "marketing", "email")
    assert not has_consent(linnea.pk, "profiling")
    assert [change.staff for change in ConsentChange.objects.all()] == [clerk]


def test_nobody_is_enrolled_without_a_name_or_twice(aino: Member) -> None:
    client = logged_in(staff(group="Support"))
    rest = {"language": "fi", "time_zone": "Europe/Helsinki", "acquisition_channel": "store"}
    for wrong in ({}, {"first_name": "A", "email": "Aino.Virtanen@example.com"}, {"phone": "123"}):
        assert client.post(reverse("admin:members_member_add"), rest | wrong).status_code == 200
    assert list(Member.objects.all()) == [aino]


def test_consents_are_noted_with_the_name_of_who_asked(aino: Member) -> None:
    clerk = staff(group="Support")
    client = logged_in(clerk)
    url = reverse("admin:members_member_consents", args=[aino.pk])
    assert client.post(url, {"consent-profiling-any": "on"}).status_code == 302
    assert has_consent(aino.pk, "profiling")
    assert client.post(url, {"consent-profiling-any": "on"}).status_code == 302
    [change] = ConsentChange.objects.all()
    assert (change.source, change.staff, change.granted) == ("staff", clerk, True)


def test_consents_are_not_changed_without_the_right(aino: Member) -> None:
    client = logged_in(staff("members.view_member", "members.view_consent"))
    url = reverse("admin:members_member_consents", args=[aino.pk])
    assert client.get(url).status_code == 200
    assert client.post(url, {"consent-profiling-any": "on"}).status_code == 403
    assert not ConsentChange.objects.exists()


def test_nobody_deletes_a_member(aino: Member) -> None:
    client = logged_in(staff(superuser=True))
    assert (
        client.post(reverse("admin:members_member_delete", args=[aino.pk]), {"post": "yes"}).status_code
        == 403
    )
    assert Member.objects.exists()


def test_a_tier_renamed_is_read_again_by_every_process() -> None:
    tier = Tier.objects.get(code="silver")
    before = Programme.objects.get(pk=1).terms_version
    page = logged_in(staff(superuser=True))
    form = {"rank": tier.rank, "names_fi": "Hopeinen", "names_sv": "Silver", "names_en": "Silver"}
    answer = page.post(reverse("admin:members_tier_change", args=[tier.pk]), form)

    tier.refresh_from_db()
    assert (answer.status_code, tier.names["fi"]) == (302, "Hopeinen")
    assert Programme.objects.get(pk=1).terms_version > before
