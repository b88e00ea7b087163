"""``manage.py translations``: find strings, check and compile the catalogues, without the gettext programs."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from loyalty import translation_files

LANGUAGES = [code for code, _name in settings.LANGUAGES]


class Command(BaseCommand):
    help = "Keep the translations: --update finds strings, --check tells what is missing, --compile makes them usable."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--update", action="store_true", help="bring locale/*/django.po up to date")
        parser.add_argument("--compile", action="store_true", help="write the .mo files that Django reads")
        parser.add_argument(
            "--check", action="store_true", help="exit 1 when a translation is missing or broken"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not (options["update"] or options["compile"] or options["check"]):
            raise CommandError("Say what to do: --update, --compile or --check (or several).")
        if options["update"]:
            for language in LANGUAGES:
                added, dropped = translation_files.update(language)
                self.stdout.write(f"{language}: {added} new strings, {dropped} dropped")
        if options["compile"]:
            for language in LANGUAGES:
                translation_files.compile_catalogue(language)
        if options["check"]:
            self._check()

    def _check(self) -> None:
        """Raise CommandError, with every problem printed, unless all languages are complete and sound."""
        count = 0
        for language in LANGUAGES:
            for problem in translation_files.problems(language):
                self.stderr.write(f"{language}: {problem}")
                count += 1
        if count:
            raise CommandError(
                f"{count} problems in the translations (manage.py translations --update helps)."
            )
