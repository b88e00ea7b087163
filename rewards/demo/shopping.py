"""When the demo's people shop and what they bring home: weekdays, pay days, seasons, and a favourite store."""

import datetime as dt
import random
import zoneinfo
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from itertools import accumulate

from members.activities import LineFacts
from rewards.demo.people import Person
from rewards.demo.wares import CAFE, GROCER, Shop, Ware

HELSINKI = zoneinfo.ZoneInfo("Europe/Helsinki")
CENT = Decimal("0.01")
MONTHS = (0.92, 0.93, 0.98, 1.0, 1.02, 1.04, 0.8, 0.96, 1.0, 1.0, 1.05, 1.35)
HOLIDAY_DAYS = 21
DEMO_YEAR_POINTS = range(4_760, 4_861)
"""Base points of the demo member's last year: Silver, with Gold in sight."""


@dataclass(frozen=True)
class Trip:
    """One purchase to be recorded."""

    person: Person
    shop: Shop
    receipt: str
    occurred_at: dt.datetime
    store: str
    channel: str
    lines: tuple[LineFacts, ...]
    total: Decimal


def trips(persons: list[Person], *, chance: random.Random, at: dt.datetime) -> list[Trip]:
    """Everybody's purchases up to ``at``, in the order of time."""
    shelves = {(shop.slug, month): _Shelf(shop, month) for shop in (GROCER, CAFE) for month in range(1, 13)}
    made: list[Trip] = []
    for person in persons:
        own = list(_trips_of(person, chance, shelves, at))
        made += _toned(own, at=at) if person.is_demo else own
    made.sort(key=lambda trip: (trip.occurred_at, trip.receipt))
    return made


def _trips_of(
    person: Person, chance: random.Random, shelves: dict[tuple[str, int], "_Shelf"], at: dt.datetime
) -> Iterator[Trip]:
    """The joining day's purchase, then each day by its odds; three weeks in summer somewhere else."""
    joined = person.new.joined_at or at
    day = joined.astimezone(HELSINKI).date()
    last = min(person.leaves_at, at).astimezone(HELSINKI).date()
    holiday = chance.randrange(170, 215)
    first = True
    number = 0
    while day <= last:
        away = holiday <= day.timetuple().tm_yday < holiday + HOLIDAY_DAYS
        if first or (not away and chance.random() < _odds(person, day)):
            moment = joined + dt.timedelta(minutes=4) if first else _moment(person, day, chance)
            if moment <= at:
                number += 1
                yield _trip(person, number, moment, day, chance, shelves)
        first = False
        day += dt.timedelta(days=1)


def _odds(person: Person, day: dt.date) -> float:
    pay_day = 1.35 if day.day in (15, 16, 30, 31, 1) else 1.0
    return (
        person.visits_a_week
        * person.weekdays[day.weekday()]
        / sum(person.weekdays)
        * MONTHS[day.month - 1]
        * pay_day
    )


def _moment(person: Person, day: dt.date, chance: random.Random) -> dt.datetime:
    hour = min(20.5, max(8.2, chance.gauss(person.hour + (0.0 if day.weekday() < 5 else -2.5), 1.4)))
    start = dt.datetime.combine(day, dt.time(), tzinfo=HELSINKI)
    return (start + dt.timedelta(hours=hour, seconds=chance.randrange(60))).astimezone(dt.UTC)


def _trip(
    person: Person,
    number: int,
    moment: dt.datetime,
    day: dt.date,
    chance: random.Random,
    shelves: dict[tuple[str, int], "_Shelf"],
) -> Trip:
    hour = moment.astimezone(HELSINKI).hour
    to_cafe = chance.random() < person.cafe_share and CAFE.opens <= hour < CAFE.closes
    shop = CAFE if to_cafe else GROCER
    if shop.web_store and chance.random() < person.web_share:
        store, channel = shop.web_store[0], chance.choice(("web", "web", "app"))
    else:
        near = [code for code, _name, city in shop.stores if city == person.city]
        favourite = near[person.number % len(near)]
        store = favourite if chance.random() < 0.9 else chance.choice(shop.stores)[0]
        channel = "store"
    count = max(1, min(18, round(chance.gauss(1.8 if to_cafe else person.basket, 1.0 if to_cafe else 2.0))))
    lines = tuple(_line(ware, to_cafe, chance) for ware in shelves[shop.slug, day.month].take(count, chance))
    total = sum((line.total for line in lines), Decimal(0))
    return Trip(
        person, shop, f"{shop.slug}-{person.number:03}-{number:04}", moment, store, channel, lines, total
    )


def _line(ware: Ware, to_cafe: bool, chance: random.Random) -> LineFacts:
    if ware.by_weight:
        most = 6.0 if ware.sku == "1045" else 1.6
        quantity = Decimal(str(round(chance.uniform(most / 5, most), 3)))
    else:
        quantity = Decimal(chance.choices((1, 2, 3, 4), (70, 20, 7, 3) if not to_cafe else (80, 17, 3, 0))[0])
    total = (ware.price * quantity).quantize(CENT, ROUND_HALF_UP)
    return LineFacts(ware.sku, ware.category, ware.department, quantity, total)


class _Shelf:
    """What a shop has in a month, ready for weighted picks."""

    def __init__(self, shop: Shop, month: int) -> None:
        self.wares = [ware for ware in shop.wares if month in ware.months]
        self.weights = list(accumulate(ware.weight for ware in self.wares))

    def take(self, count: int, chance: random.Random) -> list[Ware]:
        """Different wares, at most ``count``."""
        picked = chance.choices(self.wares, cum_weights=self.weights, k=count)
        return list(dict.fromkeys(picked))


def _toned(own: list[Trip], *, at: dt.datetime) -> list[Trip]:
    """The demo member's purchases with lines added to or taken from the last year until the points are right.

    Before that year they stay far from Gold. The largest purchases give way first, small ones are doubled.
    """
    year_ago = at - dt.timedelta(days=364)
    before = [trip for trip in own if trip.occurred_at <= year_ago]
    last = [trip for trip in own if trip.occurred_at > year_ago]
    step = 0
    while (points := sum(int(trip.total) for trip in last)) not in DEMO_YEAR_POINTS and step < 3_000:
        place = step * 7 % len(last)
        trip = last[place]
        if points > DEMO_YEAR_POINTS[-1] and len(trip.lines) > 1:
            last[place] = _with_lines(trip, trip.lines[1:])
        elif points < DEMO_YEAR_POINTS[0] and len(trip.lines) < 20:
            donor = last[(place + 3) % len(last)]
            last[place] = _with_lines(trip, (*trip.lines, donor.lines[0]))
        step += 1
    return before + last


def _with_lines(trip: Trip, lines: tuple[LineFacts, ...]) -> Trip:
    total = sum((line.total for line in lines), Decimal(0))
    return Trip(
        trip.person, trip.shop, trip.receipt, trip.occurred_at, trip.store, trip.channel, lines, total
    )
