"""Worlds of referrals made up with a fixed seed: honest people with everything they have in common, and rings of fraud.

Rows go in by COPY, so that tens of thousands are there in a second or two.
"""

import datetime as dt
import itertools
import random
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import connection

from members.models import Tier
from referrals.fraud.marks import hashes_of
from referrals.models import ProgrammeTerms
from tests.factories.partners import PartnerFactory

BEGIN = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
END = BEGIN + dt.timedelta(days=300)
DAY, HOUR = dt.timedelta(days=1), dt.timedelta(hours=1)
MINIMUM = 20.0


@dataclass(slots=True)
class Person:
    """A member: what tells them apart, and when they joined. Blank is unknown to us."""

    id: int
    joined_at: dt.datetime
    email: str
    phone: str = ""
    device: str = ""
    address: str = ""
    payment: str = ""


@dataclass(slots=True)
class Brought:
    """A friend who has qualified. ``later``: what they bought besides, and whether it was returned."""

    friend: Person
    referrer: Person
    at: dt.datetime
    paid: float
    ring: int | None = None
    later: list[tuple[float, bool]] = field(default_factory=list)


class World:
    """Everybody there is; ``brought`` in the order of ids."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.people: list[Person] = []
        self.brought: list[Brought] = []
        self._numbers = itertools.count(1)
        self._friends_of: dict[int, list[Person]] = defaultdict(list)

    # --- People ---------------------------------------------------------------------------------------------------

    def person(self, joined_at: dt.datetime, **known: str) -> Person:
        """Somebody new, of whom most things are known, and all their own but what is said otherwise."""
        number, chance = next(self._numbers), self.random.random
        own = {
            "email": f"person.{number}@{self.random.choice(('example.com', 'example.org', 'gmail.com'))}",
            "phone": f"+35840{number:07}" if chance() < 0.8 else "",
            "device": f"device-{number}" if chance() < 0.7 else "",
            "address": f"street {number}" if chance() < 0.8 else "",
            "payment": f"card-{number}" if chance() < 0.7 else "",
        }
        if chance() < 0.03:
            own["address"] = f"campus network {self.random.randrange(5)}"
        if chance() < 0.02:
            own["device"] = f"shop tablet {self.random.randrange(3)}"
        made = Person(number, joined_at, **(own | known))
        self.people.append(made)
        return made

    def household(self, of: Person) -> dict[str, str]:
        """What somebody of the same household has in common with a member."""
        chance = self.random.random
        common = {"address": of.address} if chance() < 0.9 else {}
        if chance() < 0.15:
            common["payment"] = of.payment
        if chance() < (0.35 if "payment" in common else 0.15):
            common["device"] = of.device
        if chance() < 0.03:
            common["phone"] = of.phone
        return {name: value for name, value in common.items() if value}

    def bring(
        self, referrer: Person, friend: Person, *, at: dt.datetime, paid: float, ring: int | None = None
    ) -> Brought:
        made = Brought(friend, referrer, at, paid, ring)
        self.brought.append(made)
        self._friends_of[referrer.id].append(friend)
        return made

    # --- Honest ---------------------------------------------------------------------------------------------------

    def honest(self, count: int) -> None:
        """Referrals of honest members: families, neighbours, offices, popular people, small purchases, returns."""
        members = [self.person(self.some_time() - 200 * DAY) for _ in range(count * 3 // 10)]
        popular = self.random.sample(members, max(count // 500, 1))
        parties = {each.id: [self.some_time() for _ in range(3)] for each in popular}
        friends: list[Brought] = []
        first = len(self.brought)
        while len(self.brought) - first < count:
            kind = self.random.random()
            if kind < 0.12:
                referrer = self.random.choice(popular)
                at = self.random.choice(parties[referrer.id]) + self.random.random() * 10 * HOUR
            elif kind < 0.37 and friends:
                referrer = self.random.choice(friends).friend
                at = referrer.joined_at + self.random.expovariate(1 / 20) * DAY
            else:
                referrer = self.random.choice(members)
                at = referrer.joined_at + DAY + self.random.random() * 300 * DAY
            friends.append(self._honest_friend(referrer, at, friends))

    def _honest_friend(self, referrer: Person, at: dt.datetime, friends: Sequence[Brought]) -> Brought:
        chance = self.random.random
        kind = chance()
        common: dict[str, str] = {}
        if kind < 0.08:
            common = self.household(referrer)
        elif kind < 0.11:  # a couple, or two of a family, who know the same member
            if others := self._friends_of.get(referrer.id):
                common = self.household(self.random.choice(others))
        elif kind < 0.113 and friends:  # a neighbour brings somebody of the house they were brought from
            earlier = self.random.choice(friends)
            referrer, at = earlier.friend, earlier.at + self.random.expovariate(1 / 30) * DAY
            common = self.household(earlier.referrer)
        elif kind < 0.16 and referrer.address:
            common = {"address": referrer.address}  # colleagues, or students in one house
        if chance() < 0.003:
            common["email"] = f"once{next(self._numbers)}@mailinator.com"
        made = self.bring(referrer, self.person(at, **common), at=at, paid=self._honest_price())
        returns = 0.4 if chance() < 0.03 else 0.06
        made.later = [
            (self._honest_price(), chance() < returns) for _ in range(int(self.random.expovariate(0.7)))
        ]
        return made

    def _honest_price(self) -> float:
        if self.random.random() < 0.18:
            return round(
                self.random.uniform(MINIMUM, MINIMUM * 1.1), 2
            )  # the minimum is in the advertisement
        return round(MINIMUM + self.random.lognormvariate(3, 0.8), 2)

    def some_time(self) -> dt.datetime:
        return BEGIN + self.random.random() * (END - BEGIN)

    # --- Rings ----------------------------------------------------------------------------------------------------

    def rings(self, count: int) -> None:
        """Rings of four to twelve accounts, of every kind in turn; one in twenty has nothing in common with them."""
        for number in range(count):
            kind = RINGS[number % len(RINGS)]
            kind(self, number, self.random.randint(4, 12))

    def star(
        self, ring: int, size: int, common: Callable[[int], dict[str, str]], *, within: dt.timedelta
    ) -> list[Brought]:
        """One account brings all the others, who have something in common with it."""
        begin = self.some_time()
        head = self.person(begin - DAY, **common(0))
        made = []
        for place in range(1, size + 1):
            at = begin + self.random.random() * within
            has = common(place) if self.random.random() > 0.05 else {}
            made.append(self.bring(head, self.person(at, **has), at=at, paid=self.cheap(), ring=ring))
        return made

    def row(
        self, ring: int, size: int, common: Callable[[int], dict[str, str]], *, within: dt.timedelta
    ) -> tuple[Person, Person, dt.datetime]:
        """Each account brings the next one; gives the first, the last and when the last joined."""
        at = self.some_time()
        first = last = self.person(at, **common(0))
        for place in range(1, size):
            at += self.random.random() * within
            friend = self.person(at, **common(place))
            self.bring(last, friend, at=at, paid=self.cheap(), ring=ring)
            last = friend
        return first, last, at

    def cheap(self) -> float:
        """As little as it takes, mostly."""
        most = 1.1 if self.random.random() < 0.7 else 2.5
        return round(self.random.uniform(MINIMUM, MINIMUM * most), 2)

    # --- Writing --------------------------------------------------------------------------------------------------

    def write(self, terms: ProgrammeTerms) -> dict[int, Brought]:
        """Put it all into the database; the referrals by id, all of them waiting."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT coalesce(max(id), 0) FROM members_member")
            (before,) = cursor.fetchone()
            cursor.execute("SELECT coalesce(max(id), 0) FROM referrals_referral")
            (before_referrals,) = cursor.fetchone()
            cursor.execute("SELECT coalesce(max(id), 0) FROM members_activity")
            (before_activities,) = cursor.fetchone()
        _Writer(self, terms, before, before_activities).write(before_referrals)
        return {before_referrals + place: each for place, each in enumerate(self.brought, start=1)}


