#!/usr/bin/env python
"""Redemptions a second through POST /api/v1/redemptions, beside a bare view that writes the same rows (README.md).

Every one reserves a reward that is collected at a counter, the way that a till or a service desk redeems: a reward of a
limited stock, a code to show, points in one lot. Members and rewards are drawn evenly and apart from each other out of
many, so that two of the eight connections seldom meet in one member's accounts or at one pile: neither server is
measured by how long it waits for a lock. (A single reward that all want at once is a test, not this.)
"""

import argparse
import json
import statistics
import sys
import time
import uuid

import house
from earn import Server, Till

MEMBERS = 2_000
REWARDS = 200
POINTS = 1_000_000_000
PRICE = 10
TARGET = 0.5


class Counter(Till):
    """One connection that redeems reward after reward for many members."""

    rewards: tuple[str, ...] = ()

    def request(self, count: int) -> bytes:
        unique = uuid.uuid4().hex
        start = self.number * 997 + count * 13
        body = json.dumps(
            {
                "external_id": unique,
                "member": {"external_id": f"m{start % MEMBERS}"},
                "reward": self.rewards[(start // 7 + self.number * 61) % REWARDS],
            }
        ).encode()
        head = (
            "POST /api/v1/redemptions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Authorization: Bearer {self.key}\r\nIdempotency-Key: {unique}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


def load(server: Server, key: str, seconds: float, connections: int) -> list[float]:
    """Keep the server busy; how long each redemption took, in seconds."""
    until = time.monotonic() + seconds
    tills = [Counter(server.port, key, number, until) for number in range(connections)]
    for till in tills:
        till.start()
    for till in tills:
        till.join()
    if errors := [till.error for till in tills if till.error]:
        raise SystemExit(f"{server.name} refused a redemption: {errors[0]}")
    return [took for till in tills for took in till.times]


def prepare() -> str:
    """A partner with its members, each with points in one lot, rewards with stock, and a key without a limit."""
    from loyalty import clock
    from loyalty.models import Partner
    from loyalty.partners.keys import create_key
    from members.enrolment import NewMember, enrol_many
    from rewards import ledger, terms
    from rewards.models import Reward, RewardStock

    at = clock.now()
    partner = Partner.objects.create(slug="bench", name="Bench")
    news = [NewMember(external_id=f"m{number}") for number in range(MEMBERS)]
    members = enrol_many(news, source="partner", at=at, partner=partner)
    wallet_id = terms.current().default_wallet_id
    ledger.post_grants([ledger.Grant(member.pk, wallet_id, POINTS, at, None) for member in members], at=at)
    rewards = [
        Reward.objects.create(
            code=f"reward-{number}",
            names={"en": f"Reward {number}"},
            kind=Reward.Kind.PRODUCT,
            fulfilment=Reward.Fulfilment.COLLECT,
            points=PRICE,
            is_active=True,
        )
        for number in range(REWARDS)
    ]
    RewardStock.objects.bulk_create(RewardStock(reward=reward, total=POINTS) for reward in rewards)
    Counter.rewards = tuple(str(reward.public_id) for reward in rewards)
    _key, text = create_key(
        partner=partner, name="bench", rate_per_minute=100_000_000, scopes=("redemptions:write",)
    )
    return text


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--seconds", type=float, default=8)
    options.add_argument("--connections", type=int, default=8)
    given = options.parse_args()
    home = house.open_house()
    key = prepare()
    kantis = Server("kantis", "loyalty.wsgi:application", "loyalty.settings")
    floor = Server("floor", "bench.floor_redeem:application", "bench.floor_redeem_settings")
    try:
        for server in (kantis, floor):
            server.start(home)
            load(server, key, 3, given.connections)
        for number in range(given.rounds):
            for server in (kantis, floor):
                house.checkpoint()
                times = load(server, key, given.seconds, given.connections)
                server.rates.append(len(times) / given.seconds)
                server.slow.append(statistics.quantiles(times, n=100)[94] * 1000)
                print(f"round {number + 1}  {server.name:7} {server.rates[-1]:7.1f} a second", flush=True)
    finally:
        for server in (kantis, floor):
            server.stop()
    for server in (kantis, floor):
        print(
            f"{server.name:7} {statistics.median(server.rates):7.1f} redemptions a second, "
            f"95 % within {statistics.median(server.slow):.1f} ms"
        )
    ratio = statistics.median(kantis.rates) / statistics.median(floor.rates)
    print(f"ratio   {ratio:7.2f}  (we hold ourselves to {TARGET})")
    sys.exit(ratio < TARGET)


if __name__ == "__main__":
    main()
