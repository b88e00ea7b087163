"""The demo's challenges and badges: what a shop would run, begun some weeks ago so that members are half way."""

import datetime as dt
from decimal import Decimal
from typing import Any

from loyalty import clock
from members.models import ActivityKind, Member
from rewards.challenges import counting, opening, progress, terms
from rewards.challenges.taking_part import join
from rewards.models import Badge, Challenge, ChallengeCount, ChallengeStep

HELSINKI = "Europe/Helsinki"

BADGES: dict[str, dict[str, Any]] = {
    "explorer": {
        "names": {"fi": "Löytöretkeilijä", "sv": "Upptäckare", "en": "Explorer"},
        "descriptions": {
            "fi": "Kokeilee uusia hyllyjä.",
            "sv": "Provar nya hyllor.",
            "en": "Tries new shelves.",
        },
        "levels": 2,
    },
    "regular": {
        "names": {"fi": "Kanta-asiakas", "sv": "Stamkund", "en": "Regular"},
        "descriptions": {
            "fi": "Käy viikosta toiseen.",
            "sv": "Kommer vecka efter vecka.",
            "en": "Comes week after week.",
        },
        "levels": 3,
    },
    "voice": {
        "names": {"fi": "Oma ääni", "sv": "Egen röst", "en": "A voice"},
        "descriptions": {
            "fi": "Kertoo meille mielipiteensä.",
            "sv": "Säger oss sin åsikt.",
            "en": "Tells us what they think.",
        },
        "levels": 1,
    },
}

PURCHASES = {"field": "kind", "op": "eq", "value": "purchase"}


def _midnight(at: dt.datetime, days: int) -> dt.datetime:
    return clock.start_of_day(clock.local_date(at, HELSINKI) + dt.timedelta(days=days), HELSINKI)


def _challenges(at: dt.datetime) -> list[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """The columns of each challenge and of its steps."""
    return [
        (
            {
                "code": "five-shelves",
                "names": {"fi": "Viisi hyllyä", "sv": "Fem hyllor", "en": "Five shelves"},
                "descriptions": {
                    "fi": "Osta viidestä eri tuoteryhmästä, niin löydät jotain uutta.",
                    "sv": "Köp ur fem olika varugrupper och hitta något nytt.",
                    "en": "Buy from five different categories and find something new.",
                },
                "measure": Challenge.Measure.CATEGORIES,
                "conditions": PURCHASES,
                "by_choice": False,
                "starts_at": _midnight(at, -14),
                "ends_at": _midnight(at, 21),
                "position": 1,
            },
            [
                {"target": 5, "points": 20, "badge": "explorer"},
                {"target": 10, "points": 50, "badge": "explorer", "badge_level": 2},
                {"target": 15, "points": 100},
            ],
        ),
        (
            {
                "code": "weeks-in-a-row",
                "names": {"fi": "Viikosta toiseen", "sv": "Vecka efter vecka", "en": "Week after week"},
                "descriptions": {
                    "fi": "Käy joka viikko. Yksi viikko saa jäädä väliin.",
                    "sv": "Besök oss varje vecka. En vecka får hoppas över.",
                    "en": "Come by every week. You may miss one.",
                },
                "measure": Challenge.Measure.STREAK_WEEKS,
                "conditions": PURCHASES,
                "grace": 1,
                "by_choice": True,
                "starts_at": _midnight(at, -56),
                "ends_at": _midnight(at, 56),
                "position": 2,
            },
            [
                {"target": 3, "points": 30, "badge": "regular"},
                {"target": 6, "points": 60, "badge": "regular", "badge_level": 2},
                {"target": 12, "points": 150, "badge": "regular", "badge_level": 3},
            ],
        ),
        (
            {
                "code": "hundred-a-month",
                "names": {"fi": "Satanen kuussa", "sv": "Hundra i månaden", "en": "A hundred a month"},
                "descriptions": {
                    "fi": "Jokainen kuukausi alkaa alusta.",
                    "sv": "Varje månad börjar om från början.",
                    "en": "Every month begins anew.",
                },
                "measure": Challenge.Measure.SPEND,
                "conditions": PURCHASES,
                "recurs": Challenge.Recurs.MONTHLY,
                "by_choice": True,
                "starts_at": _midnight(at, -40),
                "ends_at": None,
                "position": 3,
            },
            [{"target": 50, "points": 10}, {"target": 100, "points": 30}],
        ),
        (
            {
                "code": "tell-us",
                "names": {"fi": "Kerro mielipiteesi", "sv": "Säg din åsikt", "en": "Tell us what you think"},
                "descriptions": {
                    "fi": "Vastaa kyselyyn: kaksi minuuttia riittää.",
                    "sv": "Svara på en enkät: det tar två minuter.",
                    "en": "Answer a survey: it takes two minutes.",
                },
                "measure": Challenge.Measure.COUNT,
                "conditions": {"field": "kind", "op": "eq", "value": "survey"},
                "by_choice": False,
                "starts_at": _midnight(at, -3),
                "ends_at": _midnight(at, 28),
                "position": 4,
            },
            [{"target": 1, "points": 25, "badge": "voice"}],
        ),
    ]


def make_challenges(*, demo_member_id: int, joined: list[int], at: dt.datetime) -> None:
    """Make and open the badges and challenges, once; let some members join in, and count what was done so far."""
    if Challenge.objects.exists():
        return
    ActivityKind.objects.get_or_create(
        code="survey", defaults={"names": {"fi": "Kysely", "sv": "Enkät", "en": "Survey"}}
    )
    badges = {code: Badge.objects.create(code=code, **facts) for code, facts in BADGES.items()}
    for facts, steps in _challenges(at):
        made = Challenge.objects.create(**facts)
        for step in steps:
            columns = step | {"target": Decimal(step["target"])}
            if "badge" in columns:
                columns["badge"] = badges[columns["badge"]]
            ChallengeStep.objects.create(challenge=made, **columns)
        opening.open_challenge(challenge_id=made.pk, at=at)
    _join(demo_member_id, joined, at=at)
    _count(at=at)


def _join(demo_member_id: int, joined: list[int], *, at: dt.datetime) -> None:
    """The demo's member has joined the first of those to join; others have joined one or both."""
    first, second = Challenge.objects.filter(by_choice=True).order_by("position")
    members = Member.objects.select_related("tier").in_bulk([demo_member_id, *joined])
    for number, member_id in enumerate([demo_member_id, *joined]):
        for challenge in (first, second) if number % 2 else (first,):
            join(member=members[member_id], public_id=challenge.public_id, at=at)


def _count(*, at: dt.datetime) -> None:
    """What the worker would do after the start; done at once, so that the first look shows something."""
    for count in ChallengeCount.objects.select_related("challenge"):
        known = terms.known([count.challenge_id])[count.challenge_id]
        while members := counting.page(known, count.after_member):
            progress.recount(challenge_ids=[known.id], member_ids=members, at=at)
            count.after_member, count.done = members[-1], count.done + len(members)
        count.state, count.total, count.ended_at = ChallengeCount.State.DONE, count.done, at
        count.save()
