#!/usr/bin/env python
# ruff: noqa: N999  (it is started, not imported)
"""Purchases a second through the import, beside INSERT ... SELECT of the same rows in the server. See README.md."""

import argparse
import csv
import datetime as dt
import random
import statistics
import sys
import time
from pathlib import Path

import house

TARGET = 0.25
TABLES = (
    "members_member",
    "members_externalid",
    "members_tierchange",
    "members_category",
    "members_product",
    "members_store",
    "members_saleschannel",
    "members_activity",
    "members_activityline",
    "rewards_account",
    "rewards_transfer",
    "rewards_lot",
    "rewards_allocation",
    "rewards_judgement",
    "loyalty_event",
)


def made_up(file: Path) -> Path:
    """Some twenty thousand purchases of the demo's people as a CSV file."""
    from rewards.demo.people import people
    from rewards.demo.shopping import trips
    from rewards.purchases.values import COLUMNS

    chance = random.Random(1)
    at = dt.datetime.now(dt.UTC)
    persons = people(500, chance=chance, begins=at - dt.timedelta(days=730), at=at)
    with file.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(COLUMNS)
        for trip in trips(persons, chance=chance, at=at):
            for line in trip.lines:
                writer.writerow(
                    [
                        *(trip.receipt, f"p{trip.person.number}", trip.occurred_at.isoformat(), trip.store),
                        *(
                            trip.channel,
                            "EUR",
                            line.sku,
                            line.category,
                            line.department,
                            line.quantity,
                            line.total,
                        ),
                    ]
                )
    return file


def run_sql(*statements: str) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def empty() -> None:
    """Take all rows away, also from the tables whose triggers refuse it; forget what this process remembers."""
    from members import catalogue
    from rewards import ledger, terms

    run_sql(
        "SET session_replication_role = replica",
        "CREATE TEMPORARY TABLE kept AS SELECT * FROM rewards_account WHERE member_id IS NULL",
        f"TRUNCATE {', '.join(TABLES)} CASCADE",
        "INSERT INTO rewards_account SELECT * FROM kept",
        "DROP TABLE kept",
        "SET session_replication_role = DEFAULT",
    )
    catalogue.forget()
    terms.forget()
    ledger.forget()


def copy() -> None:
    """Keep the rows in unlogged tables without indexes."""
    for table in TABLES:
        rows = "WHERE member_id IS NOT NULL" if table == "rewards_account" else ""
        run_sql(f"DROP TABLE IF EXISTS copy_{table}")
        run_sql(f"CREATE UNLOGGED TABLE copy_{table} AS SELECT * FROM {table} {rows}")
    run_sql("ANALYZE")


def take_in(file: Path) -> tuple[float, int]:
    """Import the file; the seconds it took and the number of purchases."""
    from loyalty import clock
    from loyalty.models import Partner
    from rewards.purchases.importing import PurchasesImport

    partner, _created = Partner.objects.get_or_create(slug="bench", defaults={"name": "Bench"})
    began = time.perf_counter()
    job = PurchasesImport(file, partner=partner, at=clock.now(), rejected_path=Path(f"{file}.rejected"))
    summary = job.run()
    took = time.perf_counter() - began
    if summary.created != summary.activities:
        raise SystemExit(f"Not all went in: {summary.as_dict()}")
    return took, summary.activities


def insert() -> float:
    """Put the same rows in with INSERT ... SELECT, all in one transaction, foreign keys checked; the seconds."""
    from django.db import transaction

    began = time.perf_counter()
    with transaction.atomic():
        run_sql(*(f"INSERT INTO {table} SELECT * FROM copy_{table} ORDER BY 1" for table in TABLES))
    return time.perf_counter() - began


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("file", nargs="?", type=Path, help="a purchase CSV (default: made-up purchases)")
    options.add_argument("--rounds", type=int, default=1)
    given = options.parse_args()
    home = house.open_house()
    file = given.file or made_up(home / "purchases.csv")
    imported, inserted = [], []
    for number in range(given.rounds):
        empty()
        house.checkpoint()
        took, purchases = take_in(file)
        imported.append(purchases / took)
        copy()
        empty()
        house.checkpoint()
        inserted.append(purchases / insert())
        print(
            f"round {number + 1}  {purchases:,} purchases: import {imported[-1]:8.1f} a second, "
            f"INSERT ... SELECT {inserted[-1]:8.1f}",
            flush=True,
        )
    ratio = statistics.median(imported) / statistics.median(inserted)
    print(f"ratio   {ratio:7.2f}  (we hold ourselves to {TARGET})")
    sys.exit(ratio < TARGET)


if __name__ == "__main__":
    main()
