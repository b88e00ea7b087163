"""Celery workers as processes of their own, on the servers of the tests, to be killed at will."""

import contextlib
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from celery import Celery
from django.conf import settings
from django.db import connection

from loyalty.embedded.places import REPOSITORY


class House:
    """What the workers of one test share: the test's database, a broker queue of its own, a mail server."""

    def __init__(self, *, mail_port: int, folder: Path) -> None:
        self.folder = folder
        address = urlsplit(os.environ["DATABASE_URL"])
        self.prefix = f"test-{uuid.uuid4().hex}:"
        self.environment = {
            **os.environ,
            "DATABASE_URL": address._replace(path=f"/{connection.settings_dict['NAME']}").geturl(),
            "BROKER_PREFIX": self.prefix,
            "EMAIL_URL": f"smtp://127.0.0.1:{mail_port}",
            "LOG_LEVEL": "INFO",
        }
        options = {**settings.CELERY_BROKER_TRANSPORT_OPTIONS, "global_keyprefix": self.prefix}
        self.broker = Celery(
            broker=settings.CELERY_BROKER_URL, broker_transport_options=options, set_as_current=False
        )
        self.workers: list[subprocess.Popen[bytes]] = []

    def start_worker(self, processes: int = 1) -> "subprocess.Popen[bytes]":
        """A worker in a process group of its own; its log lies in the test's folder."""
        log = (self.folder / f"worker-{len(self.workers)}.log").open("wb")
        command = [
            sys.executable,
            "-m",
            "celery",
            "-A",
            "loyalty",
            "worker",
            "-c",
            str(processes),
            "-l",
            "INFO",
        ]
        quiet = [
            "--without-gossip",
            "--without-mingle",
            "--without-heartbeat",
            "-n",
            f"w{len(self.workers)}@test",
        ]
        with log:
            worker = subprocess.Popen(
                [*command, *quiet],
                cwd=REPOSITORY,
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.workers.append(worker)
        return worker

    def tick(self, task: str, times: int = 1) -> None:
        """What beat sends."""
        for _ in range(times):
            self.broker.send_task(task, queue=settings.CELERY_TASK_DEFAULT_QUEUE)

    def logs(self) -> str:
        return "\n".join(path.read_text()[-5_000:] for path in sorted(self.folder.glob("worker-*.log")))

    def wait_until(self, holds: Callable[[], bool], *, seconds: float = 60.0, what: str) -> None:
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline, f"not within {seconds} s: {what}\n{self.logs()}"
            time.sleep(0.02)

    def close(self) -> None:
        for worker in self.workers:
            kill(worker)
        self.broker.close()


def kill(worker: "subprocess.Popen[bytes]") -> None:
    """kill -9 the worker and all its children at once."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(worker.pid, signal.SIGKILL)
    worker.wait(10)


def children(worker: "subprocess.Popen[bytes]") -> list[int]:
    """The process ids of the worker's children, which run the tasks."""
    return [int(pid) for pid in Path(f"/proc/{worker.pid}/task/{worker.pid}/children").read_text().split()]


@contextlib.contextmanager
def house(*, mail_port: int, folder: Path) -> Iterator[House]:
    place = House(mail_port=mail_port, folder=folder)
    try:
        yield place
    finally:
        place.close()
