"""The demo: one command from a clean checkout to a running house.

`start` checks the port, starts the embedded servers, migrates, seeds on the first run and then runs web, worker
and beat in the foreground. Called by the command `demo`, which `make demo` calls.
"""

import fcntl
import json
import os
import shutil
import socket
import sys
import threading
import time
import urllib.error
import urllib.request
from io import StringIO
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command, get_commands
from django.db import connections

from loyalty import embedded
from loyalty.runner import Runner, end_with_parent

CREDENTIALS = "credentials.json"
DEMO_FILE = "demo.json"
COUNTERS = "run/metrics"
WEB_TIMEOUT = 120.0


class DemoError(Exception):
    """The demo cannot start; the message is one line with the remedy."""


def start() -> int:
    """Run the demo until Ctrl-C or SIGTERM; the exit code. Raises DemoError or EmbeddedError before it starts."""
    if os.environ.get("MAKELEVEL"):
        end_with_parent()
    place = embedded.Place.of()
    port, bind = int(os.environ.get("PORT") or 8000), os.environ.get("KANTIS_BIND", "127.0.0.1")
    _check_port(bind, port)
    place.make()
    alone = _claim(place)
    (place.home / "static").mkdir(exist_ok=True)  # whitenoise warns when it is missing
    shutil.rmtree(place.home / COUNTERS, ignore_errors=True)  # what processes counted that are long gone
    (place.home / COUNTERS).mkdir()
    (place.home / DEMO_FILE).unlink(missing_ok=True)
    if embedded.in_use():
        embedded.ensure()
    credentials = _prepare(place.home)
    runner = Runner(lambda done: _accompany(done, place, port, credentials))
    for name, command in _processes(bind, port).items():
        runner.add(name, command, env=_environment(name, place.home, port), cwd=settings.BASE_DIR)
    code = runner.run()
    os.close(alone)
    (place.home / DEMO_FILE).unlink(missing_ok=True)
    print("stopped", flush=True)
    return code


def _check_port(bind: str, port: int) -> None:
    """Before anything is started: somebody else may already answer there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((bind, port))
            probe.listen(1)
        except PermissionError:
            raise DemoError(f"port {port} may not be used by this user: set PORT to one above 1023") from None
        except OSError:
            raise DemoError(f"port {port} is taken: stop what uses it, or set PORT to a free one") from None


def _claim(place: embedded.Place) -> int:
    """One demo a home folder; the lock lasts as long as the descriptor that is returned."""
    lock = os.open(place.run / "demo.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise DemoError(
            f"a demo already runs on {place.home}: stop it, or set KANTIS_HOME to another folder"
        ) from None
    return lock


def _prepare(home: Path) -> dict[str, Any]:
    """Migrate, compile the translations and seed on the first run; the log-ins."""
    call_command("migrate", interactive=False, verbosity=0)
    if "translations" in get_commands():
        call_command("translations", compile=True)
    file = home / CREDENTIALS
    if not file.exists() and "seed_demo" in get_commands():
        print("Making demo data ...", flush=True)
        output = StringIO()
        call_command("seed_demo", stdout=output)
        if not file.exists():
            with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as fresh:
                fresh.write(output.getvalue())
    for connection in connections.all():
        connection.close()
        close_pool = getattr(connection, "close_pool", None)
        if close_pool:
            close_pool()
    credentials: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    return credentials


def _processes(bind: str, port: int) -> dict[str, list[str]]:
    celery = [sys.executable, "-m", "celery", "--quiet", "--app", "loyalty"]
    quiet = ["--without-mingle", "--without-gossip", "--without-heartbeat", "--loglevel", "WARNING"]
    return {
        "web": [
            *(sys.executable, "-m", "granian", "--interface", "wsgi", "loyalty.wsgi:application"),
            *("--host", bind, "--port", str(port), "--workers", "2", "--blocking-threads", "4"),
            *("--respawn-failed-workers", "--workers-kill-timeout", "10", "--log-level", "warning"),
        ],
        "worker": [*celery, "worker", "--concurrency", "2", "--prefetch-multiplier", "1", *quiet],
        "beat": [*celery, "beat", "--pidfile", "", "--loglevel", "WARNING"],
    }


def _environment(name: str, home: Path, port: int) -> dict[str, str]:
    """The web tells of every request, worker and beat only of trouble; LOG_LEVEL overrides both.

    The web's processes count into one folder, so that ``/metrics`` speaks for all of them whichever answers.
    """
    counters = {"PROMETHEUS_MULTIPROC_DIR": os.fspath(home / COUNTERS)} if name == "web" else {}
    return {
        **counters,
        "LOG_LEVEL": "INFO" if name == "web" else "WARNING",
        **os.environ,
        "KANTIS_DEMO": "1",
        "KANTIS_HOME": os.fspath(home),
        "PORT": str(port),
        "PYTHONUNBUFFERED": "1",
        "PYTHONWARNINGS": "ignore:You're running the worker with superuser privileges",
        "DJANGO_SETTINGS_MODULE": "loyalty.settings",
    }


def _accompany(done: threading.Event, place: embedded.Place, port: int, credentials: dict[str, Any]) -> None:
    """In a thread beside the processes: tell when the web answers, then bring a killed keeper back."""
    deadline = time.monotonic() + WEB_TIMEOUT
    while not done.wait(0.2):
        if _answers(port):
            _tell(place, port, credentials)
            break
        if time.monotonic() > deadline:
            print(f"the web does not answer on port {port}; see the lines above", flush=True)
            break
    while not done.wait(2):
        if embedded.in_use():
            try:
                embedded.ensure()
            except (embedded.EmbeddedError, OSError) as error:
                print(f"embedded servers: {error}", flush=True)


def _answers(port: int) -> bool:
    host = os.environ.get("KANTIS_BIND", "127.0.0.1")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://{host}:{port}/healthz", timeout=2) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def _tell(place: embedded.Place, port: int, credentials: dict[str, Any]) -> None:
    """Print the addresses and log-ins and write them to demo.json, which is there only while the web answers."""
    url = f"http://localhost:{port}"
    facts = {
        "url": url,
        **{name: credentials.get(name, {}) for name in ("staff", "member", "partner")},
        "database_url": os.environ.get("DATABASE_URL") or embedded.database_url(place.home),
        "redis_url": os.environ.get("REDIS_URL") or embedded.redis_url(place.home),
    }
    draft = place.home / f".{DEMO_FILE}"
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(facts, file, indent=2)
    draft.replace(place.home / DEMO_FILE)
    staff, member, partner = (credentials.get(name, {}) for name in ("staff", "member", "partner"))
    print(
        f"""
  Kantis is ready.

    Members   {url}/            {member.get("email", "")}  {member.get("password", "")}
    Staff     {url}/admin/      {staff.get("email", "")}  {staff.get("password", "")}
    Partners  {url}/api/v1/docs  key {partner.get("api_key", "")}

    E-mail is written to {place.home / "mail"}; everything above also stands in {place.home / DEMO_FILE}.
    Ctrl-C stops everything.
""",
        flush=True,
    )
