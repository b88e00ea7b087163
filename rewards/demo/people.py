"""Five hundred made-up members with habits: how often they shop, where, how much, and until when."""

import datetime as dt
import random
import re
import unicodedata
from dataclasses import dataclass

from faker import Faker

from members.consents import ConsentGiven
from members.enrolment import NewMember
from members.models.consent import ConsentChannel, Purpose
from members.models.member import Member
from rewards.demo.wares import CAFE, CITIES, GROCER, Shop

DOMAINS = ("example.com", "example.org", "example.net")  # RFC 2606: nobody's
DEMO_EMAIL = "aino.virtanen@example.com"
DEMO_NAME = ("Aino", "Virtanen")
STYLES = {"heavy": 6, "weekly": 30, "fortnightly": 30, "now and then": 34}
VISITS_A_WEEK = {"heavy": 2.5, "weekly": 0.9, "fortnightly": 0.4, "now and then": 0.12}
BASKETS = {"heavy": (7.0, 11.5), "weekly": (4.0, 9.0), "fortnightly": (3.5, 7.0), "now and then": (2.0, 6.0)}
WEEKDAYS = (
    (1, 1, 1, 1, 1.5, 1.6, 0.7),
    (0.8, 0.9, 1, 1.2, 1.9, 0.9, 0.5),
    (0.6, 0.6, 0.6, 0.7, 1.1, 2.2, 1.5),
)


@dataclass(frozen=True)
class Person:
    """A member to be and their habits. ``shop`` enrolled them (None: the portal); ``leaves_at`` is when they stop."""

    number: int
    new: NewMember
    shop: Shop | None
    city: str
    visits_a_week: float
    basket: float
    weekdays: tuple[float, ...]
    hour: int
    cafe_share: float
    web_share: float
    leaves_at: dt.datetime

    @property
    def is_demo(self) -> bool:
        return self.number == 0


def people(count: int, *, chance: random.Random, begins: dt.datetime, at: dt.datetime) -> list[Person]:
    """``count`` people of whom the first is the demo member; the same for the same chance, up to dates."""
    names = Faker("fi_FI")
    names.seed_instance(chance.randrange(2**32))
    taken = {DEMO_EMAIL}
    birthdays = _birthdays(count, chance, at.date())
    return [_person(number, names, chance, taken, birthdays[number], begins, at) for number in range(count)]


def _person(
    number: int,
    names: Faker,
    chance: random.Random,
    taken: set[str],
    birth_date: dt.date,
    begins: dt.datetime,
    at: dt.datetime,
) -> Person:
    style = chance.choices(list(STYLES), list(STYLES.values()))[0]
    shop = chance.choices([GROCER, CAFE, None], [65, 15, 20])[0]
    first, last = names.first_name(), names.last_name()
    email = _address(first, last, taken, chance)
    joined = _joined(chance, begins, at)
    visits = VISITS_A_WEEK[style] * chance.uniform(0.75, 1.3)
    city = chance.choices(list(CITIES), list(CITIES.values()))[0]
    if number == 0:
        first, last, email, joined, shop, visits, city = (
            *DEMO_NAME,
            DEMO_EMAIL,
            begins,
            GROCER,
            1.9,
            "Helsinki",
        )
    life = (at - joined) * chance.uniform(0.15, 0.9)
    leaves = joined + life if number and chance.random() < 0.17 else at
    return Person(
        number,
        NewMember(
            joined_at=joined,
            external_id=f"{shop.slug}-{number + 1:05}" if shop else "",
            first_name=first,
            last_name=last,
            email=email,
            birth_date=birth_date,
            language="fi" if number == 0 else chance.choices(["fi", "sv", "en"], [88, 8, 4])[0],
            consents=_consents(chance, everything=number == 0),
            acquisition_channel=_channel(chance, shop),
        ),
        shop,
        city,
        visits,
        chance.uniform(*BASKETS[style]),
        chance.choice(WEEKDAYS),
        chance.choice((9, 11, 12, 16, 17, 17, 18)),
        0.8 if shop is CAFE else chance.choice((0.0, 0.05, 0.15, 0.3)),
        chance.choice((0, 0, 0, 0.1, 0.6)),
        leaves,
    )


def _joined(chance: random.Random, begins: dt.datetime, at: dt.datetime) -> dt.datetime:
    """Two fifths in the opening month, the others ever since, a few in the last days; by day, not by night."""
    span = (at - begins).days
    day = chance.uniform(0, 30) if chance.random() < 0.4 else chance.uniform(0, span)
    if chance.random() < 0.02:
        day = chance.uniform(span - 7, span)
    moment = begins + dt.timedelta(days=int(day))
    return min(moment.replace(hour=chance.randrange(7, 18), minute=chance.randrange(60)), at)


def _birthdays(count: int, chance: random.Random, today: dt.date) -> list[dt.date]:
    """Dates of birth of grown-ups: the demo member's in three days, three people's today, some this week, one on
    29 February."""
    near = [3, 0, 0, 0, 1, 2, 4, 5, 6]
    dates = []
    for number in range(count):
        born = today - dt.timedelta(days=chance.randrange(18 * 366, 82 * 365))
        if number < len(near):
            day = today + dt.timedelta(days=near[number])
            year = today.year - chance.randrange(24, 70)
            born = dt.date(year, day.month, min(day.day, 28) if day.month == 2 else day.day)
        elif number == len(near):
            born = dt.date(1988, 2, 29)
        dates.append(born)
    return dates


def _address(first: str, last: str, taken: set[str], chance: random.Random) -> str:
    plain = unicodedata.normalize("NFKD", f"{first}.{last}".lower())
    local = re.sub(r"[^a-z.-]", "", plain)
    address = f"{local}@{chance.choice(DOMAINS)}"
    number = 1
    while address in taken:
        number += 1
        address = f"{local}{number}@{chance.choice(DOMAINS)}"
    taken.add(address)
    return address


def _consents(chance: random.Random, *, everything: bool) -> tuple[ConsentGiven, ...]:
    given = []
    for purpose, channel, share in (
        (Purpose.MARKETING, ConsentChannel.EMAIL, 0.66),
        (Purpose.MARKETING, ConsentChannel.SMS, 0.22),
        (Purpose.PROFILING, ConsentChannel.ANY, 0.48),
        (Purpose.PURCHASE_LINES, ConsentChannel.ANY, 0.83),
        (Purpose.SURVEYS, ConsentChannel.EMAIL, 0.31),
    ):
        if everything or chance.random() < share:
            given.append(ConsentGiven(purpose=purpose, channel=channel))
    return tuple(given)


def _channel(chance: random.Random, shop: Shop | None) -> str:
    ways = Member.AcquisitionChannel
    if shop:
        return chance.choices([ways.STORE, ways.PARTNER, ways.EVENT, ways.DIRECT_MAIL], [70, 15, 7, 8])[0]
    return chance.choices([ways.ORGANIC, ways.WEB_ADVERTISING, ways.REFERRAL], [50, 30, 20])[0]
