"""Runs the demo's processes in the foreground with honcho, and leaves nothing behind.

Beyond honcho: a process that dies is started again (the whole stops only when one cannot stay up), every process
ends when the runner is killed, and SIGHUP stops like SIGTERM.
"""

import contextlib
import ctypes
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from honcho import manager as honcho_manager
from honcho.printer import Printer
from honcho.process import Popen, Process

FAILURES_ALLOWED = 5
STEADY_AFTER = 30.0
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


def end_with_parent(number: signal.Signals = signal.SIGTERM) -> None:
    """Ask the kernel to send us `number` when our parent ends, however it ends."""
    _libc.prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(number), 0, 0, 0)


class _SteadyProcess(Process):  # type: ignore[misc]
    """A honcho process whose program is started again when it dies, unless `stopping` is set."""

    def __init__(self, stopping: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.stopping = stopping

    def run(self, events: Any = None, ignore_signals: bool = False) -> None:
        """Runs in a process of its own. Only the last exit is told to the manager, which then stops the rest."""
        end_with_parent(signal.SIGKILL)
        if ignore_signals:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        self._events = events
        failures = 0
        while True:
            started = time.monotonic()
            returncode = self._run_once()
            failures = failures + 1 if time.monotonic() - started < STEADY_AFTER else 1
            if self.stopping.is_set() or failures > FAILURES_ALLOWED:
                break
            self._send_message(f"ended with {returncode}; starting again\n")
            if self.stopping.wait(1):
                break
        self._send_message({"returncode": returncode}, type="stop")

    def _run_once(self) -> int:
        """Run the program to its end, then end what it left of its group: that may still hold our pipe."""
        child = Popen(
            self.cmd,
            env=self.env,
            cwd=self.cwd,
            shell=False,
            stdin=subprocess.DEVNULL,
            preexec_fn=_prepare_child,
        )
        self._send_message({"pid": child.pid}, type="start")
        reader = threading.Thread(target=self._pass_on, args=(child.stdout,), daemon=True)
        reader.start()
        returncode: int = child.wait()
        _signal_group(child.pid, signal.SIGKILL)
        reader.join(5)
        return returncode

    def _pass_on(self, output: IO[bytes]) -> None:
        for line in iter(output.readline, b""):
            self._send_message(line)


class Runner(honcho_manager.Manager):  # type: ignore[misc]
    """Honcho's manager over steady processes; `background` runs in a thread once all were started."""

    def __init__(self, background: Callable[[threading.Event], None]) -> None:
        super().__init__(Printer(sys.stdout))
        multiprocessing.set_start_method("fork", force=True)
        self._stopping = multiprocessing.Event()
        self._done = threading.Event()
        self._background = background
        self._procmgr = _Politely()

    def add(self, name: str, command: Sequence[str], *, env: Mapping[str, str], cwd: Path) -> None:
        self._process_ctor = lambda cmd, **kwargs: _SteadyProcess(self._stopping, cmd, **kwargs)
        self.add_process(name, list(command), env=dict(env), cwd=cwd)

    def run(self) -> int:
        """Run until a signal or a process that cannot stay up; the exit code (0 after a signal)."""
        honcho_manager.KILL_WAIT = 15
        signal.signal(signal.SIGHUP, lambda number, frame: os.kill(os.getpid(), signal.SIGTERM))
        self.loop()
        self._done.set()
        by_signal = self.returncode in {description["rc"] for description in honcho_manager.SIGNALS.values()}
        return 0 if by_signal else self.returncode or 1

    def terminate(self) -> None:
        self._stopping.set()
        super().terminate()

    def _start(self) -> None:
        super()._start()
        threading.Thread(target=self._background, args=(self._done,), daemon=True).start()


class _Politely:
    """SIGTERM to a process alone, so that it ends its own children in order; SIGKILL to all of its group."""

    def terminate(self, pid: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)

    def kill(self, pid: int) -> None:
        _signal_group(pid, signal.SIGKILL)


def _prepare_child() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    end_with_parent(signal.SIGTERM)


def _signal_group(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)
