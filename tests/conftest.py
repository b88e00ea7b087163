"""What every test stands on: real servers in a home folder of their own, no network, named hypothesis profiles.

The servers start before Django's settings load, once per run: pytest-xdist's workers inherit their addresses.
Each worker has its own test database (pytest-django) and its own Redis database.
"""

import atexit
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import pytest_socket

from loyalty import embedded

SETTINGS = "DJANGO_SETTINGS_MODULE"
os.environ[SETTINGS] = "loyalty.settings"
os.environ["KANTIS_DEMO"] = "1"
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")

hypothesis.settings.register_profile("quick", max_examples=30, stateful_step_count=30, deadline=None)
hypothesis.settings.register_profile("thorough", max_examples=400, stateful_step_count=100, deadline=None)
hypothesis.settings.load_profile("thorough" if os.environ.get("KANTIS_THOROUGH") == "1" else "quick")


def prepare_environment() -> None:
    """A home folder of this run, and servers in it unless the environment names some. Workers inherit both."""
    if not WORKER:
        home = Path(tempfile.mkdtemp(prefix="kt-"))
        atexit.register(shutil.rmtree, home, ignore_errors=True)  # runs after the servers were left
        (home / "static").mkdir()
        os.environ["KANTIS_HOME"] = str(home)
        if embedded.in_use():
            embedded.ensure(home, durable=False)
            os.environ["DATABASE_URL"] = embedded.database_url(home)
            os.environ["REDIS_URL"] = embedded.redis_url(home)
    elif os.environ["REDIS_URL"].startswith("unix:"):
        os.environ["REDIS_URL"] = embedded.redis_url(db=1 + int(WORKER.removeprefix("gw")))


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("help") or config.getoption("version"):
        return
    prepare_environment()
    import django

    django.setup()
    let_tests_empty_histories()
    let_committing_tests_leave_the_seeds()
    if not WORKER and config.getoption("numprocesses", default=0):
        # pytest-django would load the settings of a worker that inherits this name before the worker gets here,
        # and so with another worker's Redis. Nothing is tested in this process.
        del os.environ[SETTINGS]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long tests run without the tracer, which would make them half as long again: quick ones cover the same lines."""
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker("no_cover")


def let_tests_empty_histories() -> None:
    """Tests that commit empty the tables afterwards; for that one transaction the append-only triggers look away."""
    from django.db.backends.postgresql.operations import DatabaseOperations

    plain_flush = DatabaseOperations.sql_flush

    def sql_flush(self: DatabaseOperations, *args: Any, **options: Any) -> list[str]:
        statements = plain_flush(self, *args, **options)
        return ["SET LOCAL session_replication_role = replica;", *statements] if statements else []

    DatabaseOperations.sql_flush = sql_flush  # type: ignore[method-assign]


def let_committing_tests_leave_the_seeds() -> None:
    """After a test that commits, put the seeded rows back: pytest-xdist may give its worker any other test next."""
    from django.db import connection
    from django.test import TransactionTestCase

    plain_teardown = TransactionTestCase._fixture_teardown  # type: ignore[attr-defined]

    def teardown(self: TransactionTestCase) -> None:
        plain_teardown(self)
        if contents := getattr(connection, "_test_serialized_contents", None):
            connection.creation.deserialize_db_from_string(contents)

    TransactionTestCase._fixture_teardown = teardown  # type: ignore[attr-defined]


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """pytest-django's own, but a browser's last request that still holds a session must not fail the whole run.

    The test database cannot be dropped under an open session. What such a session did last is said, then it is ended.
    """
    yield
    from django.db import connection

    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT state, left(query, 200), pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        for state, query, _ended in cursor.fetchall():
            print(f"ended a session that a test left ({state}): {query}", file=sys.stderr)


@pytest.hookimpl(trylast=True)
def pytest_runtest_setup() -> None:
    """No connection leaves this machine: unix sockets and loopback only."""
    pytest_socket.socket_allow_hosts(["127.0.0.1", "::1", "localhost"], allow_unix_socket=True)


@pytest.fixture
def home(tmp_path: Path, settings: object) -> Path:
    """An empty home folder for what the code under test writes (mail, exports)."""
    settings.KANTIS_HOME = tmp_path  # type: ignore[attr-defined]
    settings.EMAIL_FILE_PATH = str(tmp_path / "mail")  # type: ignore[attr-defined]
    return tmp_path


@pytest.fixture(autouse=True)
def _nothing_remembered() -> Iterator[None]:
    """What a process remembers of committed rows would outlive the rows of a test."""
    from loyalty import programme
    from members import catalogue, kinds
    from rewards import ledger, terms

    remembered = (programme, catalogue, kinds, ledger, terms)
    # Before as well: what another fixture reads while it is taken down comes after this one.
    for each in remembered:
        each.forget()
    yield
    for each in remembered:
        each.forget()