class _Writer:
    """The rows of a world. Ids follow those that are there, and the sequences are moved on."""

    def __init__(self, world: World, terms: ProgrammeTerms, before: int, before_activities: int) -> None:
        self.world, self.terms, self.before = world, terms, before
        self.partner, self.tier = PartnerFactory(), Tier.objects.order_by("rank")[0]
        self.activities: list[dict[str, Any]] = []
        self.refunds: list[dict[str, Any]] = []
        self.ids = itertools.count(before_activities + 1)

    def write(self, before_referrals: int) -> None:
        referrals = [
            self._referral(before_referrals + place, each)
            for place, each in enumerate(self.world.brought, start=1)
        ]
        for table, rows in (
            ("members_member", (self._member(each) for each in self.world.people)),
            ("members_activity", self.activities),
            ("rewards_refund", self.refunds),
            ("referrals_referral", referrals),
            ("referrals_mark", self._marks()),
        ):
            copy_rows(table, rows)
        move_sequences("members_member", "members_activity", "referrals_referral")
        with connection.cursor() as cursor:
            cursor.execute(
                "ANALYZE members_member, members_activity, rewards_refund, referrals_referral, referrals_mark"
            )

    def _member(self, person: Person) -> dict[str, Any]:
        return {
            **dict.fromkeys(("first_name", "last_name"), ""),
            "id": self.before + person.id,
            "public_id": uuid.UUID(int=self.world.random.getrandbits(128)),
            "card_number": f"9{person.id:015}",
            "status": "active",
            "email": person.email,
            "phone": person.phone,
            "language": "fi",
            "time_zone": "Europe/Helsinki",
            "joined_at": person.joined_at,
            "source": "portal",
            "acquisition_channel": "referral",
            "tier_id": self.tier.pk,
            "tier_since": person.joined_at,
            "tier_as_of": person.joined_at,
            "tier_transfer_id": 0,
        }

    def _referral(self, id_: int, brought: Brought) -> dict[str, Any]:
        bought_at = brought.at + self.world.random.random() * 5 * DAY
        activity = self._purchase(brought.friend, bought_at, brought.paid)
        for days, (paid, is_returned) in enumerate(brought.later, start=6):
            later = self._purchase(brought.friend, brought.at + days * DAY, paid)
            if is_returned:
                self._refund(brought.friend, later, brought.at + (days + 3) * DAY, paid)
        return {
            "id": id_,
            "public_id": uuid.UUID(int=self.world.random.getrandbits(128)),
            "referrer_id": self.before + brought.referrer.id,
            "friend_id": self.before + brought.friend.id,
            "terms_id": self.terms.pk,
            "state": "waiting",
            "reason": "",
            "joined_at": brought.at,
            "purchased_at": bought_at,
            "lapses_at": brought.at + 90 * DAY,
            "due_at": bought_at + 14 * DAY,
            "activity_id": activity,
            "score": 0,
            "appeal": "",
        }

    def _purchase(self, by: Person, at: dt.datetime, paid: float) -> int:
        number = next(self.ids)
        self.activities.append(
            {
                "id": number,
                "public_id": uuid.UUID(int=self.world.random.getrandbits(128)),
                "member_id": self.before + by.id,
                "partner_id": self.partner.pk,
                "external_id": f"world-{number}",
                "kind_id": "purchase",
                "occurred_at": at,
                "recorded_at": at,
                "currency": "EUR",
                "total": f"{paid:.2f}",
                "content_digest": b"",
            }
        )
        return number

    def _refund(self, to: Person, activity: int, at: dt.datetime, amount: float) -> None:
        self.refunds.append(
            {
                "public_id": uuid.UUID(int=self.world.random.getrandbits(128)),
                "activity_id": activity,
                "member_id": self.before + to.id,
                "partner_id": self.partner.pk,
                "external_id": f"world-refund-{activity}",
                "amount": f"{amount:.2f}",
                "occurred_at": at,
                "recorded_at": at,
                "content_digest": b"",
                "status": "posted",
                "points": 0,
                "forgiven": 0,
            }
        )

    def _marks(self) -> Iterator[dict[str, Any]]:
        for person in self.world.people:
            known = {name: getattr(person, name) for name in ("device", "address", "payment")}
            for kind, hash_ in hashes_of(known).items():
                yield {
                    "member_id": self.before + person.id,
                    "kind": kind,
                    "hash": hash_,
                    "first_seen": person.joined_at,
                    "last_seen": person.joined_at,
                }


