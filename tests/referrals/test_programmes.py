"""Several programmes at once: whose is which, and how terms are revised without changing what was promised."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import translation

from members.models import Member
from referrals import programmes
from referrals.models import ProgrammeTerms, ReferralProgramme
from referrals.programmes import ProgrammeRefused, programme_of, programmes_for_segment, revise, terms_at
from tests.factories.members import NOON, member
from tests.factories.referrals import BEFORE, DAY, brought, programme
from tests.factories.segments import segment

pytestmark = pytest.mark.django_db
SWEDISH = {"field": "language", "op": "eq", "value": "sv"}


def test_the_first_by_priority_that_is_meant_for_the_member_counts() -> None:
    everybody = programme(priority=10)
    swedish = programme(priority=90, audience=SWEDISH)
    programme(priority=99, is_running=False)
    programme(priority=98, starts_at=NOON + DAY)
    over = programme(priority=97, ends_at=NOON)
    assert programme_of(member(language="sv"), NOON) == swedish
    assert programme_of(member(language="fi"), NOON) == everybody
    assert programme_of(member(), NOON - DAY / 2) == over
    assert programme_of(member(), BEFORE - DAY) is None


def test_asking_costs_the_same_however_many_programmes() -> None:
    aino = Member.objects.select_related("tier").get(pk=member().pk)

    def cost() -> int:
        programme(priority=90, audience=SWEDISH)
        with CaptureQueriesContext(connection) as captured:
            assert programme_of(aino, NOON) is None
        return len(captured)

    assert {cost() for _number in range(4)} == {4}


def test_terms_that_were_used_stay_and_a_revision_is_the_next_number() -> None:
    first = programme()
    brought(member())
    second = revise(programme_id=first.programme_id, at=NOON, valid_from=NOON + DAY, referrer_points=7)
    first.refresh_from_db()
    assert (first.number, first.referrer_points) == (1, 100)
    assert (second.number, second.referrer_points, second.friend_points) == (2, 7, 50)
    assert terms_at(first.programme_id, NOON) == first
    assert terms_at(first.programme_id, NOON + DAY) == second
    assert terms_at(first.programme_id, BEFORE - DAY) is None


def test_terms_that_wait_give_way_and_a_drafts_are_replaced() -> None:
    draft = programme(is_running=False)
    again = revise(programme_id=draft.programme_id, at=NOON, friend_points=9)
    assert (again.number, again.valid_from, again.friend_points) == (1, BEFORE, 9)
    programmes.start(programme_id=draft.programme_id, at=NOON)
    revise(programme_id=draft.programme_id, at=NOON, valid_from=NOON + 5 * DAY, friend_points=8)
    revise(programme_id=draft.programme_id, at=NOON, valid_from=NOON + 3 * DAY, cap=5)
    found = ProgrammeTerms.objects.filter(programme=draft.programme).order_by("number")
    assert [(each.number, each.valid_from, each.friend_points) for each in found] == [
        (1, BEFORE, 9),
        (2, NOON + 3 * DAY, 8),
    ]


def test_a_date_in_the_past_or_before_terms_in_use_is_refused() -> None:
    terms = programme()
    assert refusal(terms, valid_from=BEFORE) == "valid_from"
    revise(programme_id=terms.programme_id, at=NOON, friend_points=1)
    assert refusal(terms, valid_from=NOON) == "valid_from"


def refusal(terms: ProgrammeTerms, *, at: dt.datetime = NOON, **said: Any) -> str:
    before = list(ProgrammeTerms.objects.order_by("pk").values())
    with translation.override("en"), pytest.raises(ProgrammeRefused) as refused:
        revise(programme_id=terms.programme_id, at=at, **said)
    assert str(refused.value)
    assert list(ProgrammeTerms.objects.order_by("pk").values()) == before
    return refused.value.field


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"trigger": "spend"}, "spend"),
        ({"trigger": "activity"}, "activity_kind"),
        ({"trigger": "activity", "activity_kind": "no-such"}, "activity_kind"),
        ({"trigger": "dance"}, "trigger"),
        ({"purchases": 0}, "purchases"),
        ({"minimum_purchase": Decimal(-1)}, "minimum_purchase"),
        ({"within_days": 0}, "within_days"),
        ({"attribution_days": 366}, "attribution_days"),
        ({"cap": 0}, "cap"),
        ({"budget_points": 0}, "budget_points"),
        ({"hold_from": 0}, "hold_from"),
        ({"referrer_points": 0, "friend_points": 0}, "referrer_points"),
        ({"milestones": [{"friends": 3}]}, "milestones"),
        ({"milestones": [{"friends": 0, "points": 1}]}, "milestones"),
        ({"milestones": [{"points": 1}]}, "milestones"),
        ({"milestones": [{"friends": 3, "points": 1}, {"friends": 3, "points": 2}]}, "milestones"),
        ({"milestones": ["three"]}, "milestones"),
    ],
)
def test_terms_that_cannot_be_are_refused_with_the_field_to_mend(said: dict[str, Any], field: str) -> None:
    assert refusal(programme(), **said) == field


def test_a_column_that_is_none_is_a_mistake_of_the_programme() -> None:
    with pytest.raises(TypeError):
        revise(programme_id=programme().programme_id, at=NOON, gift="gold")


def test_a_programme_starts_pauses_ends_and_is_put_away() -> None:
    terms = programme(is_running=False)
    key = {"programme_id": terms.programme_id, "at": NOON}

    def status() -> str:
        return str(ReferralProgramme.objects.get(pk=terms.programme_id).status)

    with pytest.raises(ProgrammeRefused):
        programmes.end(**key)
    assert [programmes.start(**key), programmes.start(**key), status()] == [True, False, "running"]
    with pytest.raises(ProgrammeRefused):
        programmes.archive(**key)
    assert [programmes.pause(**key), programmes.pause(**key), status()] == [True, False, "paused"]
    assert programme_of(member(), NOON) is None
    assert programmes.start(**key)
    assert [programmes.end(**key), programmes.end(**key), status()] == [True, False, "ended"]
    with pytest.raises(ProgrammeRefused):
        programmes.start(**key)
    assert [programmes.archive(**key), programmes.archive(**key)] == [True, False]
    with pytest.raises(ProgrammeRefused):
        revise(**key, friend_points=1)


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"starts_at": NOON, "ends_at": NOON}, "ends_at"),
        ({"audience": {"field": "no_such", "op": "eq", "value": 1}}, "audience"),
    ],
)
def test_a_programme_that_cannot_be_is_not_made(said: dict[str, Any], field: str) -> None:
    before = ReferralProgramme.objects.count()
    with pytest.raises(ProgrammeRefused) as refused:
        programme(**said)
    assert (refused.value.field, ReferralProgramme.objects.count()) == (field, before)


def test_a_programme_that_would_be_over_does_not_start() -> None:
    with pytest.raises(ProgrammeRefused) as refused:
        programme(ends_at=BEFORE)
    assert refused.value.field == "ends_at"


def test_a_segment_that_an_audience_names_is_known_to_be_in_use() -> None:
    segment("keen", fill=False)
    used = programme(audience={"field": "segments", "op": "contains", "value": "keen"}, is_running=False)
    assert programmes_for_segment("keen") == [used.programme.name]
    assert programmes_for_segment("other") == []


def test_a_draft_in_three_languages_is_there_to_begin_with() -> None:
    draft = ReferralProgramme.objects.get(code="friends")
    assert draft.status == "draft"
    for texts in (draft.names, draft.descriptions, draft.share_texts):
        assert set(texts) == {"fi", "sv", "en"}
    assert all("{link}" in text and "{gift}" in text for text in draft.share_texts.values())
    terms = draft.terms.get()
    programmes.check(terms)
    assert programmes.start(programme_id=draft.pk, at=NOON)
    assert programme_of(member(), NOON) == terms
