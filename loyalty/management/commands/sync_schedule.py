"""``manage.py sync_schedule``: what every ``migrate`` does as well."""

from typing import Any

from django.core.management.base import BaseCommand

from loyalty import schedule


class Command(BaseCommand):
    help = "Copy the schedule declared in code to beat's tables; what staff changed there is kept."

    def handle(self, *args: Any, **options: Any) -> None:
        schedule.synchronise()
        self.stdout.write(f"{len(schedule.SCHEDULE)} entries.")
