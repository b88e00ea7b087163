"""Who uses the servers of a home folder.

Every process that uses them holds a shared lock on one file for as long as it lives, however it dies. The keeper
stops the servers once nobody holds it. Joining and stopping exclude each other by a second lock.
"""

import atexit
import contextlib
import fcntl
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from .places import REPOSITORY, EmbeddedError, Place, in_use

START_TIMEOUT = 90.0
LEAVE_TIMEOUT = 30.0

_leases: dict[Path, tuple[int, int]] = {}  # home -> (process id, file descriptor)
_keepers: dict[Path, "subprocess.Popen[bytes]"] = {}  # home -> the keeper, where we started it
_joining = threading.Lock()


def ensure(home: Path | str | None = None, *, durable: bool = True) -> None:
    """Have the servers of `home` run until this process ends; start them if nobody did.

    `durable=False` (tests) trades safety on a power cut for speed; it counts only for who starts them. May be
    called again at any time, which brings back a keeper that was killed. Raises EmbeddedError.
    """
    place = Place.of(home)
    place.make()
    with _joining, locked(place.change_lock):
        if place.home not in _leases:
            descriptor = os.open(place.users_lock, os.O_RDWR | os.O_CLOEXEC)
            fcntl.flock(descriptor, fcntl.LOCK_SH)
            _leases[place.home] = (os.getpid(), descriptor)
            atexit.register(leave, place.home)
        if not is_held(place.keeper_lock):
            _start_keeper(place, durable=durable)
    _wait_until_ready(place)


def ensure_if_needed() -> None:
    """`ensure`, unless the environment names servers. For manage.py and the other entry points: one line, exit 1."""
    if not in_use():
        return
    try:
        ensure()
    except EmbeddedError as error:
        print(f"kantis: {error}", file=sys.stderr)
        raise SystemExit(1) from None


def leave(home: Path | str | None = None) -> None:
    """Give the servers up. Whoever leaves last waits until they have stopped."""
    place = Place.of(home)
    process, descriptor = _leases.get(place.home, (0, -1))
    if process != os.getpid():  # not ours, or our parent's
        return
    del _leases[place.home]
    os.close(descriptor)
    deadline = time.monotonic() + LEAVE_TIMEOUT
    if not place.run.exists():
        return
    while is_held(place.keeper_lock) and _nobody_left(place) and time.monotonic() < deadline:
        time.sleep(0.02)
    keeper = _keepers.pop(place.home, None)
    if keeper and is_held(place.keeper_lock):
        keeper.returncode = 0  # it stays for the others: nothing to warn of when we end
    elif keeper:
        keeper.wait(5)


@contextlib.contextmanager
def stopped(server: str, home: Path | str | None = None) -> Iterator[None]:
    """Keep `server` ("redis" or "postgres") killed while the block runs, for tests of what happens then."""
    place = Place.of(home)
    place.hold_file(server).touch()
    try:
        os.kill(int(place.state()[server]), signal.SIGKILL)
        yield
    finally:
        place.hold_file(server).unlink()
        time.sleep(0.5)  # the keeper sees the death and then the missing file
        _wait_until_ready(place)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the exclusive lock on a file."""
    with path.open("r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def is_held(path: Path) -> bool:
    """Whether any process holds a lock on the file."""
    with path.open("r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _nobody_left(place: Place) -> bool:
    """Looked at several times: another process that looks at the same moment holds the lock too."""
    for _ in range(5):
        if not is_held(place.users_lock):
            return True
        time.sleep(0.01)
    return False


def _start_keeper(place: Place, *, durable: bool) -> None:
    """Start the keeper apart from our terminal and wait for its word: "ready", or one line about what is wrong."""
    place.state_file.unlink(missing_ok=True)
    reading, writing = os.pipe()
    try:
        with (place.run / "keeper.log").open("ab") as log:
            keeper = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "loyalty.embedded.keeper",
                    str(writing),
                    "durable" if durable else "fast",
                ],
                cwd=REPOSITORY,
                env={**os.environ, "KANTIS_HOME": os.fspath(place.home), "PYTHONDONTWRITEBYTECODE": "1"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[writing],
                start_new_session=True,
            )
    finally:
        os.close(writing)
    earlier = _keepers.get(place.home)
    if earlier:
        earlier.poll()  # it was killed; this takes its last trace away
    _keepers[place.home] = keeper
    with open(reading, "rb") as answer:
        heard, _, _ = select.select([answer], [], [], START_TIMEOUT)
        word = answer.readline().decode(errors="replace").strip() if heard else "no answer"
    if word != "ready":
        raise EmbeddedError(word or f"the servers did not start (log: {place.run / 'keeper.log'})")


def _wait_until_ready(place: Place) -> None:
    """The keeper may be bringing a server back at this moment."""
    deadline = time.monotonic() + START_TIMEOUT
    while not place.state().get("ready"):
        if time.monotonic() > deadline or not is_held(place.keeper_lock):
            raise EmbeddedError(f"the servers are not ready (logs: {place.run})")
        time.sleep(0.05)
