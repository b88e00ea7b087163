#!/usr/bin/env python
"""Django's command line. Without DATABASE_URL and REDIS_URL it uses the embedded servers of KANTIS_HOME:
those of a running `make demo`, or its own, which it stops again."""

import os
import sys
from pathlib import Path

WITHOUT_SERVERS = {
    "check",
    "collectstatic",
    "demo",
    "diffsettings",
    "help",
    "spectacular",
    "translations",
    "version",
}


def main() -> None:
    """Prepare the environment and the servers, then hand over to Django."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "loyalty.settings")
    try:
        import environ
        from django.core.exceptions import ImproperlyConfigured
        from django.core.management import execute_from_command_line
    except ImportError as error:
        sys.exit(f"kantis: {error.name} is not installed; use .venv/bin/python, which `make venv` sets up")
    environ.Env.read_env(Path(__file__).resolve().parent / ".env")

    port = os.environ.get("PORT") or "8000"
    if not port.isdecimal() or not 0 < int(port) < 65536:
        sys.exit(f"kantis: PORT is {port!r}: it must be a number from 1 to 65535")

    from loyalty import embedded

    if embedded.in_use() and "SECRET_KEY" not in os.environ:
        os.environ.setdefault("KANTIS_DEMO", "1")
    command = sys.argv[1] if len(sys.argv) > 1 else "help"
    if command not in WITHOUT_SERVERS and not {"-h", "--help"} & set(sys.argv):
        embedded.ensure_if_needed()
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(f"kantis: {error}")


if __name__ == "__main__":
    main()
