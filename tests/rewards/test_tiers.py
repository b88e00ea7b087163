"""Tiers in the house: sums by every basis, holds by staff, new terms that move members, and where a tier is heading."""

import datetime as dt
import random
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from loyalty.events.models import Event
from loyalty.models import Partner
from members.activities import NewActivity
from members.enrolment import NewMember, enrol
from members.models import Activity, Member, Tier, TierChange, TierHold, User
from rewards import projection, terms, tier_drafts, tier_holds, tier_review, tier_sums, tiers
from rewards.earning import record_and_reward, record_and_reward_many
from rewards.models import Refund, TierDraft, TierTerms
from rewards.revisions import NewLevel, RevisionRefused, TierPolicy, revise_tiers
from rewards.tier_drafts import DraftLevel, NewTerms
from rewards.tier_holds import HoldRefused
from rewards.tier_rules import Calendar, Entry, TierRules, highest, look
from rewards.verification import verify
from tests.factories.staff import staff as staff_user

pytestmark = pytest.mark.django_db

NOON = dt.datetime(2026, 3, 10, 12, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
ALWAYS = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@pytest.fixture
def partner() -> Partner:
    return Partner.objects.create(slug="kauppa", name="Kauppa")


@pytest.fixture
def member() -> Member:
    return joined("Aino")


@pytest.fixture
def support() -> User:
    return staff_user()


def joined(name: str, at: dt.datetime = NOON - 800 * DAY) -> Member:
    return enrol(NewMember(first_name=name, joined_at=at), source="portal", at=at)


def bought(
    partner: Partner,
    member: Member,
    total: str,
    at: dt.datetime = NOON,
    *,
    recorded: dt.datetime | None = None,
) -> str:
    """A purchase; the tier's code afterwards."""
    number = Activity.objects.count()
    new = NewActivity(
        partner_id=partner.pk,
        member_id=member.pk,
        external_id=f"r-{number}",
        kind="purchase",
        occurred_at=at,
        currency="EUR",
        total=Decimal(total),
    )
    return record_and_reward(new, at=recorded or at).tier_code


def tier_of(member: Member) -> str:
    return Member.objects.values_list("tier__code", flat=True).get(pk=member.pk)


def history(member: Member) -> list[tuple[str, str]]:
    rows = TierChange.objects.filter(member=member).order_by("pk")
    return list(rows.values_list("reason", "to_tier__code"))


def put_in_force(**policy: object) -> None:
    """The default programme's tiers under another policy, as if they had always been so."""
    TierTerms.objects.update(**policy)
    terms.revised()


def silver() -> int:
    return Tier.objects.get(code="silver").pk


def gold() -> int:
    return Tier.objects.get(code="gold").pk


# --- Sums -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("basis", ["points", "spend", "purchases"])
def test_the_database_sums_what_the_rules_count(basis: str, partner: Partner) -> None:
    """Every window and keep, over histories that cross years and 29 February, with refunds."""
    chance = random.Random(f"tiers {basis}")
    members = [joined("Aino", dt.datetime(2020, 2, 29, 10, tzinfo=dt.UTC)), joined("Eino")]
    start = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    record_and_reward_many(
        [
            NewActivity(
                partner.pk, chance.choice(members).pk, f"r-{n}", "purchase",
                start + dt.timedelta(minutes=chance.randrange(1_150_000)), "EUR", Decimal(chance.randrange(1, 300)),
            )
            for n in range(60)
        ],
        at=NOON,
    )  # fmt: skip
    if basis != "points":
        for activity in Activity.objects.order_by("?")[:10]:
            refund(activity, chance.choice([activity.total, Decimal("0.50")]))
    known = terms.current()
    levels = known.tiers_at(NOON).levels
    asks, expected = [], []
    for _ in range(80):
        rules = TierRules(
            ALWAYS, dt.timedelta(days=chance.choice([30, 365])), levels, basis=basis,
            window_kind=chance.choice(["rolling", "calendar", "membership", "lifetime"]),
            keep=chance.choice(["none", "days", "calendar", "membership"]), keep_length=chance.randrange(3),
            downgrade=chance.choice(["at_once", "period_end"]), grace_days=chance.choice([0, 30]),
        )  # fmt: skip
        member = chance.choice(members)
        moment = start + dt.timedelta(minutes=chance.randrange(1_300_000))
        sight = look(
            rules, moment, Calendar(known.time_zone, member.joined_at), open_end=chance.random() < 0.3
        )
        asks.append(tier_sums.Ask(member.pk, basis, sight))
        expected.append(highest(sight, plain_entries(member, basis)))

    with CaptureQueriesContext(connection) as queries:
        found = tier_sums.amounts(asks, currency="EUR")
    assert found == expected
    assert len(queries) <= 3  # plain spans, and the two lengths of sliding windows
    within = tier_sums.entries([ask for ask in asks if len(ask.look.spans) == 1], currency="EUR")
    singles = [(ask, amount) for ask, amount in zip(asks, expected, strict=True) if len(ask.look.spans) == 1]
    assert [highest(ask.look, rows) for (ask, _), rows in zip(singles, within, strict=True)] == [
        amount for _ask, amount in singles
    ]


def plain_entries(member: Member, basis: str) -> list[Entry]:
    if basis == "points":
        rows = member.transfers.filter(qualifies_at__isnull=False)
        return [Entry(row.qualifies_at, -row.points if row.reverses_id else row.points) for row in rows]
    found = []
    for activity in member.activities.all():
        back = sum((refund.amount for refund in activity.refunds.all()), Decimal(0))
        value = activity.total - back if basis == "spend" else int(back < activity.total)
        found.append(Entry(activity.occurred_at, value))
    return found


def refund(activity: Activity, amount: Decimal, at: dt.datetime = NOON) -> None:
    """Money given back, as the refunds of purchases note it."""
    Refund.objects.create(
        activity=activity, member_id=activity.member_id, partner_id=activity.partner_id,
        external_id=f"refund-{activity.pk}-{Refund.objects.count()}", amount=amount, occurred_at=at, recorded_at=at,
        content_digest=b"",
    )  # fmt: skip


# --- Where users hurt -------------------------------------------------------------------------------------------------


def test_tier_minimum_ignored(partner: Partner, member: Member) -> None:
    """erpnext 14930: nobody has a tier without what it takes, by any basis, and everybody has it from then on."""
    assert bought(partner, member, "999.00") == "bronze"
    assert bought(partner, member, "1.00") == "silver"
    revise_tiers(levels=levels_at(0, 1000, 5000), policy=TierPolicy(basis="spend"), at=NOON + DAY)
    other = joined("Eino")
    totals = ("999.99", "0.01", "3999.99", "0.01")
    assert [bought(partner, other, total, NOON + DAY) for total in totals] == [
        "bronze",
        "silver",
        "silver",
        "gold",
    ]
    revise_tiers(levels=levels_at(0, 2, 4), policy=TierPolicy(basis="purchases"), at=NOON + 2 * DAY)
    third = joined("Ilmari")
    assert [bought(partner, third, "0.10", NOON + 2 * DAY) for _ in range(4)] == [
        "bronze",
        "silver",
        "silver",
        "gold",
    ]
    assert verify(at=NOON + 2 * DAY) == []


def levels_at(*thresholds: int) -> list[NewLevel]:
    tiers_ = Tier.objects.order_by("rank")
    return [
        NewLevel(tier_id=tier.pk, threshold=threshold, multiplier=Decimal(1))
        for tier, threshold in zip(tiers_, thresholds, strict=True)
    ]


def test_no_way_to_insert_a_tier_between_two_others_without_cleaning_data(partner: Partner) -> None:
    members = {name: joined(name) for name in ("Aino", "Eino", "Ilmari")}
    for name, total in (("Aino", "1500.00"), ("Eino", "2500.00"), ("Ilmari", "6000.00")):
        bought(partner, members[name], total)
    draft = draft_with(
        DraftLevel(code="copper", names={"en": "Copper"}, threshold=2000, multiplier=Decimal("1.3"))
    )

    found = tier_drafts.preview(draft_id=draft.pk, at=NOON + DAY)
    assert (found["members"], found["moving"]) == (3, 1)
    assert found["moves"] == [
        {
            "from": "silver",
            "to": "copper",
            "count": 1,
            "samples": [{"member": members["Eino"].pk, "amount": 2500}],
        }
    ]
    assert not Tier.objects.filter(code="copper").exists()  # a look, no more

    tier_drafts.publish(draft_id=draft.pk, at=NOON + DAY)
    tier_drafts.publish(draft_id=draft.pk, at=NOON + DAY)  # pressed twice
    assert TierTerms.objects.count() == 2
    assert verify(at=NOON + DAY) == []  # also before anybody moved
    assert tier_drafts.due_drafts(at=NOON + DAY) == [draft.pk]
    assert tier_drafts.move_members(draft_id=draft.pk, at=NOON + DAY) == 1
    assert tier_drafts.move_members(draft_id=draft.pk, at=NOON + DAY) == 0

    assert [tier_of(each) for each in members.values()] == ["silver", "copper", "gold"]
    assert history(members["Eino"])[-1] == ("terms", "copper")
    assert list(Tier.objects.order_by("rank").values_list("code", "rank")) == [
        ("bronze", 0), ("silver", 1), ("copper", 2), ("gold", 3),
    ]  # fmt: skip
    draft.refresh_from_db()
    assert (draft.status, tier_drafts.due_drafts(at=NOON + DAY)) == ("moved", [])
    assert verify(at=NOON + DAY) == []


def draft_with(*more: DraftLevel, valid_from: dt.datetime | None = None, **policy: object) -> TierDraft:
    """The default terms with further levels."""
    now = NewTerms.like(terms.current().tiers_at(NOON))
    levels = tuple(sorted((*now.levels, *more), key=lambda level: level.threshold))
    new = NewTerms(policy=TierPolicy(**policy), levels=levels)
    return TierDraft.objects.create(name="Spring", content=new.content(), valid_from=valid_from)


def test_terms_that_begin_later_move_nobody_before(partner: Partner, member: Member) -> None:
    bought(partner, member, "2500.00")
    draft = draft_with(
        DraftLevel(code="copper", names={"en": "Copper"}, threshold=2000), valid_from=NOON + 10 * DAY
    )
    tier_drafts.publish(draft_id=draft.pk, at=NOON)

    assert tier_drafts.due_drafts(at=NOON + 9 * DAY) == []
    tier_review.review(at=NOON + 9 * DAY)
    assert tier_of(member) == "silver"
    assert tier_drafts.due_drafts(at=NOON + 10 * DAY) == [draft.pk]
    tier_review.review(at=NOON + 11 * DAY)  # the nightly review does it as well
    assert history(member)[-1] == ("terms", "copper")
    assert verify(at=NOON + 11 * DAY) == []


@pytest.mark.parametrize(
    "more",
    [
        DraftLevel(code="copper", names={"en": "Copper"}, threshold=1000),
        DraftLevel(code="copper", names={}, threshold=2000),
        DraftLevel(code="gold", threshold=9000),
    ],
)
def test_a_draft_that_makes_no_sense_is_refused_and_nothing_is_written(more: DraftLevel) -> None:
    draft = draft_with(more)
    with pytest.raises(RevisionRefused):
        tier_drafts.publish(draft_id=draft.pk, at=NOON)

    assert (TierTerms.objects.count(), Tier.objects.count()) == (1, 3)


# --- Kept and lost ----------------------------------------------------------------------------------------------------


def test_gold_of_one_year_is_kept_until_the_end_of_the_next(partner: Partner, member: Member) -> None:
    put_in_force(window="calendar", keep="calendar", keep_length=1)
    late_in_2024 = dt.datetime(2024, 12, 31, 21, 30, tzinfo=dt.UTC)
    assert bought(partner, member, "5000.00", late_in_2024) == "gold"
    in_2025 = dt.datetime(2025, 12, 31, 12, tzinfo=dt.UTC)
    tier_review.review(at=in_2025)
    assert (tier_of(member), verify(at=in_2025)) == ("gold", [])
    in_2026 = dt.datetime(2025, 12, 31, 22, 5, tzinfo=dt.UTC)  # five past midnight in Helsinki
    assert verify(at=in_2026) == []
    tier_review.review(at=in_2026)
    assert history(member)[1:] == [("promoted", "gold"), ("reviewed", "bronze")]
    assert verify(at=in_2026) == []


def test_a_late_purchase_is_judged_by_the_tier_kept_then(partner: Partner, member: Member) -> None:
    put_in_force(keep="days", keep_length=30, window_days=5)
    bought(partner, member, "1000.00", NOON - 40 * DAY, recorded=NOON)
    outcomes = [
        record_and_reward(
            NewActivity(
                partner.pk, member.pk, f"late-{days}", "purchase", NOON - days * DAY, "EUR", Decimal(100)
            ),
            at=NOON,
        ).available
        for days in (11, 5, 4)
    ]
    assert outcomes == [125, 125, 100]


def test_one_step_at_a_time_each_kept_for_its_time(partner: Partner, member: Member) -> None:
    put_in_force(window_days=30, keep="days", keep_length=9, downgrade="one_step")
    assert bought(partner, member, "5000.00") == "gold"
    seen = []
    for days in range(36, 66):
        tier_review.review(at=NOON + days * DAY)
        seen.append(tier_of(member))
        assert verify(at=NOON + days * DAY) == []
    changes = [(n + 36, tier) for n, tier in enumerate(seen) if n == 0 or seen[n - 1] != tier]
    assert changes == [(36, "gold"), (40, "silver"), (50, "bronze")]
    assert history(member)[-2:] == [("stepped", "silver"), ("stepped", "bronze")]


def test_never_lost(partner: Partner, member: Member) -> None:
    put_in_force(window_days=30, downgrade="never")
    bought(partner, member, "1000.00")
    tier_review.review(at=NOON + 900 * DAY)

    assert (tier_of(member), verify(at=NOON + 900 * DAY)) == ("silver", [])


@pytest.mark.parametrize("basis", ["spend", "purchases"])
def test_refunds_count_off_and_the_review_takes_the_tier(
    basis: str, partner: Partner, member: Member
) -> None:
    put_in_force(basis=basis)
    if basis == "purchases":
        revise_tiers(levels=levels_at(0, 1, 2), policy=TierPolicy(basis=basis), at=NOON - DAY)
    assert bought(partner, member, "1000.00") == "silver"
    refund(Activity.objects.get(), Decimal("1000.00"))

    assert verify(at=NOON) == []  # what a judgement did not know of is not held against it
    tier_review.review(at=NOON + DAY)
    assert (tier_of(member), verify(at=NOON + DAY)) == ("bronze", [])
    assert TierChange.objects.latest("pk").basis == basis


def test_other_terms_cost_a_purchase_a_constant_number_of_statements(
    partner: Partner, member: Member
) -> None:
    def statements(count: int, at: dt.datetime) -> int:
        items = [
            NewActivity(
                partner.pk, each.pk, f"{at}-{n}-{each.pk}", "purchase", at - n * DAY, "EUR", Decimal(1)
            )
            for n in range(count)
            for each in (member, other)
        ]
        with CaptureQueriesContext(connection) as queries:
            record_and_reward_many(items, at=at)
        return len(queries)

    other = joined("Eino")
    statements(1, NOON - DAY)
    plain = statements(1, NOON)
    put_in_force(basis="spend", window="membership", keep="membership", keep_length=1)
    statements(1, NOON + DAY)
    few, many = statements(1, NOON + 2 * DAY), statements(20, NOON + 3 * DAY)
    assert few == many <= plain + 4


def test_a_tampered_tier_is_named(partner: Partner, member: Member) -> None:
    put_in_force(downgrade="never")
    bought(partner, member, "10.00")
    Member.objects.update(tier=gold())

    assert [(each.invariant, each.row) for each in verify(at=NOON)] == [("D", member.pk)]


# --- By hand ----------------------------------------------------------------------------------------------------------


def by_hand(member: Member, support: User, kind: str, tier_id: int, **facts: object) -> TierHold:
    order = {"note": "A goodwill gesture", "at": NOON} | facts
    return tier_holds.set_tier(member_id=member.pk, tier_id=tier_id, kind=kind, staff_id=support.pk, **order)  # type: ignore[arg-type]


def test_a_floor_by_hand_may_rise_but_not_fall(partner: Partner, member: Member, support: User) -> None:
    hold = by_hand(member, support, "floor", silver(), until=NOON + 30 * DAY)
    tier_review.review(at=NOON + DAY)
    assert tier_of(member) == "silver"
    assert bought(partner, member, "5000.00", NOON + 2 * DAY) == "gold"
    assert verify(at=NOON + 2 * DAY) == []
    change = TierChange.objects.get(member=member, reason="by_hand")
    assert (change.hold, change.hold.note, change.to_tier.code) == (hold, "A goodwill gesture", "silver")
    assert Event.objects.filter(name="tier.changed").count() == 2


def test_a_hold_that_ran_out_is_ended_by_the_review(member: Member, support: User) -> None:
    by_hand(member, support, "floor", gold(), until=NOON + 30 * DAY)
    tier_review.review(at=NOON + 29 * DAY)
    assert tier_of(member) == "gold"
    assert verify(at=NOON + 31 * DAY) == []
    tier_review.review(at=NOON + 31 * DAY)

    assert history(member) == [("enrolled", "bronze"), ("by_hand", "gold"), ("hold_ended", "bronze")]
    assert verify(at=NOON + 31 * DAY) == []


def test_a_lock_holds_against_rise_and_fall_until_it_is_lifted(
    partner: Partner, member: Member, support: User
) -> None:
    bought(partner, member, "1000.00", NOON - DAY)
    by_hand(member, support, "lock", Tier.objects.get(code="bronze").pk)
    assert bought(partner, member, "5000.00", NOON + DAY) == "bronze"
    tier_review.review(at=NOON + 2 * DAY)
    assert (tier_of(member), verify(at=NOON + 2 * DAY)) == ("bronze", [])

    assert tier_holds.lift(member_id=member.pk, staff_id=support.pk, at=NOON + 3 * DAY)
    assert not tier_holds.lift(member_id=member.pk, staff_id=support.pk, at=NOON + 3 * DAY)
    assert history(member)[-1] == ("hold_ended", "gold")
    assert verify(at=NOON + 3 * DAY) == []


def test_a_new_hold_takes_the_place_of_the_old_one(member: Member, support: User) -> None:
    first = by_hand(member, support, "lock", gold())
    by_hand(member, support, "floor", silver(), at=NOON + DAY)
    first.refresh_from_db()

    assert (first.ended_at, tier_of(member)) == (NOON + DAY, "silver")
    assert verify(at=NOON + DAY) == []


@pytest.mark.parametrize("facts", [{"note": " "}, {"until": NOON}, {"until": NOON - DAY}])
def test_a_hold_without_reason_or_with_an_end_in_the_past_is_refused(
    member: Member, support: User, facts: dict[str, object]
) -> None:
    with pytest.raises(HoldRefused):
        by_hand(member, support, "lock", gold(), **facts)

    assert (TierHold.objects.count(), tier_of(member)) == (0, "bronze")


# --- Where it is heading ----------------------------------------------------------------------------------------------


def test_at_this_pace_the_next_tier_comes_in_june(partner: Partner, member: Member) -> None:
    for days in (10, 40, 70):
        bought(partner, member, "150.00", NOON - days * DAY, recorded=NOON)
    found = projection.project(member, at=NOON)

    assert (found.amount, found.pace) == (450, 5.0)
    assert found.next_on == dt.date(2026, 6, 28)  # 550 points to go, 5 a day
    assert (found.after_review.code, found.lasts_until, found.falls_to) == ("bronze", None, None)


def test_without_a_pace_there_is_no_date(member: Member) -> None:
    assert projection.project(member, at=NOON).next_on is None


def test_what_the_next_review_will_take_is_said_before(partner: Partner, member: Member) -> None:
    bought(partner, member, "1000.00", NOON - 365 * DAY, recorded=NOON - 365 * DAY)
    member.refresh_from_db()
    found = projection.project(member, at=NOON - DAY)
    assert (found.after_review.code, found.lasts_until) == ("silver", dt.date(2026, 3, 10))
    assert found.falls_to is not None
    assert found.falls_to.code == "bronze"
    assert projection.project(member, at=NOON).after_review.code == "bronze"


def test_a_projected_fall_is_the_day_the_review_takes_it(partner: Partner, member: Member) -> None:
    put_in_force(window="calendar", keep="calendar", keep_length=1, downgrade="period_end", grace_days=31)
    bought(partner, member, "1000.00", NOON)
    member.refresh_from_db()
    last = projection.project(member, at=NOON).lasts_until
    assert last == dt.date(2027, 12, 31) + dt.timedelta(days=31)
    tier_review.review(at=dt.datetime(2028, 1, 31, 21, 59, tzinfo=dt.UTC))
    assert tier_of(member) == "silver"
    tier_review.review(at=dt.datetime(2028, 1, 31, 22, tzinfo=dt.UTC))
    assert history(member)[-1] == ("period_end", "bronze")


def test_benefits_are_data(member: Member) -> None:
    level = TierTerms.objects.get().levels.get(tier__code="bronze")
    level.birthday_points, level.benefits = 50, [{"en": "A coffee on us"}]
    level.save()
    terms.revised()
    found = tiers.benefits_of(member, at=NOON)

    assert (found.birthday_points, found.benefits) == (50, ({"en": "A coffee on us"},))