def copy_rows(table: str, rows: Iterable[dict[str, Any]]) -> None:
    """Write rows of equal columns by COPY."""
    rows = iter(rows)
    first = next(rows, None)
    if first is None:
        return
    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY {table} ({', '.join(first)}) FROM STDIN") as copy,
    ):
        for row in itertools.chain((first,), rows):
            copy.write_row(tuple(row.values()))


def move_sequences(*tables: str) -> None:
    """Have the next ids of tables follow those that were written with their ids."""
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(
                f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT coalesce(max(id), 1) FROM {table}))"
            )


# --- Kinds of rings -----------------------------------------------------------------------------------------------

Ring = Callable[[World, int, int], object]
_SPELLINGS: Sequence[Callable[[str, int], str]] = (
    lambda name, n: f"{name}+{n}@gmail.com",
    lambda name, n: f"{name[: n % 5 + 1]}.{name[n % 5 + 1 :]}+k{n}@gmail.com",
    lambda name, n: f"{name}+{n}@googlemail.com",
    lambda name, n: f"{name.upper()}+x{n}@Gmail.com",
)


def one_mailbox(world: World, ring: int, size: int) -> None:
    """One mailbox under many spellings."""

    def common(place: int) -> dict[str, str]:
        return {"email": _SPELLINGS[place % len(_SPELLINGS)](f"trickster{ring}", place)}

    world.star(ring, size, common, within=20 * DAY)


