"""The algorithm of draws: fair, without replacement, and the same for everybody who has the seed and the list."""

import hashlib
import hmac
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from rewards.draws.lottery import Ticket, Won, digest_of, list_text, winners

DIGEST = "ab" * 32


@st.composite
def lists(draw: st.DrawFn) -> list[Ticket]:
    """Lists of up to forty entries of up to ten members, numbered with gaps where some were withdrawn."""
    numbers = sorted(draw(st.sets(st.integers(1, 200), max_size=40)))
    member_of = {number: draw(st.integers(0, 9)) for number in numbers}
    first: dict[int, int] = {}
    for number in numbers:
        first.setdefault(member_of[number], number)
    return [Ticket(number, first[member_of[number]], draw(st.integers(1, 10**6))) for number in numbers]


def plainly(seed: bytes, digest: str, tickets: list[Ticket], prizes: list[int]) -> list[Won]:
    """The same in the plainest way: one chance after the other along the list."""
    won, counter = [], 0
    for prize in prizes:
        total = sum(ticket.chances for ticket in tickets)
        if not total:
            break
        while True:
            block = hmac.new(seed, bytes.fromhex(digest) + counter.to_bytes(8, "big"), hashlib.sha256)
            counter += 1
            number = int.from_bytes(block.digest(), "big")
            if number < 2**256 - 2**256 % total:
                break
        number %= total
        for ticket in tickets:
            if number < ticket.chances:
                break
            number -= ticket.chances
        won.append(Won(prize, ticket.number))
        tickets = [each for each in tickets if each.holder != ticket.holder]
    return won


@given(lists(), st.lists(st.integers(1, 3), max_size=12), st.binary(min_size=32, max_size=32))
def test_the_tree_gives_what_counting_along_the_list_gives(
    tickets: list[Ticket], prizes: list[int], seed: bytes
) -> None:
    digest = digest_of(list_text(tickets))
    assert winners(seed=seed, list_digest=digest, tickets=tickets, prizes=prizes) == plainly(
        seed, digest, tickets, prizes
    )


@given(lists(), st.lists(st.integers(1, 3), max_size=12), st.binary(min_size=32, max_size=32))
def test_every_member_wins_once_and_prizes_are_given_while_there_are_members(
    tickets: list[Ticket], prizes: list[int], seed: bytes
) -> None:
    won = winners(seed=seed, list_digest=DIGEST, tickets=tickets, prizes=prizes)
    holders = {ticket.number: ticket.holder for ticket in tickets}
    assert len({holders[each.number] for each in won}) == len(won)
    assert [each.prize for each in won] == prizes[: len(set(holders.values()))]


def test_over_many_seeds_each_entry_wins_by_its_chances() -> None:
    tickets = [Ticket(1, 1, 1), Ticket(2, 2, 2), Ticket(3, 1, 3), Ticket(4, 4, 4)]
    rounds = 5000
    wins: Counter[int] = Counter()
    for number in range(rounds):
        seed = hashlib.sha256(str(number).encode()).digest()
        wins[winners(seed=seed, list_digest=DIGEST, tickets=tickets, prizes=[1])[0].number] += 1
    expected = {ticket.number: rounds * ticket.chances / 10 for ticket in tickets}
    chi_square = sum((wins[number] - fair) ** 2 / fair for number, fair in expected.items())
    assert chi_square < 16.27  # three degrees of freedom: a fair draw stays below it 999 times in 1,000


def test_the_second_prize_goes_by_the_chances_that_are_left() -> None:
    tickets = [Ticket(1, 1, 5), Ticket(2, 2, 3), Ticket(3, 3, 2)]
    rounds = 5000
    wins: Counter[int] = Counter()
    for number in range(rounds):
        seed = hashlib.sha256(str(number).encode()).digest()
        wins[winners(seed=seed, list_digest=DIGEST, tickets=tickets, prizes=[1, 2])[1].number] += 1
    chance = {1: 0.3 * 5 / 7 + 0.2 * 5 / 8, 2: 0.5 * 3 / 5 + 0.2 * 3 / 8, 3: 0.5 * 2 / 5 + 0.3 * 2 / 7}
    chi_square = sum((wins[n] - rounds * fair) ** 2 / (rounds * fair) for n, fair in chance.items())
    assert chi_square < 13.82  # two degrees of freedom


def test_another_list_gives_other_winners_by_the_same_seed() -> None:
    tickets = [Ticket(number, number, 1) for number in range(1, 1001)]
    seed = bytes(range(32))
    drawn = {
        winners(seed=seed, list_digest=digest_of(str(number)), tickets=tickets, prizes=[1])[0].number
        for number in range(20)
    }
    assert len(drawn) > 15


def test_the_list_is_what_sha256sum_reads() -> None:
    text = list_text([Ticket(1, 1, 2), Ticket(3, 1, 5)])
    assert text == "number,holder,chances\n1,1,2\n3,1,5\n"
    assert digest_of(text) == hashlib.sha256(text.encode()).hexdigest()
