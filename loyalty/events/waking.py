"""The nudge that lets the dispatcher start at once, given from a background thread after a commit.

It may be lost, late or doubled without harm: the sweep finds every waiting event. So it never blocks or fails the
request, however Redis feels: the request only sets a flag, and one daemon thread per process sends the task.
"""

import os
import threading
import time

import structlog

from loyalty.redis_link import REDIS_ERRORS, client

logger = structlog.get_logger("kantis.events")

TASK = "loyalty.events.dispatch"
UNDERWAY_KEY = "kantis:events:wake"
UNDERWAY_SECONDS = 5
PAUSE_AFTER_WAKE = 0.05
PAUSE_AFTER_FAILURE = 2.0

_lock = threading.Lock()
_wanted = threading.Event()
_thread: threading.Thread | None = None


def wake() -> None:
    """Ask for the dispatcher soon. Returns at once and never raises."""
    _wanted.set()
    if _thread is None or not _thread.is_alive():
        _start_thread()


def taken() -> None:
    """Called by the dispatcher as it starts: whatever is announced from now on asks for another run."""
    try:
        client(1.0).delete(UNDERWAY_KEY)
    except REDIS_ERRORS as error:
        logger.debug("wake_key_not_cleared", error=repr(error))


def _start_thread() -> None:
    global _thread
    with _lock:
        if _thread is not None and _thread.is_alive():
            return
        thread = threading.Thread(target=_send_wakes, name="kantis-wake", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the interpreter is shutting down; the sweep will find the events
            return
        _thread = thread


def _send_wakes() -> None:
    while True:
        _wanted.wait()
        _wanted.clear()
        if _send_wake():
            time.sleep(PAUSE_AFTER_WAKE)
        else:
            _wanted.set()
            time.sleep(PAUSE_AFTER_FAILURE)


def _send_wake() -> bool:
    """Send the task unless one is under way already, from whatever process; False when Redis is away."""
    from loyalty.celery import app

    try:
        if client(1.0).set(UNDERWAY_KEY, os.getpid(), nx=True, ex=UNDERWAY_SECONDS):
            app.send_task(TASK, ignore_result=True, retry=False, expires=60)
    except Exception as error:  # noqa: BLE001  (kombu raises errors of many libraries; all mean "not now")
        logger.debug("wake_not_sent", error=repr(error))
        return False
    return True


def _forget_thread() -> None:
    """A forked child has the parent's flag and locks, but not its thread."""
    global _thread, _lock, _wanted
    _thread, _lock, _wanted = None, threading.Lock(), threading.Event()


os.register_at_fork(after_in_child=_forget_thread)
