"""``manage.py staff_groups``: what the groups of staff lack beside those of a new installation, and granting it."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from members.staff_groups import GROUPS, grant_missing, missing_rights


class Command(BaseCommand):
    help = (
        "List the rights that a new installation gives its groups of staff and yours lack. "
        "With --grant, give them; nothing is ever taken away."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--grant", action="store_true", help="give the missing rights instead of listing them"
        )
        parser.add_argument(
            "--group",
            action="append",
            default=[],
            choices=sorted(GROUPS),
            help="only this group; may be repeated",
        )
        parser.add_argument(
            "--right",
            action="append",
            default=[],
            help='only this right, such as "rewards.add_refund"; may be repeated',
        )

    def handle(self, *args: Any, **options: Any) -> None:
        groups, rights = options["group"], options["right"]
        known = {label for labels in GROUPS.values() for label in labels}
        if unknown := sorted(set(rights) - known):
            raise CommandError(f"No group of a new installation has {', '.join(unknown)}.")
        if options["grant"]:
            self._say("+ ", grant_missing(groups=groups, rights=rights), "Nothing to give.")
            return
        lacking = {
            name: [label for label in labels if not rights or label in rights]
            for name, labels in missing_rights().items()
            if not groups or name in groups
        }
        self._say("- ", {name: labels for name, labels in lacking.items() if labels}, "Nothing is missing.")

    def _say(self, mark: str, by_group: dict[str, list[str]], nothing: str) -> None:
        for name, labels in by_group.items():
            self.stdout.write(name)
            for label in labels:
                self.stdout.write(f"  {mark}{label}")
        if not by_group:
            self.stdout.write(nothing)
