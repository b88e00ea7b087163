"""The embedded servers, seen from outside: processes that use them come, go and are killed."""

import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from loyalty import embedded
from loyalty.embedded import places

pytestmark = pytest.mark.e2e
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

USER = """
import json, sys, psycopg, redis
from loyalty import embedded
try:
    embedded.ensure(durable=False)
except embedded.EmbeddedError as error:
    sys.exit(f"kantis: {error}")
with psycopg.connect(embedded.database_url()) as database:
    owner = database.execute("SELECT current_user").fetchone()[0]
redis.from_url(embedded.redis_url()).ping()
print(json.dumps({"user": owner, **embedded.Place.of().state()}), flush=True)
sys.stdin.read()
"""


class User:
    """A process that uses the servers of `home` until it is told to end."""

    def __init__(self, home: Path, *wrapper: str, **env: str) -> None:
        self.process = subprocess.Popen(
            [*wrapper, sys.executable, "-c", USER],
            cwd=places.REPOSITORY,
            env={**os.environ, "KANTIS_HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1", **env},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.home = home

    def state(self) -> dict[str, Any]:
        """Wait until it uses the servers; the process ids it saw."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.end()
        state: dict[str, Any] = json.loads(line)
        return state

    def end(self) -> str:
        """End it in good order; what it said on stderr."""
        _, errors = self.process.communicate(timeout=60)
        return errors


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "a home"


@pytest.fixture
def use() -> Iterator[Callable[..., User]]:
    """Start users; whatever still runs at the end is killed, and the keeper stops the servers."""
    users: list[User] = []

    def start(home: Path, *wrapper: str, **env: str) -> User:
        users.append(User(home, *wrapper, **env))
        return users[-1]

    yield start
    for user in users:
        user.process.kill()
        user.process.communicate()
    wait_until(lambda: not any(servers_of(user.home) for user in users))


def servers_of(home: Path) -> list[int]:
    """The processes whose working folder or home folder is `home`: keeper, PostgreSQL, Redis."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes().decode(errors="replace")
            folder = os.readlink(entry / "cwd")
            environment = (entry / "environ").read_bytes().decode(errors="replace")
        except OSError:
            continue
        keeper = "loyalty.embedded.keeper" in command and f"KANTIS_HOME={home}\0" in environment + "\0"
        if keeper or folder.startswith(f"{home}/"):
            found.append(int(entry.name))
    return found


def wait_until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def query(home: Path, sql: str) -> list[tuple[Any, ...]]:
    import psycopg

    with psycopg.connect(embedded.database_url(home), autocommit=True) as database:
        cursor = database.execute(sql)
        return cursor.fetchall() if cursor.description else []


def answers(home: Path) -> bool:
    import psycopg
    import redis

    try:
        query(home, "SELECT 1")
        with redis.from_url(embedded.redis_url(home)) as client:
            return bool(client.ping())
    except (psycopg.OperationalError, redis.ConnectionError):
        return False


class TestAddresses:
    def test_are_computed_without_touching_anything(self, home: Path) -> None:
        sockets = embedded.Place.of(home).sockets
        assert embedded.database_url(home) == f"postgresql://kantis@/kantis?host={sockets}"
        assert embedded.redis_url(home, db=3) == f"unix://{sockets}/redis.sock?db=3"
        assert not home.exists()
        assert not sockets.exists()

    def test_stay_short_however_deep_the_home_is(self, tmp_path: Path) -> None:
        deep = tmp_path.joinpath(*["a folder with a long name"] * 20)
        assert len(os.fsencode(embedded.Place.of(deep).postgres_socket)) < 60

    def test_are_the_same_for_two_spellings_and_temporary_directories(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "real").mkdir()
        (tmp_path / "link").symlink_to("real")
        expected = embedded.database_url(tmp_path / "real")
        monkeypatch.setenv("TMPDIR", str(tmp_path))
        assert embedded.database_url(tmp_path / "link" / ".." / "link") == expected

    @pytest.mark.parametrize(
        ("address", "broker"),
        [
            ("unix:///run/redis.sock?db=2", "redis+socket:///run/redis.sock?virtual_host=2"),
            ("unix:///run/redis.sock", "redis+socket:///run/redis.sock?virtual_host=0"),
            ("rediss://:secret@redis.example:6380/1", "rediss://:secret@redis.example:6380/1"),
        ],
    )
    def test_celery_reads_its_own_form(self, address: str, broker: str) -> None:
        assert embedded.broker_url(address) == broker


class TestLife:
    def test_a_lone_user_starts_and_stops_them(self, home: Path, use: Callable[..., User]) -> None:
        user = use(home)
        assert user.state()["user"] == "kantis"
        user.end()
        assert servers_of(home) == []
        assert not embedded.Place.of(home).sockets.exists()

    def test_a_second_user_joins_and_leaves_them_running(self, home: Path, use: Callable[..., User]) -> None:
        first, second = use(home), use(home)
        state = first.state()
        assert second.state() == state
        second.end()
        assert answers(home)
        first.end()
        assert servers_of(home) == []

    def test_many_that_start_at_once_share_one_pair(self, home: Path, use: Callable[..., User]) -> None:
        states = [user.state() for user in [use(home) for _ in range(5)]]
        assert states == [states[0]] * 5

    def test_they_stop_when_the_last_user_is_killed(self, home: Path, use: Callable[..., User]) -> None:
        user = use(home)
        user.state()
        user.process.kill()
        wait_until(lambda: servers_of(home) == [])

    def test_data_outlives_them(self, home: Path, use: Callable[..., User]) -> None:
        first = use(home)
        first.state()
        query(home, "CREATE TABLE kept AS SELECT 42 AS number")
        first.end()
        use(home).state()
        assert query(home, "SELECT number FROM kept") == [(42,)]


class TestCrashes:
    @pytest.mark.parametrize("server", ["postgres", "redis"])
    def test_a_killed_server_comes_back(self, home: Path, use: Callable[..., User], server: str) -> None:
        pid = use(home).state()[server]
        os.kill(pid, signal.SIGKILL)
        place = embedded.Place.of(home)
        wait_until(lambda: place.state().get("ready") is True and place.state()[server] != pid)
        assert answers(home)

    def test_a_server_may_be_held_down(self, home: Path, use: Callable[..., User]) -> None:
        use(home).state()
        with embedded.stopped("redis", home):
            time.sleep(1)
            assert not answers(home)
        assert answers(home)

    def test_the_servers_end_with_a_killed_keeper_and_the_next_user_starts_them(
        self, home: Path, use: Callable[..., User]
    ) -> None:
        first = use(home)
        keeper = first.state()["keeper"]
        os.kill(keeper, signal.SIGKILL)
        second = use(home)
        assert second.state()["keeper"] != keeper
        assert answers(home)

    def test_everything_killed_at_once_leaves_no_obstacle(self, home: Path, use: Callable[..., User]) -> None:
        first = use(home)
        first.state()
        for pid in [*servers_of(home), first.process.pid]:
            os.kill(pid, signal.SIGKILL)
        second = use(home)
        second.state()
        assert answers(home)

    def test_a_process_id_given_to_another_program_is_no_obstacle(
        self, home: Path, use: Callable[..., User]
    ) -> None:
        use(home).end()
        pid_file = home / "postgres" / "postmaster.pid"
        pid_file.write_text(f"{os.getpid()}\n{home / 'postgres'}\n1\n5432\n\n\n1 1\nready\n")
        owner = (home / "postgres").stat()
        os.chown(pid_file, owner.st_uid, owner.st_gid)
        use(home).state()
        assert answers(home)

    def test_a_broken_first_start_is_begun_anew(self, home: Path, use: Callable[..., User]) -> None:
        (home / "postgres.new" / "base").mkdir(parents=True)
        use(home).state()
        assert answers(home)


class TestPlaces:
    def test_a_long_path_with_odd_characters(self, tmp_path: Path, use: Callable[..., User]) -> None:
        deep = tmp_path.joinpath('it\'s a "long" one', *["kolikkopino " * 8] * 4, "päämaja")
        use(deep).state()
        assert answers(deep)

    @as_root
    def test_a_private_folder_of_root_keeps_its_permissions(
        self, tmp_path: Path, use: Callable[..., User]
    ) -> None:
        private = tmp_path / "private"
        (private / "inner").mkdir(mode=0o700, parents=True)
        private.chmod(0o700)
        before = permissions_above(private / "inner")
        use(private / "inner" / "home").state()
        assert permissions_above(private / "inner") == before

    @as_root
    def test_as_root_in_a_container_without_the_search_capability(
        self, tmp_path: Path, use: Callable[..., User]
    ) -> None:
        if not shutil.which("setpriv"):
            pytest.skip("needs setpriv")
        private = tmp_path / "private"
        private.mkdir(mode=0o700)
        use(private / "home", "setpriv", "--bounding-set=-dac_read_search").state()
        assert answers(private / "home")

    @as_root
    def test_as_root_without_any_way_in_one_line_says_so(
        self, tmp_path: Path, use: Callable[..., User]
    ) -> None:
        if not shutil.which("setpriv"):
            pytest.skip("needs setpriv")
        private = tmp_path / "private"
        private.mkdir(mode=0o700)
        user = use(private / "home", "setpriv", "--bounding-set=-dac_read_search,-dac_override")
        errors = user.end()
        assert user.process.returncode == 1
        assert re.fullmatch(
            r"kantis: PostgreSQL does not run as root, and another user cannot reach .*\n", errors
        )

    @as_root
    def test_as_an_ordinary_user(self, tmp_path: Path, use: Callable[..., User]) -> None:
        home = Path(embedded.Place.of(tmp_path).sockets.parent) / f"kantis-test-{os.getpid()}"
        wrapper = ["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups"]
        reach = [*wrapper, sys.executable, "-c", "import os, sys; os.stat(sys.executable)"]
        if not shutil.which("setpriv") or subprocess.run(reach, stderr=subprocess.DEVNULL).returncode:
            pytest.skip("needs setpriv and an interpreter that everybody may run")
        home.mkdir()
        try:
            shutil.chown(home, "nobody", "nogroup")
            user = use(home, *wrapper, HOME=str(home))
            user.state()
            owners = {path.stat().st_uid for path in home.iterdir()}
            assert owners == {home.stat().st_uid}
            user.end()
        finally:
            shutil.rmtree(home)

    def test_a_home_that_cannot_be_made_is_told_in_one_line(
        self, tmp_path: Path, use: Callable[..., User]
    ) -> None:
        (tmp_path / "file").write_text("in the way")
        user = use(tmp_path / "file" / "home")
        errors = user.end()
        assert user.process.returncode == 1
        assert re.fullmatch(
            r"kantis: cannot write to .* \(not a directory\): set KANTIS_HOME to a folder .*\n", errors
        )

    def test_a_strangers_socket_folder_is_refused(self, home: Path, use: Callable[..., User]) -> None:
        sockets = embedded.Place.of(home).sockets
        sockets.mkdir(mode=0o777)
        sockets.chmod(0o777)
        try:
            user = use(home)
            assert user.end() == f"kantis: {sockets} exists and is not ours: remove it\n"
            assert user.process.returncode == 1
        finally:
            sockets.rmdir()


def permissions_above(folder: Path) -> list[tuple[int, int, int]]:
    found = [path.stat() for path in [folder, *folder.parents]]
    return [(stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid) for status in found]
