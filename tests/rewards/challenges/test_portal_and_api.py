"""What members and partners see of challenges: joining in, how far it is, leaving, and badges."""

import datetime as dt
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import translation

from loyalty import clock
from loyalty.events.models import Event
from loyalty.runs import record
from members.models import Member
from rewards.challenges import opening, progress, upkeep
from rewards.models import Challenge, ChallengeRound, MemberBadge, Participation, StepAward
from tests.api.till import Till
from tests.factories.challenges import JULY, badge, challenge
from tests.factories.members import NOON, member
from tests.factories.partners import PartnerFactory
from tests.factories.portal import login_for
from tests.factories.rewards import purchase

pytestmark = pytest.mark.django_db

DAY = dt.timedelta(days=1)


@pytest.fixture(autouse=True)
def _in_english(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    settings.LANGUAGE_CODE = "en"
    monkeypatch.setattr(clock, "now", lambda: NOON)
    with translation.override("en"):
        yield


@pytest.fixture
def till(db: None) -> Till:
    return Till(PartnerFactory(slug="shop"))


@pytest.fixture
def aino(till: Till) -> Member:
    return member(partner=till.partner, external_id="c-1", email="aino@example.com", language="en")


def follow(*done: Any) -> None:
    progress.follow(public_ids={str(each.activity_id) for each in done}, at=NOON)


def browser(aino: Member) -> Client:
    user = login_for("browser@example.com")
    Member.objects.filter(user=user).update(user=None)
    Member.objects.filter(pk=aino.pk).update(user=user)
    client = Client(headers={"accept-language": "en"})
    client.force_login(user)
    return client


# --- Members ------------------------------------------------------------------------------------------------------


def test_a_member_joins_in_and_what_they_did_counts_at_once(aino: Member) -> None:
    made = challenge(names={"en": "Three in June"}, by_choice=True, steps=[1, 3])
    follow(purchase(aino, at=NOON - DAY))
    client = browser(aino)
    page = client.get(reverse("challenges")).content.decode()
    assert "Three in June" in page
    assert "<progress" not in page
    page = client.post(reverse("join-challenge", args=[made.public_id]), follow=True).content.decode()
    assert "You are in: Three in June." in page
    assert 'max="3.00" value="1.00"' in page
    assert "1 of 3 times" in page
    assert "2 times to go" in page
    assert "15 days left" in page


def test_who_leaves_gains_nothing_more_and_keeps_what_was_won(aino: Member) -> None:
    made = challenge(by_choice=True, steps=[1, 3])
    client = browser(aino)
    follow(purchase(aino, at=NOON - DAY))
    client.post(reverse("join-challenge", args=[made.public_id]))
    client.post(reverse("leave-challenge", args=[made.public_id]))
    late = [purchase(aino, at=NOON + minute * dt.timedelta(minutes=1)) for minute in (1, 2)]
    follow(*late)
    assert ChallengeRound.objects.get().progress == 1
    assert StepAward.objects.get().withdrawn_at is None
    client.post(reverse("join-challenge", args=[made.public_id]))  # back again, as if never away
    assert ChallengeRound.objects.get().progress == 3


def test_a_challenge_for_others_is_neither_shown_nor_joined(aino: Member) -> None:
    made = challenge(names={"en": "Gold only"}, by_choice=True, minimum_tier="gold")
    client = browser(aino)
    assert "Gold only" not in client.get(reverse("challenges")).content.decode()
    answer = client.post(reverse("join-challenge", args=[made.public_id]), follow=True)
    assert "no such challenge" in answer.content.decode()
    assert not Participation.objects.exists()


def test_one_that_is_over_stands_among_the_past(aino: Member, monkeypatch: pytest.MonkeyPatch) -> None:
    challenge(names={"en": "Gone by"}, steps=[1])
    follow(purchase(aino))
    client = browser(aino)
    monkeypatch.setattr(clock, "now", lambda: JULY + DAY)
    page = client.get(reverse("challenges")).content.decode()
    assert "No challenges just now" in page
    assert page.index("Over") < page.index("Gone by")
    assert "Completed" in page


def test_badges_are_shown_at_their_highest_level(aino: Member) -> None:
    explorer = badge(name="Explorer")
    challenge(steps=[{"target": 1, "badge": explorer}, {"target": 2, "badge": explorer, "badge_level": 2}])
    client = browser(aino)
    assert "No badges yet" in client.get(reverse("badges")).content.decode()
    follow(purchase(aino), purchase(aino))
    page = client.get(reverse("badges")).content.decode()
    assert page.count("Explorer") == 1
    assert "Level 2 of 3" in page
    assert MemberBadge.objects.count() == 2
    assert Event.objects.filter(name="badge.earned").count() == 2


def test_the_page_costs_the_same_for_one_and_for_many(aino: Member, django_assert_num_queries: Any) -> None:
    client = browser(aino)

    def count() -> int:
        from django.db import connection
        from django.test.utils import CaptureQueriesContext

        with CaptureQueriesContext(
            connection,
        ) as made:
            client.get(reverse("challenges"))
        return len(made)

    challenge(steps=[{"target": 1, "badge": badge()}])
    follow(purchase(aino))
    count()
    one = count()
    for _more in range(6):
        challenge(steps=[{"target": 1, "badge": badge()}, 2])
    follow(purchase(aino))
    assert count() == one


def test_a_new_week_begins_for_who_has_joined_in(aino: Member) -> None:
    made = challenge(by_choice=True, steps=[1], recurs="weekly")
    taking = browser(aino)
    taking.post(reverse("join-challenge", args=[made.public_id]))
    assert list(ChallengeRound.objects.values_list("number", flat=True)) == [
        3
    ]  # Monday of the third week of June
    assert upkeep.begin_rounds(at=NOON) == 0
    assert [upkeep.begin_rounds(at=NOON + 7 * DAY) for _time in range(2)] == [1, 0]
    fourth = ChallengeRound.objects.get(number=4)
    assert fourth.starts_at == dt.datetime(2026, 6, 21, 21, tzinfo=dt.UTC)
    assert fourth.ends_at == dt.datetime(2026, 6, 28, 21, tzinfo=dt.UTC)


def test_days_from_joining_are_the_members_own(aino: Member) -> None:
    made = challenge(by_choice=True, steps=[2], window="from_joining", days=2)
    before = purchase(aino, at=NOON - DAY)
    browser(aino).post(reverse("join-challenge", args=[made.public_id]))
    inside = purchase(aino, at=NOON + 2 * DAY)
    outside = purchase(aino, at=NOON + 3 * DAY)
    follow(before, inside, outside)
    row = ChallengeRound.objects.get()
    assert (row.progress, row.ends_at) == (1, dt.datetime(2026, 6, 17, 21, tzinfo=dt.UTC))


# --- Vouchers -----------------------------------------------------------------------------------------------------


def test_a_voucher_that_is_owed_goes_out_when_there_is_a_code(aino: Member) -> None:
    from rewards.models import Voucher, VoucherFamily

    family = VoucherFamily.objects.create(
        code="five", names={"en": "Five off"}, kind="amount", value=5, source="generated", is_active=False
    )
    challenge(steps=[{"target": 1, "voucher_family": family}])
    bought = purchase(aino)
    follow(bought)
    award = StepAward.objects.get()
    assert (award.voucher_state, award.voucher) == ("owed", None)
    with record.run("rewards.keep_challenges", at=NOON) as run:
        upkeep.give_owed(at=NOON, run=run)
    assert (run.row.done, run.row.skipped) == (0, 1)
    VoucherFamily.objects.update(is_active=True)
    with record.run("rewards.keep_challenges", at=NOON) as run:
        upkeep.give_owed(at=NOON, run=run)
    award.refresh_from_db()
    assert (award.voucher_state, award.voucher) == ("given", Voucher.objects.get(member=aino))


@pytest.mark.parametrize("used", [False, True])
def test_an_unused_voucher_is_withdrawn_with_its_step_and_a_used_one_stays(aino: Member, used: bool) -> None:
    from members.models import Activity
    from rewards.models import Voucher, VoucherFamily, VoucherUse
    from rewards.refunds import Order, refund

    family = VoucherFamily.objects.create(
        code="five", names={"en": "Five off"}, kind="amount", value=5, source="generated"
    )
    challenge(steps=[{"target": 1, "voucher_family": family}])
    bought = purchase(aino)
    follow(bought)
    voucher = Voucher.objects.get(member=aino)
    if used:
        VoucherUse.objects.create(
            voucher=voucher, partner=PartnerFactory(), state="redeemed", amount=5, **_use(aino)
        )
    row = Activity.objects.get(public_id=bought.activity_id)
    refund(activity_id=row.pk, external_id="back", order=Order(everything=True), at=NOON + DAY)
    follow(bought)
    award = StepAward.objects.get()
    voucher.refresh_from_db()
    assert award.voucher_state == ("kept" if used else "withdrawn")
    assert voucher.state == ("active" if used else "cancelled")
    assert Event.objects.get(name="challenge.step_withdrawn").facts["voucher_stays"] is used
    follow(purchase(aino, at=NOON + DAY))
    assert Voucher.objects.filter(member=aino).count() == (1 if used else 2)


def _use(aino: Member) -> dict[str, Any]:
    """The columns that a use on a checkout has besides."""
    from rewards.models import VoucherUse

    given = {"reference": "checkout-1", "external_id": "checkout-1", "locked_at": NOON, "locked_until": NOON}
    given |= {"member_id": aino.pk, "redeemed_at": NOON, "at": NOON, "checkout": "checkout-1"}
    names = {field.attname for field in VoucherUse._meta.concrete_fields}
    return {name: value for name, value in given.items() if name in names}


# --- Partners -----------------------------------------------------------------------------------------------------


def test_a_till_reads_joins_and_leaves(till: Till, aino: Member) -> None:
    made = challenge(by_choice=True, steps=[{"target": 1, "badge": badge("b")}, 3], names={"en": "June"})
    listed = till.get("challenges").json()["results"]
    assert [(each["challenge"], each["name"], len(each["steps"])) for each in listed] == [
        (made.code, "June", 2)
    ]
    follow(purchase(aino))
    path = f"members/{aino.public_id}/challenges"
    assert [each["state"] for each in till.get(path).json()["results"]] == ["open"]
    joined = till.post(f"{path}/{made.public_id}/join", {})
    assert joined.status_code == 200
    assert (joined.json()["state"], joined.json()["progress"]) == ("active", "1.00")
    assert joined.json()["missing"] == "2 times to go"
    assert till.post(f"{path}/{made.public_id}/join", {}).json() == joined.json()
    badges = till.get(f"members/{aino.public_id}/badges").json()["results"]
    assert [(each["badge"], each["level"]) for each in badges] == [("b", 1)]
    assert till.post(f"{path}/{made.public_id}/leave", {}).json()["state"] == "open"


def test_what_cannot_be_joined_is_refused_with_its_reason(till: Till, aino: Member) -> None:
    automatic, draft = challenge(), challenge(by_choice=True, is_open=False)
    over = challenge(by_choice=True)
    opening.end(challenge_id=over.pk, at=NOON)
    path = f"members/{aino.public_id}/challenges"
    answers = [till.post(f"{path}/{one.public_id}/join", {}) for one in (automatic, draft, over)]
    assert [(each.status_code, each.json()["code"]) for each in answers] == [
        (409, "challenge-not-joined"),
        (404, "unknown-challenge"),
        (409, "challenge-not-joined"),
    ]
    assert [answers[0].json()["reason"], answers[2].json()["reason"]] == ["joins-by-itself", "challenge-over"]
    assert not Participation.objects.exists()


def test_a_strangers_till_and_a_narrow_key_are_refused(till: Till, aino: Member) -> None:
    made = challenge(by_choice=True)
    path = f"members/{aino.public_id}/challenges"
    stranger = Till(PartnerFactory(slug="other"))
    assert stranger.get(path).status_code == 404
    assert stranger.post(f"{path}/{made.public_id}/join", {}).status_code == 404
    narrow = Till(till.partner, scopes=("rewards:read",))
    assert narrow.post(f"{path}/{made.public_id}/join", {}).status_code == 403
    assert narrow.get(path).status_code == 200
    assert not Participation.objects.exists()


def test_a_challenge_is_open_in_its_time_only(till: Till) -> None:
    challenge(starts_at=NOON + DAY)
    challenge(is_open=False)
    over = challenge()
    Challenge.objects.filter(pk=over.pk).update(ends_at=NOON)
    assert till.get("challenges").json() == {"results": []}


# --- Draws --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("closed", [False, True])
def test_an_entry_leaves_an_open_draw_with_its_step_and_stays_in_a_closed_one(
    aino: Member, closed: bool
) -> None:
    from members.models import Activity
    from rewards.models import Draw, DrawEntry
    from rewards.refunds import Order, refund

    draw = Draw.objects.create(
        code="summer",
        names={"en": "Summer"},
        state="open",
        opens_at=NOON - DAY,
        closes_at=JULY,
        commitment="0" * 64,
    )
    challenge(steps=[{"target": 1, "draw": draw, "draw_chances": 3}])
    bought = purchase(aino)
    follow(bought)
    entry = DrawEntry.objects.get()
    assert (entry.member, entry.weight, StepAward.objects.get().entry_state) == (aino, 3, "entered")
    if closed:
        Draw.objects.update(closes_at=NOON - dt.timedelta(minutes=1))
    row = Activity.objects.get(public_id=bought.activity_id)
    refund(activity_id=row.pk, external_id="back", order=Order(everything=True), at=NOON + DAY)
    follow(bought)
    entry.refresh_from_db()
    assert StepAward.objects.get().entry_state == ("kept" if closed else "withdrawn")
    assert (entry.cancelled_at is None) is closed
    assert Event.objects.get(name="challenge.step_withdrawn").facts["entry_stays"] is closed
    follow(purchase(aino, at=NOON + DAY))
    assert DrawEntry.objects.filter(cancelled_at=None).count() == 1


def test_a_draw_that_takes_no_entry_is_noted(aino: Member) -> None:
    from rewards.models import Draw, DrawEntry

    draw = Draw.objects.create(
        code="summer", names={"en": "Summer"}, opens_at=NOON - DAY, closes_at=JULY, state="draft"
    )
    challenge(steps=[{"target": 1, "draw": draw}])
    follow(purchase(aino))
    assert (StepAward.objects.get().entry_state, DrawEntry.objects.count()) == ("closed", 0)
