"""``manage.py seed_demo``: demo data into an empty house, once, and the log-ins as JSON."""

import json
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from analytics import demo
from loyalty import clock


class Command(BaseCommand):
    help = "Fill an empty house with demo data and print the log-ins as JSON. A second run changes nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--members", type=int, default=demo.MEMBERS, help="how many members to make up")

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEMO:
            raise CommandError("Demo data is for demos: set KANTIS_DEMO=1 if this is one.")
        if not demo.is_seeded():
            with tqdm(
                unit=" purchases", disable=not sys.stderr.isatty(), file=sys.stderr, leave=False
            ) as bar:

                def show(done: int, total: int) -> None:
                    bar.total = total
                    bar.update(done - bar.n)

                try:
                    demo.seed(at=clock.now(), members=options["members"], progress=show)
                except ValueError as error:
                    raise CommandError(str(error)) from error
        self.stdout.write(json.dumps(demo.credentials(settings.KANTIS_HOME), indent=2))
