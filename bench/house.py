"""A house of its own for a benchmark: a temporary home folder with durable servers, and Django set up on it."""

import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path

BASE = Path(__file__).resolve().parent.parent


def open_house() -> Path:
    """Start fresh servers and migrate; call before anything imports Django's models."""
    sys.path.insert(0, str(BASE))
    for name in ("DATABASE_URL", "REDIS_URL"):
        os.environ.pop(name, None)
    home = Path(tempfile.mkdtemp(prefix="kantis-bench-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    os.environ.update(
        KANTIS_HOME=str(home),
        KANTIS_DEMO="1",
        DJANGO_SETTINGS_MODULE="loyalty.settings",
        LOG_LEVEL="WARNING",
    )
    from loyalty import embedded

    embedded.ensure(home)
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
    return home


def checkpoint() -> None:
    """Leave no writing over from before the clock starts."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("CHECKPOINT")
