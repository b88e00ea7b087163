"""``Idempotency-Key``: a repeated write gets the first answer again, byte for byte, and is done once.

The key's row and the work commit in one transaction, so there is no moment at which only one of them exists. While
the first request runs, an advisory lock tells the others apart. Only 2xx answers are kept: after a refusal the same
key may be sent again, corrected.
"""

import datetime as dt
import functools
import hashlib
import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from django.db import IntegrityError, OperationalError, transaction
from django.http import HttpResponse
from django.utils.translation import gettext_lazy as _
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from loyalty import clock
from loyalty.api.models import IdempotencyKey
from loyalty.api.problems import Conflict, FieldError, Problem
from loyalty.prepared import fetch_prepared, waiting_writes

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
MAX_LENGTH = 128
DEADLOCK_TRIALS = 3
_QUARRELS = ("40P01", "40001", "23505")  # deadlock_detected, serialization_failure, unique_violation

_BARE = re.compile(r"[!#-\[\]-~]{1,128}", re.ASCII)
_QUOTED = re.compile(r'"([ !#-\[\]-~]{1,128})"', re.ASCII)
_renderer = JSONRenderer()

_CLAIM = """
    SELECT pg_try_advisory_xact_lock(hashtextextended(%s::text, %s::bigint)),
           stored.request_digest, stored.status, stored.body
    FROM (VALUES (1)) AS one LEFT JOIN loyalty_idempotencykey AS stored ON stored.partner_id = %s AND stored.key = %s
"""
_KEEP = """
    INSERT INTO loyalty_idempotencykey (partner_id, key, request_digest, status, body, created_at)
    VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (partner_id, key) DO NOTHING
"""

View = TypeVar("View", bound=Callable[..., Any])


class KeyNeeded(Problem):
    status, code, title = 400, "idempotency-key", _("A write needs a valid Idempotency-Key header.")


class KeyReused(Problem):
    status, code, title = 422, "idempotency-key-reused", _("This key was used for another request.")


class StillRunning(Conflict):
    code, title = "idempotency-key-in-use", _("The first request with this key is still running.")


class _KeptByAnother(Exception):
    """The answer was stored between our look and our own insert: undo the work and give that answer."""


@dataclass(frozen=True)
class _Claim:
    """What identifies one write of one partner."""

    partner_id: int
    key: str
    digest: bytes


def idempotent(method: View) -> View:
    """Decorate a view's method that writes: the work runs in a transaction, once per partner and key.

    The method returns a ``Response`` and must be repeatable: after a deadlock, or when another has just written
    the same unique row, it is called again from scratch.
    """

    @functools.wraps(method)
    def wrapper(view: Any, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        claim = _claim_of(request)
        work = functools.partial(method, view, request, *args, **kwargs)
        for trial in range(1, DEADLOCK_TRIALS + 1):
            try:
                return _once(claim, work)
            except _KeptByAnother:
                continue
            except (OperationalError, IntegrityError) as error:
                if trial == DEADLOCK_TRIALS or not _is_quarrel(error):
                    raise
                time.sleep(random.uniform(0.01, 0.05) * trial)  # noqa: S311
        raise StillRunning

    wrapper.is_idempotent = True  # type: ignore[attr-defined]
    return wrapper  # type: ignore[return-value]


def prune(*, before: dt.datetime) -> int:
    """Forget the answers given before that moment; returns how many."""
    return IdempotencyKey.objects.filter(created_at__lt=before).delete()[0]


def key_of(header: str | None) -> str:
    """The key in the header, with or without quotes; raises KeyNeeded."""
    text = (header or "").strip()
    quoted = _QUOTED.fullmatch(text)
    key = quoted[1] if quoted else text
    if not quoted and not _BARE.fullmatch(text):
        message = _("Send 1 to %(most)s visible ASCII characters, a new UUID for example.") % {
            "most": MAX_LENGTH
        }
        raise KeyNeeded(errors=[FieldError(HEADER, "required" if not text else "invalid", str(message))])
    return key


def _claim_of(request: Request) -> _Claim:
    key = key_of(request.headers.get(HEADER))
    _parsed = request.data  # a malformed body is refused before anything is claimed
    raw: bytes = getattr(request._request, "raw_body", b"")
    place = f"{request.method} {request.get_full_path()}\n".encode()
    return _Claim(request.auth.partner_id, key, hashlib.sha256(place + raw).digest())


def _once(claim: _Claim, work: Callable[[], Response]) -> HttpResponse:
    with transaction.atomic(), waiting_writes() as waiting:
        if (kept := _kept_answer(claim)) is not None:
            return kept
        answer = work()
        if not 200 <= answer.status_code < 300:
            transaction.set_rollback(True)
            return answer
        body = _renderer.render(answer.data)
        row = [claim.partner_id, claim.key, claim.digest, answer.status_code, body.decode(), clock.now()]
        if not waiting.finish(_KEEP, row):
            raise _KeptByAnother
        return _http(answer.status_code, body, dict(answer.headers))


def _kept_answer(claim: _Claim) -> HttpResponse | None:
    """Claim the key; the stored answer if there is one, None when the work is ours to do."""
    sought = [claim.key, claim.partner_id, claim.partner_id, claim.key]
    [(is_ours, digest, status, body)] = fetch_prepared(_CLAIM, sought)
    if status is None:
        if is_ours:
            return None
        raise StillRunning(headers={"Retry-After": "1"})
    if bytes(digest) != claim.digest:
        raise KeyReused
    return _http(status, body.encode(), {REPLAYED: "true"})


def _http(status: int, body: bytes, headers: dict[str, str]) -> HttpResponse:
    headers.pop("Content-Type", None)
    return HttpResponse(body, status=status, headers=headers, content_type="application/json")


def _is_quarrel(error: OperationalError | IntegrityError) -> bool:
    """Whether the work, begun again, sees what another wrote at the same moment: its locks, or its unique rows."""
    return getattr(error.__cause__, "sqlstate", None) in _QUARRELS
