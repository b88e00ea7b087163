"""`manage.py demo`: the whole house in the foreground; see loyalty/demo.py."""

import sys
from typing import Any

from django.core.management.base import BaseCommand

from loyalty import demo
from loyalty.embedded import EmbeddedError


class Command(BaseCommand):
    help = "Start the embedded servers, prepare the data and run web, worker and beat until Ctrl-C."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            code = demo.start()
        except (demo.DemoError, EmbeddedError) as error:
            sys.exit(f"kantis: {error}")
        except KeyboardInterrupt:
            code = 0
        sys.exit(code)
