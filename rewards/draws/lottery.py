"""Who wins: a pure function of the seed, the list of entries and the prizes. Described in docs/draws.md.

Anyone can do the same with the published seed and list; the snippet in the document is a second, plainer way to write
it, and the tests hold the two together. Changing anything here changes what was promised: make a new algorithm instead.
"""

import hashlib
import hmac
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

ALGORITHM = "kantis-draw-1"
HEADER = "number,holder,chances\n"
_SPACE = 2**256


@dataclass(frozen=True, slots=True)
class Ticket:
    """A line of the list: an entry's number, the lowest number of the same member, and how many chances it has."""

    number: int
    holder: int
    chances: int


@dataclass(frozen=True, slots=True)
class Won:
    """A prize (its position in the draw) and the number of the entry that won it."""

    prize: int
    number: int


def list_text(tickets: Iterable[Ticket]) -> str:
    """The list as it is published, byte for byte what its digest is of; the tickets by number."""
    return HEADER + "".join(f"{each.number},{each.holder},{each.chances}\n" for each in tickets)


def digest_of(text: str) -> str:
    """SHA-256 in hexadecimal, as ``sha256sum`` prints it."""
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def winners(*, seed: bytes, list_digest: str, tickets: Sequence[Ticket], prizes: Sequence[int]) -> list[Won]:
    """The winners in the order in which they are drawn, one for each of ``prizes`` while there are members left.

    ``tickets`` are the list by number, ``prizes`` the position of each single prize. A member wins once at most: with
    the first entry drawn all entries of the same holder leave.
    """
    urn, numbers = _Urn(tickets), _Numbers(seed, bytes.fromhex(list_digest))
    of_holder: dict[int, list[int]] = defaultdict(list)
    for place, ticket in enumerate(tickets):
        of_holder[ticket.holder].append(place)
    won = []
    for prize in prizes:
        if not urn.chances:
            break
        ticket = tickets[urn.find(numbers.below(urn.chances))]
        won.append(Won(prize, ticket.number))
        for place in of_holder[ticket.holder]:
            urn.take(place, tickets[place].chances)
    return won


class _Numbers:
    """Numbers from HMAC-SHA256(seed, digest + counter), each equally likely: one that would favour is drawn again."""

    def __init__(self, seed: bytes, digest: bytes) -> None:
        self.seed, self.digest, self.counter = seed, digest, 0

    def below(self, limit: int) -> int:
        fair = _SPACE - _SPACE % limit
        while True:
            block = hmac.digest(self.seed, self.digest + self.counter.to_bytes(8, "big"), "sha256")
            self.counter += 1
            number = int.from_bytes(block, "big")
            if number < fair:
                return number % limit


class _Urn:
    """The chances in the order of the list, as a tree of sums: each step costs the logarithm of its length."""

    def __init__(self, tickets: Sequence[Ticket]) -> None:
        self.size = len(tickets)
        self.sums = [0] * (self.size + 1)
        self.chances = 0
        for place, ticket in enumerate(tickets):
            self._add(place, ticket.chances)
        self.top = 1 << self.size.bit_length()

    def find(self, chance: int) -> int:
        """The place of the entry to which the chance belongs, chances counted from 0 along the list."""
        place, step = 0, self.top
        while step:
            ahead = place + step
            if ahead <= self.size and self.sums[ahead] <= chance:
                place, chance = ahead, chance - self.sums[ahead]
            step >>= 1
        return place

    def take(self, place: int, chances: int) -> None:
        self._add(place, -chances)

    def _add(self, place: int, chances: int) -> None:
        self.chances += chances
        place += 1
        while place <= self.size:
            self.sums[place] += chances
            place += place & -place
