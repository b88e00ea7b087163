"""Django's Redis cache that behaves as an empty one while Redis is away, instead of failing the request."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from django.core.cache.backends.base import DEFAULT_TIMEOUT
from django.core.cache.backends.redis import RedisCache

from loyalty.redis_link import REDIS_ERRORS, breaker, one_retry

Answer = TypeVar("Answer")


class SoftRedisCache(RedisCache):
    """A Redis cache whose errors and time-outs read as "not found"; a breaker spares later calls the wait.

    ``add`` answers True while Redis is away, as an empty cache would: it is no lock.
    """

    def __init__(self, server: str | list[str], params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._options = {"retry": one_retry(), **self._options}

    def _try(self, operation: Callable[[], Answer], when_away: Answer) -> Answer:
        if not breaker.allows():
            return when_away
        try:
            answer = operation()
        except REDIS_ERRORS as error:
            breaker.failed(error)
            return when_away
        breaker.succeeded()
        return answer

    def add(
        self, key: str, value: Any, timeout: float | None = DEFAULT_TIMEOUT, version: int | None = None
    ) -> bool:
        parent = super()
        return self._try(lambda: parent.add(key, value, timeout, version), True)

    def get(self, key: str, default: Any = None, version: int | None = None) -> Any:
        parent = super()
        return self._try(lambda: parent.get(key, default, version), default)

    def set(
        self, key: str, value: Any, timeout: float | None = DEFAULT_TIMEOUT, version: int | None = None
    ) -> None:
        parent = super()
        self._try(lambda: parent.set(key, value, timeout, version), None)

    def touch(self, key: str, timeout: float | None = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        parent = super()
        return self._try(lambda: parent.touch(key, timeout, version), False)

    def delete(self, key: str, version: int | None = None) -> bool:
        parent = super()
        return self._try(lambda: parent.delete(key, version), False)

    def get_many(self, keys: Iterable[str], version: int | None = None) -> dict[str, Any]:
        parent = super()
        return self._try(lambda: parent.get_many(keys, version), {})

    def has_key(self, key: str, version: int | None = None) -> bool:
        parent = super()
        return self._try(lambda: parent.has_key(key, version), False)

    def incr(self, key: str, delta: int = 1, version: int | None = None) -> int:
        """Raises ValueError for a missing key, and so also while Redis is away."""
        parent = super()
        answer = self._try(lambda: parent.incr(key, delta, version), None)
        if answer is None:
            raise ValueError(f"Key {key!r} not found.")
        return int(answer)

    def set_many(
        self,
        data: Mapping[str, Any],
        timeout: float | None = DEFAULT_TIMEOUT,
        version: int | None = None,
    ) -> list[Any]:
        parent = super()
        return self._try(lambda: parent.set_many(data, timeout, version), list(data))

    def delete_many(self, keys: Iterable[str], version: int | None = None) -> None:
        parent = super()
        self._try(lambda: parent.delete_many(keys, version), None)

    def clear(self) -> bool:
        parent = super()
        return self._try(lambda: parent.clear(), False)
