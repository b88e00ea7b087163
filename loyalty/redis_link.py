"""Short-tempered links to Redis: a request never waits for it longer than a blink, and never fails because of it.

The cache, the throttle and the wake-up of the dispatcher share one breaker per process: after the first error they
behave as if Redis were empty, and only one caller at a time tries again.
"""

import functools
import threading
import time

import redis
import structlog
from django.conf import settings
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.retry import Retry

logger = structlog.get_logger("kantis.redis")

REDIS_ERRORS = (redis.RedisError, OSError)


class Breaker:
    """Remembers that a server is away: pauses of ``shortest`` to ``longest`` seconds between two trials."""

    def __init__(self, *, shortest: float = 1.0, longest: float = 5.0) -> None:
        self._shortest, self._longest = shortest, longest
        self._lock = threading.Lock()
        self._pause = 0.0
        self._closed_until = 0.0

    def allows(self) -> bool:
        """Whether to try the server now; during an outage only one caller per pause is told to."""
        if not self._pause:
            return True
        with self._lock:
            moment = time.monotonic()
            if moment < self._closed_until:
                return False
            self._closed_until = moment + self._pause
            return True

    def failed(self, error: BaseException) -> None:
        """Close for a while, longer after each failure in a row."""
        with self._lock:
            if not self._pause:
                logger.warning("redis_away", error=repr(error))
            self._pause = min(self._longest, max(self._shortest, self._pause * 2))
            self._closed_until = time.monotonic() + self._pause

    def succeeded(self) -> None:
        """Open again."""
        if self._pause:
            with self._lock:
                self._pause = 0.0
            logger.warning("redis_back")


breaker = Breaker()


def one_retry() -> Retry:
    """Try once more on a connection that has gone stale (Redis restarted), never after a time-out."""
    return Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,))


@functools.cache
def client(timeout: float) -> redis.Redis:
    """The process's client whose every step gives up after ``timeout`` seconds."""
    return redis.Redis.from_url(
        settings.REDIS_URL, socket_timeout=timeout, socket_connect_timeout=timeout, retry=one_retry()
    )
