"""`manage.py demo`: what it says when it cannot start, and that it stands up, heals and leaves nothing behind."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from loyalty.embedded.places import REPOSITORY

pytestmark = pytest.mark.e2e
CREDENTIALS = {
    "staff": {"email": "staff@example.com", "password": "one"},
    "member": {"email": "member@example.com", "password": "two", "id": "an id"},
    "partner": {"api_key": "a key"},
}


def environment(home: Path, port: int | str) -> dict[str, str]:
    """As a person would have it: no server named, only the port and the home folder."""
    unset = {"DATABASE_URL", "REDIS_URL", "SECRET_KEY", "KANTIS_DEMO", "MAKELEVEL"}
    kept = {name: value for name, value in os.environ.items() if name not in unset}
    return {**kept, "KANTIS_HOME": str(home), "PORT": str(port)}


def manage(home: Path, *arguments: str, port: int | str = 8000) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=REPOSITORY,
        env=environment(home, port),
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture
def port() -> Iterator[int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
    return number


class TestRefusals:
    def test_a_taken_port_is_told_before_anything_starts(self, tmp_path: Path) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen(1)
            number = taken.getsockname()[1]
            result = manage(tmp_path / "home", "demo", port=number)
        assert result.returncode == 1
        assert (
            result.stderr == f"kantis: port {number} is taken: stop what uses it, or set PORT to a free one\n"
        )
        assert not (tmp_path / "home").exists()

    def test_a_port_that_is_none(self, tmp_path: Path) -> None:
        result = manage(tmp_path / "home", "demo", port="eight")
        assert result.returncode == 1
        assert result.stderr == "kantis: PORT is 'eight': it must be a number from 1 to 65535\n"

    @pytest.mark.parametrize("command", ["demo", "verify_ledger"])
    def test_a_home_that_cannot_be_written_to(self, tmp_path: Path, command: str, port: int) -> None:
        (tmp_path / "file").write_text("in the way")
        result = manage(tmp_path / "file" / "home", command, port=port)
        assert result.returncode == 1
        assert result.stderr.startswith("kantis: cannot write to ")
        assert result.stderr.count("\n") == 1


class Demo:
    """A running demo whose home folder was seeded before, so that it starts at once."""

    def __init__(self, home: Path, port: int) -> None:
        self.home, self.port = home, port
        home.mkdir(exist_ok=True)
        (home / "credentials.json").write_text(json.dumps(CREDENTIALS))
        self.log = home / "output"
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "demo"],
                cwd=REPOSITORY,
                env=environment(home, port),
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_until(self, condition: Callable[[], bool], seconds: float = 120) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.1)

    def ready(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        return (self.home / "demo.json").exists()

    def answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://localhost:{self.port}/readyz", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def requests_counted(self) -> float:
        """How many requests ``/metrics`` knows of, whichever process answers."""
        request = urllib.request.Request(
            f"http://localhost:{self.port}/metrics", headers={"Authorization": "Bearer demo-metrics"}
        )
        with urllib.request.urlopen(request, timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        name = "django_http_requests_before_middlewares_total "
        return next(float(line.removeprefix(name)) for line in lines if line.startswith(name))

    def processes(self) -> dict[int, str]:
        """Everything that runs for this home: its environment names it, or its working folder lies in it."""
        found = {}
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                environ = (entry / "environ").read_bytes()
                folder = os.readlink(entry / "cwd")
                name = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            ours = f"KANTIS_HOME={self.home}".encode() in environ or folder.startswith(f"{self.home}/")
            if ours or f":{self.port} " in name:
                found[int(entry.name)] = name
        return found


@pytest.fixture
def start(tmp_path: Path, port: int) -> Iterator[Callable[[], Demo]]:
    """Start the demo, each time on the same home folder and port."""
    demos: list[Demo] = []

    def start() -> Demo:
        demos.append(Demo(tmp_path / "demo", port))
        demos[-1].wait_until(demos[-1].ready)
        return demos[-1]

    yield start
    demos[-1].process.kill()
    demos[-1].process.wait()
    demos[-1].wait_until(lambda: not demos[-1].processes(), 60)


@pytest.mark.slow
def test_it_stands_up_heals_and_leaves_nothing_behind(start: Callable[[], Demo]) -> None:
    demo = start()
    facts = json.loads((demo.home / "demo.json").read_text())
    assert facts.pop("database_url").startswith("postgresql://kantis@/kantis?host=")
    assert facts.pop("redis_url").startswith("unix:///")
    assert facts == {"url": f"http://localhost:{demo.port}", **CREDENTIALS}
    assert (demo.home / "demo.json").stat().st_mode & 0o077 == 0
    demo.wait_until(demo.answers, 30)
    counted = demo.requests_counted()
    for _request in range(20):
        assert demo.answers()
    assert demo.requests_counted() == counted + 21  # of both web processes, and this question too
    second = manage(demo.home, "demo", port=demo.port + 1)
    assert second.stderr.startswith(f"kantis: a demo already runs on {demo.home}: ")
    beside = manage(demo.home, "verify_ledger")
    assert beside.returncode == 0, beside.stderr

    web = next(pid for pid, name in demo.processes().items() if "granian" in name and "worker" not in name)
    postgres = json.loads((demo.home / "run" / "state.json").read_text())["postgres"]
    os.kill(web, signal.SIGKILL)
    os.kill(postgres, signal.SIGKILL)
    demo.wait_until(demo.answers, 60)

    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        demo.process.send_signal(number)
        assert demo.process.wait(40) == 0
        assert demo.processes() == {}
        assert not (demo.home / "demo.json").exists()
        demo = start()
    demo.process.kill()
    demo.wait_until(lambda: not demo.processes(), 60)
