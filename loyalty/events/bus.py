"""How a lower floor tells an upper one: it *announces* a fact, and whoever *subscribed* is handed it later.

``announce`` writes the event in the caller's transaction, so a rolled-back fact is never heard of. Upper floors
subscribe in their ``handlers.py``, which is imported at start-up; :mod:`loyalty.events.dispatch` delivers.
"""

import datetime as dt
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection, transaction

from loyalty.events import waking
from loyalty.events.models import Event
from loyalty.prepared import write_later

Handler = Callable[[list[Event]], None]


class NotInTransaction(RuntimeError):
    """An event was announced outside a transaction, apart from the fact that it tells of."""


@dataclass(frozen=True, kw_only=True)
class Announcement:
    """A fact to be told: a name in the past tense, when it happened, whom it concerns, and plain JSON facts."""

    name: str
    at: dt.datetime
    member_id: int | None = None
    partner_id: int | None = None
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Subscription:
    """One handler and the names of the events it takes."""

    key: str
    names: frozenset[str]
    handler: Handler


_subscriptions: dict[str, Subscription] = {}

COPY_FROM = 200
"""From this many events on they go in by COPY; below, one INSERT costs less."""

_COPY = "COPY loyalty_event (name, member_id, partner_id, facts, occurred_at) FROM STDIN"
_INSERT = """
INSERT INTO loyalty_event (name, member_id, partner_id, facts, occurred_at)
SELECT name, member_id, partner_id, facts, occurred_at
FROM json_to_recordset(%s::json)
    AS told(name text, member_id bigint, partner_id bigint, facts jsonb, occurred_at timestamptz)
"""


def announce(
    name: str,
    /,
    *,
    at: dt.datetime,
    member_id: int | None = None,
    partner_id: int | None = None,
    **facts: Any,
) -> None:
    """Write one event in the caller's transaction; its subscriptions are handed it after the commit.

    Raises NotInTransaction outside a transaction.
    """
    announce_many([Announcement(name=name, at=at, member_id=member_id, partner_id=partner_id, facts=facts)])


def announce_many(announcements: Iterable[Announcement]) -> None:
    """Write many events with one statement, as :func:`announce` does one."""
    if not connection.in_atomic_block:
        raise NotInTransaction("Announce inside the transaction of the fact itself.")
    told = list(announcements)
    if not told:
        return
    if len(told) < COPY_FROM:
        write_later(_INSERT, [_json([_row(each) for each in told])])
    else:
        _copy(told)
    wake_after_commit()


def announcing(select: str) -> str:
    """SQL that writes the events a query gives: name, member id, facts and moment, in this order.

    For facts that are written by one statement for a million members; the caller is in a transaction and calls
    :func:`wake_after_commit`.
    """
    return f"INSERT INTO loyalty_event (name, member_id, facts, occurred_at) {select}"


def wake_after_commit() -> None:
    """Have the waiting events dispatched once the caller's transaction is committed."""
    transaction.on_commit(waking.wake, robust=True)


def _row(told: Announcement) -> dict[str, Any]:
    return {
        "name": told.name,
        "member_id": told.member_id,
        "partner_id": told.partner_id,
        "facts": told.facts,
        "occurred_at": told.at.isoformat(),
    }


def _copy(told: Iterable[Announcement]) -> None:
    with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
        for each in told:
            copy.write_row((each.name, each.member_id, each.partner_id, _json(each.facts), each.at))


_json = DjangoJSONEncoder().encode


def subscribe(*names: str, key: str) -> Callable[[Handler], Handler]:
    """Register a handler for the named events under a stable key ("campaigns.thank_for_purchase").

    The handler gets a list of events in no promised order, inside a transaction; it must be idempotent, write to the
    database only, and raise to have the events offered again later. Keys are kept in the database: never rename one.
    """

    def register(handler: Handler) -> Handler:
        known = _subscriptions.get(key)
        if known is not None and known.handler is not handler:
            raise ValueError(f"The subscription {key!r} exists already.")
        _subscriptions[key] = Subscription(key, frozenset(names), handler)
        return handler

    return register


def unsubscribe(key: str) -> None:
    """Forget a subscription (tests)."""
    _subscriptions.pop(key, None)


def subscription(key: str) -> Subscription | None:
    """The subscription of that key, or None when the code no longer has it."""
    return _subscriptions.get(key)


def subscriptions() -> tuple[Subscription, ...]:
    """Every subscription, sorted by key."""
    return tuple(_subscriptions[key] for key in sorted(_subscriptions))
