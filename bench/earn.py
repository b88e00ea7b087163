#!/usr/bin/env python
"""Purchases a second through POST /api/v1/activities, beside a bare view that writes the same rows. See README.md."""

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import threading
import time
import uuid
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import house

MEMBERS = 2_000
PRODUCTS = 60
LINES = 5
TARGET = 0.5


@dataclass
class Server:
    """One granian and the purchases it was sent."""

    name: str
    target: str
    settings: str
    port: int = 0
    process: subprocess.Popen[bytes] | None = None
    rates: list[float] = field(default_factory=list)
    slow: list[float] = field(default_factory=list)

    def start(self, home: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "granian", "--interface", "wsgi", self.target),
                *(
                    "--host",
                    "127.0.0.1",
                    "--port",
                    str(self.port),
                    "--workers",
                    "2",
                    "--blocking-threads",
                    "4",
                ),
                *("--log-level", "warning"),
            ],
            cwd=house.BASE,
            env={**os.environ, "DJANGO_SETTINGS_MODULE": self.settings, "LOG_LEVEL": "INFO"},
            stdout=(home / f"{self.name}.log").open("wb"),
            stderr=subprocess.STDOUT,
        )
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.1)
        raise SystemExit(f"{self.name} does not answer; see {home / self.name}.log")

    def stop(self) -> None:
        if self.process:
            self.process.terminate()
            self.process.wait(20)


class Till(threading.Thread):
    """One connection that sends purchase after purchase until told to stop."""

    def __init__(self, port: int, key: str, number: int, until: float) -> None:
        super().__init__()
        self.port, self.key, self.number, self.until = port, key, number, until
        self.times: list[float] = []
        self.error = ""

    def run(self) -> None:
        try:
            self.buy()
        except (OSError, ValueError) as error:
            self.error = repr(error)

    def buy(self) -> None:
        line = socket.create_connection(("127.0.0.1", self.port))
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with line:
            count = 0
            while (began := time.monotonic()) < self.until:
                count += 1
                line.sendall(self.request(count))
                status, body = receive(line)
                if status != 201:
                    self.error = f"{status}: {body[:500]!r}"
                    return
                self.times.append(time.monotonic() - began)

    def request(self, count: int) -> bytes:
        unique = uuid.uuid4().hex
        start = self.number * 997 + count * 13
        lines = [
            {
                "sku": f"sku-{(start + place * 7) % PRODUCTS}",
                "category": f"category-{(start + place * 7) % PRODUCTS % 12}",
                "department": "food",
                "quantity": "1",
                "total": f"{1 + place}.{start % 90 + 10}",
            }
            for place in range(LINES)
        ]
        total = sum(int(each["total"].replace(".", "")) for each in lines)
        body = json.dumps(
            {
                "external_id": unique,
                "member": {"external_id": f"m{start % MEMBERS}"},
                "kind": "purchase",
                "occurred_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                "total": f"{total // 100}.{total % 100:02}",
                "currency": "EUR",
                "store": f"store-{start % 5}",
                "channel": "store",
                "lines": lines,
            }
        ).encode()
        head = (
            "POST /api/v1/activities HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Authorization: Bearer {self.key}\r\nIdempotency-Key: {unique}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


def receive(line: socket.socket) -> tuple[int, bytes]:
    """The status and body of one answer that has a Content-Length."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += line.recv(65536) or _closed()
    head, _blank, body = data.partition(b"\r\n\r\n")
    lower = head.lower()
    length = int(lower.partition(b"content-length:")[2].partition(b"\r\n")[0])
    while len(body) < length:
        body += line.recv(65536) or _closed()
    return int(head.split(b" ", 2)[1]), body


def _closed() -> bytes:
    raise ConnectionError("The server closed the connection.")


def load(server: Server, key: str, seconds: float, connections: int) -> list[float]:
    """Keep the server busy; how long each purchase took, in seconds."""
    until = time.monotonic() + seconds
    tills = [Till(server.port, key, number, until) for number in range(connections)]
    for till in tills:
        till.start()
    for till in tills:
        till.join()
    if errors := [till.error for till in tills if till.error]:
        raise SystemExit(f"{server.name} refused a purchase: {errors[0]}")
    return [took for till in tills for took in till.times]


def prepare() -> str:
    """A partner with its members, products and one key without a limit that matters."""
    from loyalty import clock
    from loyalty.models import Partner
    from loyalty.partners.keys import create_key
    from members.activities import LineFacts, NewActivity
    from members.enrolment import NewMember, enrol_many
    from rewards.earning import record_and_reward_many

    at = clock.now()
    partner = Partner.objects.create(slug="bench", name="Bench")
    members = enrol_many(
        [NewMember(external_id=f"m{number}") for number in range(MEMBERS)],
        source="partner",
        at=at,
        partner=partner,
    )
    products = tuple(
        LineFacts(f"sku-{number}", f"category-{number % 12}", "food", Decimal(1), Decimal(0))
        for number in range(PRODUCTS)
    )
    record_and_reward_many(
        [
            NewActivity(
                partner_id=partner.pk,
                member_id=member.pk,
                external_id=f"first-{number}",
                kind="purchase",
                occurred_at=at,
                currency="EUR",
                total=Decimal(1),
                store=f"store-{number % 5}",
                channel="store",
                lines=products if number == 0 else (),
            )
            for number, member in enumerate(members)
        ],
        at=at,
    )
    _key, text = create_key(partner=partner, name="bench", rate_per_minute=100_000_000)
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
    floor = Server("floor", "bench.floor:application", "bench.floor_settings")
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
            f"{server.name:7} {statistics.median(server.rates):7.1f} purchases a second, "
            f"95 % within {statistics.median(server.slow):.1f} ms"
        )
    ratio = statistics.median(kantis.rates) / statistics.median(floor.rates)
    print(f"ratio   {ratio:7.2f}  (we hold ourselves to {TARGET})")
    sys.exit(ratio < TARGET)


if __name__ == "__main__":
    main()