def one_phone(world: World, ring: int, size: int) -> None:
    """One telephone for all of them."""
    world.star(ring, size, lambda _place: {"phone": f"+35850{ring:07}"}, within=30 * DAY)


def device_farm(world: World, ring: int, size: int) -> None:
    """All on one device and one network, at a sitting."""
    common = {"device": f"farm-{ring}", "address": f"farm network {ring}"}
    world.star(ring, size + 3, lambda _place: dict(common), within=6 * HOUR)


def one_card(world: World, ring: int, size: int) -> None:
    """All paid with one card, on the same network, within a day."""
    common = {"payment": f"stolen-{ring}", "address": f"ring street {ring}"}
    world.star(ring, size + 3, lambda _place: dict(common), within=20 * HOUR)


def plain_circle(world: World, ring: int, size: int) -> None:
    """Separate people as far as anybody can see, and the last one brings the first."""
    first, last, at = world.row(ring, size, lambda _place: {}, within=10 * DAY)
    world.bring(last, first, at=at + HOUR, paid=world.cheap(), ring=ring)


def circle_under_other_names(world: World, ring: int, size: int) -> None:
    """The last one brings the first under another name, who pays with the same card."""
    ends = (0, size - 1)
    world.row(
        ring, size, lambda place: {"payment": f"circle-{ring}"} if place in ends else {}, within=10 * DAY
    )


def chain_on_two_devices(world: World, ring: int, size: int) -> None:
    """Each brings the next, on two devices in turn."""
    world.row(ring, size, lambda place: {"device": f"chain-{ring}-{place % 2}"}, within=2 * DAY)


def throw_away(world: World, ring: int, size: int) -> None:
    """Throw-away addresses from behind changing networks, in one evening."""
    world.star(
        ring,
        size + 3,
        lambda place: {
            "email": f"r{ring}.{place}@{('yopmail.com', 'eu.mailinator.com')[place % 2]}",
            "address": "",
        },
        within=4 * HOUR,
    )


def buy_and_return(world: World, ring: int, size: int) -> None:
    """What they buy after they have qualified goes back to the shop; all of them in one day."""
    for each in world.star(ring, size + 3, lambda _place: {}, within=20 * HOUR):
        each.later = [
            (world.cheap(), world.random.random() < 0.85) for _ in range(world.random.randint(1, 3))
        ]


RINGS: Sequence[Ring] = (
    one_mailbox,
    one_phone,
    device_farm,
    one_card,
    plain_circle,
    circle_under_other_names,
    chain_on_two_devices,
    throw_away,
    buy_and_return,
)
