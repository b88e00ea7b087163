"""Guessing codes is made hopeless: wrong ones are counted per key, per address and per sort of code, in Redis.

Past a limit everything asked from there is answered alike, whether the code is right or wrong, until the window ends.
The sort is read off the code's own text, so nobody learns from the answer which codes exist. Without Redis nobody is
held back: the keyspace alone then has to do (``rewards.vouchers.codes``).
"""

import hashlib
import time
from dataclasses import dataclass

from loyalty.redis_link import REDIS_ERRORS, breaker, client
from rewards.vouchers import codes

WINDOW_SECONDS = 600
REDIS_TIMEOUT = 0.1
LIMITS = {"key": 30, "address": 60, "sort": 300}
"""Wrong codes in a window. A till that mistypes three a minute is not held back."""


@dataclass(frozen=True)
class Guesser:
    """Who asks for which code."""

    key_id: int
    address: str
    code: str

    def names(self) -> dict[str, str]:
        """The counters of the present window. Addresses and codes are not kept in clear."""
        window = int(time.time() // WINDOW_SECONDS)
        parts = {
            "key": str(self.key_id),
            "address": self.address,
            "sort": codes.mark(codes.canonical(self.code)),
        }
        return {
            kind: f"kantis:guess:{kind}:{hashlib.sha256(text.encode()).hexdigest()[:16]}:{window}"
            for kind, text in parts.items()
        }


def seconds_to_wait(guesser: Guesser) -> int:
    """How long the asker has to wait; 0 when they may ask (or Redis is away)."""
    if not breaker.allows():
        return 0
    names = guesser.names()
    try:
        counts = client(REDIS_TIMEOUT).mget(list(names.values()))
    except REDIS_ERRORS as error:
        breaker.failed(error)
        return 0
    breaker.succeeded()
    over = any(int(count or 0) >= LIMITS[kind] for kind, count in zip(names, counts, strict=True))
    return int(WINDOW_SECONDS - time.time() % WINDOW_SECONDS) + 1 if over else 0


def note(guesser: Guesser, *, was_wrong: bool) -> None:
    """Count a wrong code; a right one makes the same trip, so that both take the same time."""
    if not breaker.allows():
        return
    try:
        pipe = client(REDIS_TIMEOUT).pipeline(transaction=False)
        for name in guesser.names().values():
            pipe.incrby(name, int(was_wrong))
            pipe.expire(name, WINDOW_SECONDS * 2)
        pipe.execute()
    except REDIS_ERRORS as error:
        breaker.failed(error)
    else:
        breaker.succeeded()
