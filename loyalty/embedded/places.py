"""Where the embedded servers of a home folder keep their files, and the addresses that follow from it.

Everything here is computed from the path alone: nothing is started. Sockets lie in a short folder of the
temporary directory, because a unix socket's path may have at most 107 bytes and a home folder may be deep.
"""

import hashlib
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

REPOSITORY = Path(__file__).resolve().parents[2]
DATABASE = "kantis"
SOCKET_PATH_LIMIT = 107
REDIS_DATABASES = 64


class EmbeddedError(Exception):
    """The servers cannot run; the message is one line for the person at the keyboard, with the remedy."""


@dataclass(frozen=True)
class Place:
    """The files of one home folder."""

    home: Path

    @classmethod
    def of(cls, home: Path | str | None = None) -> "Place":
        """The place of `home`, or of KANTIS_HOME. Two ways to write one folder give the same place."""
        return cls(home_folder() if home is None else Path(os.path.realpath(home)))

    @property
    def run(self) -> Path:
        """Locks, state and logs of the servers."""
        return self.home / "run"

    @property
    def postgres(self) -> Path:
        return self.home / "postgres"

    @property
    def redis(self) -> Path:
        return self.home / "redis"

    @property
    def sockets(self) -> Path:
        """The folder of both sockets: the same for every process that names the same home folder."""
        name = "kantis-" + hashlib.sha256(os.fsencode(self.home)).hexdigest()[:12]
        return _temporary_directory() / name

    @property
    def postgres_socket(self) -> Path:
        return self.sockets / ".s.PGSQL.5432"

    @property
    def redis_socket(self) -> Path:
        return self.sockets / "redis.sock"

    @property
    def users_lock(self) -> Path:
        """Held shared by every process that uses the servers."""
        return self.run / "users.lock"

    @property
    def change_lock(self) -> Path:
        """Held while somebody joins, starts or stops."""
        return self.run / "change.lock"

    @property
    def keeper_lock(self) -> Path:
        """Held by the keeper for as long as it lives."""
        return self.run / "keeper.lock"

    @property
    def state_file(self) -> Path:
        return self.run / "state.json"

    def hold_file(self, server: str) -> Path:
        """While this file exists, the keeper does not restart `server`."""
        return self.run / f"{server}.hold"

    def state(self) -> dict[str, Any]:
        """What the keeper last wrote: `ready` and the process id of each server. Empty when there is none."""
        try:
            state: dict[str, Any] = json.loads(self.state_file.read_text())
        except (OSError, ValueError):
            return {}
        return state

    def make(self) -> None:
        """Make the home folder and `run` where they are missing; never touch a folder that exists."""
        try:
            self.home.mkdir(parents=True, exist_ok=True)
            self.run.mkdir(mode=0o700, exist_ok=True)
            for lock in (self.users_lock, self.change_lock, self.keeper_lock):
                lock.touch(mode=0o600)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise EmbeddedError(
                f"cannot write to {error.filename or self.home} ({reason}): "
                "set KANTIS_HOME to a folder that you may write to"
            ) from error
        if len(os.fsencode(self.postgres_socket)) > SOCKET_PATH_LIMIT:
            raise EmbeddedError(
                f"the path {self.sockets} is too long for sockets: set TMPDIR to a shorter folder"
            )


def home_folder() -> Path:
    """KANTIS_HOME, or `var` beside the code, with symbolic links resolved."""
    return Path(os.path.realpath(os.environ.get("KANTIS_HOME") or REPOSITORY / "var"))


def in_use() -> bool:
    """Whether this process relies on the embedded servers: a server's address is not set."""
    return not (os.environ.get("DATABASE_URL") and os.environ.get("REDIS_URL"))


def database_url(home: Path | str | None = None) -> str:
    """PostgreSQL's address, as libpq and django-environ both read it."""
    return f"postgresql://{DATABASE}@/{DATABASE}?host={Place.of(home).sockets}"


def redis_url(home: Path | str | None = None, *, db: int = 0) -> str:
    """Redis' address for redis-py and Django's cache."""
    return f"unix://{Place.of(home).redis_socket}?db={db}"


def broker_url(address: str) -> str:
    """Redis' address as Celery writes it: only that of a unix socket differs from redis-py's."""
    parts = urlsplit(address)
    if parts.scheme != "unix":
        return address
    database = parse_qs(parts.query).get("db", ["0"])[0]
    return f"redis+socket://{parts.path}?virtual_host={database}"


def _temporary_directory() -> Path:
    """The common one where it can be used, so that processes with different TMPDIR still meet."""
    common = Path("/tmp")  # noqa: S108  (the folder made in it is checked to be ours)
    return common if os.access(common, os.W_OK | os.X_OK) else Path(tempfile.gettempdir())
