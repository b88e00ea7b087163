"""``manage.py verify_ledger``: exit 1 and the offending rows when an invariant of the ledger is broken."""

import dataclasses
import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from loyalty import clock
from rewards.verification import verify


class Command(BaseCommand):
    help = "Check the ledger's invariants; exit 1 and name the rows when one is broken."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        broken = verify(at=clock.now())
        if options["json"]:
            rows = [dataclasses.asdict(violation) for violation in broken]
            self.stdout.write(json.dumps({"sound": not broken, "violations": rows}))
        else:
            for each in broken:
                self.stdout.write(f"{each.invariant}  {each.table} {each.row}: {each.problem}")
            self.stdout.write(
                "The ledger is sound." if not broken else f"{len(broken)} rows break an invariant."
            )
        if broken:
            sys.exit(1)
