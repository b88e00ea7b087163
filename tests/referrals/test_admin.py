"""Staff draft a programme, start it and revise its terms by date; and decide what is held, with a note."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils.translation import override

from members.models import Member
from referrals import programmes
from referrals.fraud import review
from referrals.models import (
    ChannelSpend,
    DisposableDomain,
    Referral,
    ReferralProgramme,
    Signal,
    SignalWeight,
)
from tests.factories.members import NOON, member
from tests.factories.referrals import DAY, brought, buys, programme, settle
from tests.factories.staff import logged_in, staff

pytestmark = pytest.mark.django_db
LIST = "admin:referrals_referralprogramme_"


@pytest.fixture(autouse=True)
def _english(settings: Any) -> Any:
    settings.LANGUAGE_CODE = "en"
    with override("en"):
        yield


@pytest.fixture
def marketer() -> Client:
    return logged_in(staff(group="Marketing"))


def terms_form(**changes: Any) -> dict[str, Any]:
    return {
        "trigger": "first_purchase",
        "purchases": 1,
        "spend": "0",
        "minimum_purchase": "20",
        "within_days": 90,
        "waiting_days": 14,
        "attribution_days": 30,
        "touch": "last",
        "referrer_points": 500,
        "friend_points": 250,
        "cap_period_days": 30,
        "hold_from": 100,
        "milestones-TOTAL_FORMS": 3,
        "milestones-INITIAL_FORMS": 0,
        "milestones-0-friends": 10,
        "milestones-0-points": 2000,
        "milestones-1-friends": 3,
        "milestones-1-points": 500,
    } | changes


def drafted(client: Client, **changes: Any) -> ReferralProgramme:
    body = {
        "code": "spring",
        "names_fi": "Kevät",
        "names_sv": "Vår",
        "names_en": "Spring",
        "priority": 50,
    } | changes
    answer = client.post(reverse(f"{LIST}add"), body)
    made = ReferralProgramme.objects.filter(code="spring").first()
    assert made is not None, answer.context["adminform"].form.errors
    assert answer.headers["Location"] == reverse(f"{LIST}revise", args=[made.pk])
    return made


def act(client: Client, row: ReferralProgramme, do: str) -> str:
    answer = client.post(reverse(f"{LIST}act", args=[row.pk]), {"do": do})
    assert answer.status_code == 302
    row.refresh_from_db()
    return row.status


def page(client: Client, row: ReferralProgramme) -> str:
    return client.get(reverse(f"{LIST}change", args=[row.pk])).content.decode()


# --- Programmes -------------------------------------------------------------------------------------------------------


def test_a_programme_is_drafted_given_its_terms_and_started(marketer: Client) -> None:
    made = drafted(marketer)
    assert act(marketer, made, "start") == "draft"
    revised = marketer.post(reverse(f"{LIST}revise", args=[made.pk]), terms_form())
    assert revised.status_code == 302, revised.context["form"].errors
    terms = made.terms.get()
    assert (terms.referrer_points, terms.friend_points, terms.number) == (500, 250, 1)
    assert [step["friends"] for step in terms.milestones] == [3, 10]
    assert act(marketer, made, "start") == "running"
    assert act(marketer, made, "pause") == "paused"
    assert act(marketer, made, "start") == "running"
    assert act(marketer, made, "end") == "ended"
    assert act(marketer, made, "start") == "ended"
    act(marketer, made, "archive")
    assert made.archived_at is not None
    assert marketer.post(reverse(f"{LIST}revise", args=[made.pk]), terms_form()).status_code == 403


def test_terms_are_read_back_without_being_saved(marketer: Client) -> None:
    made = drafted(marketer)
    answer = marketer.post(reverse(f"{LIST}revise", args=[made.pk]), terms_form(preview="1"))
    text = answer.content.decode()
    assert "The referrer gets 500 points, the friend 250 points, for a first purchase of at least" in text
    assert "3 friends: 500 points" in text
    assert not made.terms.exists()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"referrer_points": 0, "friend_points": 0}, "referrer_points"),
        ({"trigger": "spend"}, "spend"),
        ({"trigger": "activity"}, "activity_kind"),
        ({"cap": 0}, "cap"),
        ({"valid_from_0": "2020-01-01", "valid_from_1": "12:00:00"}, "valid_from"),
        ({"milestones-1-friends": 10}, "__all__"),
    ],
)
def test_what_cannot_be_is_said_beside_its_field(
    marketer: Client, changes: dict[str, Any], field: str
) -> None:
    row = programme().programme
    before = row.terms.get()
    answer = marketer.post(reverse(f"{LIST}revise", args=[row.pk]), terms_form(**changes))
    assert list(answer.context["form"].errors) == [field]
    assert row.terms.get() == before


def test_a_running_programmes_terms_are_revised_and_their_history_is_shown(marketer: Client) -> None:
    first = programme()
    brought(member())
    answer = marketer.post(
        reverse(f"{LIST}revise", args=[first.programme_id]), terms_form(budget_points=9000)
    )
    assert answer.status_code == 302, answer.context["form"].errors
    assert list(first.programme.terms.values_list("number", "referrer_points")) == [(2, 500), (1, 100)]
    text = page(marketer, first.programme)
    assert "Revision 1" in text
    assert "Revision 2" in text
    assert "1 friend joined under it" in text
    assert "<del>100</del>" in text
    assert "<ins>500</ins>" in text


def test_the_form_of_a_revision_starts_from_the_terms_before(marketer: Client) -> None:
    row = programme(cap=7, milestones=[{"friends": 4, "points": 40, "voucher": None}])
    answer = marketer.get(reverse(f"{LIST}revise", args=[row.programme_id]))
    assert answer.context["form"]["cap"].value() == 7
    assert [form["friends"].value() for form in answer.context["milestone_forms"]] == [4, None, None]


def test_the_figures_count_where_friends_stand(marketer: Client) -> None:
    terms = programme(budget_points=1000)
    rewarded, waiting, held = (brought(member()) for _number in range(3))
    brought(member())
    buys(rewarded)
    settle(rewarded)
    buys(waiting)
    buys(held)
    held_by_staff(held)
    figures = marketer.get(reverse(f"{LIST}change", args=[terms.programme_id])).context["figures"]
    assert (figures.joined, figures.open, figures.waiting, figures.held, figures.rewarded) == (4, 1, 1, 1, 1)
    assert (figures.points, figures.budget_left) == (150, 850)


def test_dates_that_make_no_sense_are_refused(marketer: Client) -> None:
    body = {
        "starts_at_0": "2026-07-02",
        "starts_at_1": "12:00",
        "ends_at_0": "2026-07-01",
        "ends_at_1": "12:00",
    }
    names = {"code": "x", "names_fi": "X", "names_sv": "X", "names_en": "X", "priority": 1}
    answer = marketer.post(reverse(f"{LIST}add"), names | body)
    assert list(answer.context["adminform"].form.errors) == ["ends_at"]
    assert not ReferralProgramme.objects.filter(code="x").exists()


def test_support_reads_programmes_and_changes_none() -> None:
    support = logged_in(staff(group="Support"))
    row = programme().programme
    assert support.get(reverse(f"{LIST}change", args=[row.pk])).status_code == 200
    assert support.get(reverse(f"{LIST}revise", args=[row.pk])).status_code == 403
    assert support.post(reverse(f"{LIST}act", args=[row.pk]), {"do": "end"}).status_code == 403
    assert programmes.running(NOON).filter(pk=row.pk).exists()


# --- Review -----------------------------------------------------------------------------------------------------------


def held_by_staff(referral: Referral) -> None:
    review.hold(referral_id=referral.pk, staff_id=staff().pk, at=NOON, note="")
    referral.refresh_from_db()


@pytest.fixture
def held() -> Referral:
    """A referral held for a device in common."""
    programme()
    referral = brought(member(first_name="Aino", last_name="Virta"))
    buys(referral)
    facts = {"referrer": True, "friends": 2}
    Signal.objects.create(referral=referral, kind="same_device", weight=60, facts=facts, found_at=NOON)
    held_by_staff(referral)
    return referral


def decide(client: Client, referral: Referral, **body: str) -> str:
    answer = client.post(reverse("admin:referrals_referral_decide", args=[referral.pk]), body)
    assert answer.status_code in (302, 403)
    referral.refresh_from_db()
    return referral.state


def test_the_queue_shows_what_is_held_and_why(held: Referral) -> None:
    support = logged_in(staff(group="Support"))
    text = support.get(reverse("admin:referrals_referral_review")).content.decode()
    assert "Aino Virta brought" in text
    assert "The same device: the referrer, 2 other friends of theirs." in text
    listed = support.get(reverse("admin:referrals_referral_changelist"), {"state__exact": "held"})
    assert "1 waits for a decision" in listed.content.decode()


def test_approving_lets_it_go_on_and_keeps_who_decided(held: Referral) -> None:
    clerk = staff(group="Support")
    assert decide(logged_in(clerk), held, decision="approve", note="A family") == "waiting"
    step = held.steps.last()
    assert step is not None
    assert (step.staff, step.note) == (clerk, "A family")
    assert (
        "A family"
        in logged_in(clerk).get(reverse("admin:referrals_referral_change", args=[held.pk])).content.decode()
    )
    assert settle(held, at=NOON + 30 * DAY) == "rewarded"


def test_rejecting_needs_a_note(held: Referral) -> None:
    support = logged_in(staff(group="Support"))
    assert decide(support, held, decision="reject", note=" ") == "held"
    assert decide(support, held, decision="reject", note="One person", queue="1") == "rejected"
    assert decide(support, held, decision="approve") == "rejected"


def test_an_appeal_comes_first_and_is_read(held: Referral) -> None:
    support = logged_in(staff(group="Support"))
    decide(support, held, decision="reject", note="One person")
    other = brought(member())
    buys(other)
    held_by_staff(other)
    review.appeal(referral_id=held.pk, member=held.referrer, text="She is my sister", at=NOON)
    answer = support.get(reverse("admin:referrals_referral_review"))
    assert [item.referral for item in answer.context["waiting"]] == [held, other]
    assert "She is my sister" in answer.content.decode()


def test_who_may_only_look_decides_nothing(held: Referral) -> None:
    finance = logged_in(staff(group="Finance"))
    text = finance.get(reverse("admin:referrals_referral_review")).content.decode()
    assert 'name="decision"' not in text
    assert decide(finance, held, decision="approve") == "held"
    nobody = logged_in(staff("members.view_member"))
    assert nobody.get(reverse("admin:referrals_referral_review")).status_code == 403
    assert nobody.get(reverse("admin:referrals_referral_around", args=[held.referrer_id])).status_code == 403


def test_the_queue_costs_the_same_however_many_wait(
    held: Referral, django_assert_max_num_queries: Any
) -> None:
    support = logged_in(staff(group="Support"))
    for _number in range(4):
        other = brought(member())
        buys(other)
        held_by_staff(other)
    with django_assert_max_num_queries(16):
        assert len(support.get(reverse("admin:referrals_referral_review")).context["waiting"]) == 5


def test_the_members_around_one_are_shown(held: Referral) -> None:
    further = brought(held.friend, friend=member(first_name="Onni", last_name="Laine"))
    text = (
        logged_in(staff(group="Support"))
        .get(reverse("admin:referrals_referral_around", args=[held.referrer_id]))
        .content.decode()
    )
    assert "Onni Laine" in text
    assert reverse("admin:referrals_referral_change", args=[further.pk]) in text


# --- What counts, and what channels cost ------------------------------------------------------------------------------


def test_weights_are_set_and_none_is_made_or_deleted(marketer: Client) -> None:
    row = SignalWeight.objects.get(kind="velocity")
    address = reverse("admin:referrals_signalweight_change", args=["velocity"])
    assert marketer.post(address, {"weight": 0}).status_code == 302
    row.refresh_from_db()
    assert row.weight == 0
    assert row.history.count() >= 1
    assert marketer.get(reverse("admin:referrals_signalweight_add")).status_code == 403


@pytest.mark.parametrize(
    ("typed", "kept"),
    [("Junk.Example ", "junk.example"), ("a@junk.example", "junk.example"), ("no domain", "")],
)
def test_a_domain_is_kept_as_it_is_compared(marketer: Client, typed: str, kept: str) -> None:
    before = set(DisposableDomain.objects.values_list("domain", flat=True))
    marketer.post(reverse("admin:referrals_disposabledomain_add"), {"domain": typed})
    added = set(DisposableDomain.objects.values_list("domain", flat=True)) - before
    assert added == ({kept} if kept else set())


def test_spend_on_a_channel_is_entered_by_hand(marketer: Client) -> None:
    body = {"channel": "event", "starts_on": "2026-06-01", "ends_on": "2026-06-30", "amount": "1200.50"}
    answer = marketer.post(reverse("admin:referrals_channelspend_add"), body)
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    row = ChannelSpend.objects.get()
    assert (str(row.amount), row.source) == ("1200.50", "staff")
    wrong = body | {"ends_on": "2026-05-01"}
    assert marketer.post(reverse("admin:referrals_channelspend_add"), wrong).status_code == 200
    assert ChannelSpend.objects.count() == 1


def test_codes_and_referrals_are_found_by_either_member(held: Referral) -> None:
    support = logged_in(staff(group="Support"))
    found = support.get(reverse("admin:referrals_referral_changelist"), {"q": "Aino Virta"})
    assert list(found.context["cl"].result_list) == [held]
    assert Member.objects.filter(pk=held.referrer_id).exists()
    none = support.get(reverse("admin:referrals_referral_changelist"), {"q": "nobody-at-all"})
    assert list(none.context["cl"].result_list) == []
