"""Without Redis, or with a frozen one, the cache is empty and nobody is throttled; requests stay quick."""

import datetime as dt
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
import time_machine

from loyalty import redis_link
from loyalty.api import throttling
from loyalty.cache import SoftRedisCache
from loyalty.redis_link import Breaker
from tests.factories.loyalty import partner_client


@pytest.fixture(autouse=True)
def breaker(monkeypatch: pytest.MonkeyPatch) -> Breaker:
    """A breaker of the test's own."""
    fresh = Breaker(shortest=0.2, longest=0.4)
    for module in ("loyalty.cache", "loyalty.api.throttling", "loyalty.redis_link"):
        monkeypatch.setattr(f"{module}.breaker", fresh)
    return fresh


@pytest.fixture
def frozen(tmp_path: Path) -> Iterator[str]:
    """The address of a server that takes connections and never answers."""
    server = socket.socket(socket.AF_UNIX)
    address = tmp_path / "frozen.sock"
    server.bind(str(address))
    server.listen(50)
    yield f"unix://{address}"
    server.close()


def soft_cache(address: str) -> SoftRedisCache:
    return SoftRedisCache(address, {"OPTIONS": {"socket_timeout": 0.1, "socket_connect_timeout": 0.1}})


def behaves_as_empty(cache: SoftRedisCache) -> None:
    assert cache.set("a", 1) is None
    assert cache.get("a") is None
    assert cache.get("a", 5) == 5
    assert cache.add("a", 1) is True
    assert cache.has_key("a") is False
    assert cache.get_many(["a", "b"]) == {}
    assert cache.set_many({"a": 1}) == ["a"]
    assert cache.delete("a") is False
    assert cache.touch("a") is False
    assert cache.get_or_set("a", lambda: 9) == 9
    cache.delete_many(["a"])
    assert cache.clear() is False
    with pytest.raises(ValueError, match="not found"):
        cache.incr("a")


def test_a_dead_redis_is_an_empty_cache() -> None:
    behaves_as_empty(soft_cache("unix:///nowhere/redis.sock"))


def test_a_frozen_redis_costs_one_time_out_for_all(frozen: str) -> None:
    started = time.monotonic()
    behaves_as_empty(soft_cache(frozen))
    assert time.monotonic() - started < 0.6


def test_a_living_redis_is_a_cache(settings) -> None:
    cache = soft_cache(settings.REDIS_URL)
    cache.set("a", {"b": 1}, timeout=60)
    cache.set("n", 1, timeout=60)
    assert cache.get("a") == {"b": 1}
    assert cache.incr("n", 4) == 5
    assert cache.add("a", 2) is False
    assert cache.get_many(["a", "n"]) == {"a": {"b": 1}, "n": 5}
    with pytest.raises(ValueError, match="not found"):
        cache.incr("missing")
    cache.delete_many(["a", "n"])
    assert not cache.has_key("a")


def test_one_caller_at_a_time_tries_again() -> None:
    breaker = Breaker(shortest=0.2, longest=0.4)
    assert breaker.allows()
    breaker.failed(OSError())
    assert not breaker.allows()
    time.sleep(0.25)
    assert [breaker.allows() for _caller in range(3)] == [True, False, False]
    breaker.succeeded()
    assert breaker.allows()
    assert breaker.allows()


@pytest.mark.django_db
@pytest.mark.urls("tests.loyalty.api_views")
class TestThrottle:
    def test_a_partner_is_told_where_it_stands(self) -> None:
        with time_machine.travel(dt.datetime(2026, 3, 1, 12, 0, 20, tzinfo=dt.UTC), tick=False):
            answer = partner_client(rate_per_minute=5).get("/api/v1/baskets")
        assert answer["RateLimit-Policy"] == '"key";q=5;w=60'
        assert answer["RateLimit"] == '"key";r=4;t=40'

    def test_over_the_limit(self) -> None:
        client, other = partner_client(rate_per_minute=2), partner_client(rate_per_minute=2)
        with time_machine.travel(dt.datetime(2026, 3, 1, 12, 0, 20, tzinfo=dt.UTC), tick=False) as clock:
            assert [client.get("/api/v1/baskets").status_code for _try in range(3)] == [200, 200, 429]
            refused = client.get("/api/v1/baskets")
            assert refused["Retry-After"] == "40"
            assert refused["RateLimit"] == '"key";r=0;t=40'
            assert refused.json()["code"] == "throttled"
            assert other.get("/api/v1/baskets").status_code == 200
            clock.shift(40)
            assert client.get("/api/v1/baskets").status_code == 200

    def test_it_takes_one_round_trip(self, monkeypatch: pytest.MonkeyPatch) -> None:
        throttling.count_request(987, 5)
        sent = []
        plain = redis.Redis.execute_command
        monkeypatch.setattr(
            redis.Redis,
            "execute_command",
            lambda self, *args, **kw: sent.append(args[0]) or plain(self, *args, **kw),
        )
        throttling.count_request(987, 5)
        assert sent == ["EVALSHA"]

    def test_a_frozen_redis_holds_nobody_back(self, frozen: str, monkeypatch: pytest.MonkeyPatch) -> None:
        away = redis.Redis.from_url(
            frozen, socket_timeout=0.1, socket_connect_timeout=0.1, retry=redis_link.one_retry()
        )
        monkeypatch.setattr(throttling, "_script", away.register_script(throttling._COUNT))
        client = partner_client(rate_per_minute=1)
        started = time.monotonic()
        answers = [client.get("/api/v1/baskets") for _try in range(5)]
        assert [answer.status_code for answer in answers] == [200] * 5
        assert "RateLimit" not in answers[0]
        assert time.monotonic() - started < 0.5

    def test_threads_count_together(self) -> None:
        threads = [
            threading.Thread(target=throttling.count_request, args=(988, 100)) for _thread in range(20)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        standing = throttling.count_request(988, 100)
        assert standing is not None
        assert standing.used == 21
