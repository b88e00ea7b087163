"""Requests per minute and key, counted in Redis with one round trip; without Redis nobody is held back.

The ``RateLimit`` and ``RateLimit-Policy`` headers follow draft-ietf-httpapi-ratelimit-headers.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from loyalty.partners.models import ApiKey
from loyalty.redis_link import REDIS_ERRORS, breaker, client

if TYPE_CHECKING:
    from rest_framework.views import APIView  # DRF's views import this module

WINDOW_SECONDS = 60
REDIS_TIMEOUT = 0.1

_COUNT = """
local count = redis.call('INCR', KEYS[1])
if count == 1 then redis.call('EXPIRE', KEYS[1], ARGV[1]) end
return count
"""
_script: Any = None


@dataclass(frozen=True)
class Standing:
    """Where a key stands in its current minute."""

    limit: int
    used: int
    seconds_left: int

    @property
    def remaining(self) -> int:
        return max(0, self.limit - self.used)


class ApiKeyThrottle(BaseThrottle):
    """The key's own limit, or the programme's, in fixed windows of a minute."""

    standing: Standing | None = None

    def allow_request(self, request: Request, view: "APIView") -> bool:
        key = request.auth
        if not isinstance(key, ApiKey):
            return True
        self.standing = count_request(key.pk, key.rate_per_minute or settings.API_RATE_PER_MINUTE)
        if self.standing is None:
            return True
        request._request.rate_standing = self.standing  # type: ignore[attr-defined]
        return self.standing.used <= self.standing.limit

    def wait(self) -> float | None:
        return self.standing.seconds_left if self.standing else None


def count_request(key_id: int, limit: int) -> Standing | None:
    """Count one request of a key; None when Redis is away, within a tenth of a second."""
    if not breaker.allows():
        return None
    moment = time.time()
    window = int(moment // WINDOW_SECONDS)
    try:
        used = _counter()(keys=[f"kantis:rate:{key_id}:{window}"], args=[WINDOW_SECONDS * 2])
    except REDIS_ERRORS as error:
        breaker.failed(error)
        return None
    breaker.succeeded()
    return Standing(limit, int(used), math.ceil((window + 1) * WINDOW_SECONDS - moment))


def _counter() -> Any:
    global _script
    if _script is None:
        _script = client(REDIS_TIMEOUT).register_script(_COUNT)
    return _script


def rate_limit_headers(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Middleware: tell each partner where its key stands."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        standing: Standing | None = getattr(request, "rate_standing", None)
        if standing is not None:
            response["RateLimit-Policy"] = f'"key";q={standing.limit};w={WINDOW_SECONDS}'
            response["RateLimit"] = f'"key";r={standing.remaining};t={standing.seconds_left}'
        return response

    return middleware
