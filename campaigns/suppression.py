"""Addresses never to write to again, by a keyed hash: they bounced, complained, or staff put them down.

A suppression outlasts the member and says nothing of them. Asked when a message is decided and again when it is sent.
"""

import datetime as dt
import functools
import hashlib
import hmac
from collections.abc import Iterable, Mapping

from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.utils.text import Truncator

from campaigns.models import ChannelCode, Suppression
from loyalty.events.bus import announce
from members.contacts import InvalidPhone, normal_email, normal_phone

_SALT = "kantis.campaigns.suppression"


_DOWN = f"""
SELECT address_hash FROM {Suppression._meta.db_table}
 WHERE channel = %s AND lifted_at IS NULL AND address_hash = ANY(%s::text[])
"""  # noqa: S608  (table name only)


def normal(channel: str, address: str) -> str:
    """The one spelling that equal addresses of a channel share; "" for none."""
    if channel == ChannelCode.EMAIL:
        return normal_email(address)
    if channel == ChannelCode.SMS:
        try:
            return normal_phone(address)
        except InvalidPhone:
            return address.strip()
    return address.strip()


def address_hash(channel: str, address: str) -> str:
    """The keyed hash of an address (64 hexadecimal digits): without the key nobody can try addresses against it."""
    return _hash(channel, normal(channel, address), settings.SECRET_KEY)


def suppressed(channel: str, addresses: Iterable[str]) -> frozenset[str]:
    """Those of the addresses, as they were given, that must not be written to by this channel. One statement.

    Keys that SECRET_KEY had before count too, as long as they stand in SECRET_KEY_FALLBACKS.
    """
    by_hash = _by_hash(channel, addresses)
    if not by_hash:
        return frozenset()
    with connection.cursor() as cursor:
        # Thousands at a time: one array is much quicker than a list of that many parameters.
        cursor.execute(_DOWN, [channel, "{" + ",".join(by_hash) + "}"])
        return frozenset(address for (each,) in cursor.fetchall() for address in by_hash[each])


def suppress(
    *,
    channel: str,
    address: str,
    reason: str,
    at: dt.datetime,
    detail: str = "",
    member_id: int | None = None,
) -> bool:
    """Put an address down; False when it was down already. Announced as ``address.suppressed`` without the address.

    Two at once end with one row, by the database's own constraint.
    """
    if not normal(channel, address) or suppressed(channel, [address]):
        return False
    row = Suppression(
        channel=channel,
        address_hash=address_hash(channel, address),
        member_id=member_id,
        reason=reason,
        detail=Truncator(detail.replace("\x00", "")).chars(300),
        since=at,
    )
    try:
        with transaction.atomic():
            row.save(force_insert=True)
            announce("address.suppressed", at=at, member_id=member_id, channel=channel, reason=str(reason))
    except IntegrityError:
        return False
    return True


def lift(*, suppression_id: int, staff_id: int | None, at: dt.datetime) -> bool:
    """Let an address be written to again; who did it stays with the row. False when that was done before."""
    with transaction.atomic():
        row = Suppression.objects.select_for_update(of=("self",)).get(pk=suppression_id)
        if row.lifted_at is not None:
            return False
        row.lifted_at, row.lifted_by_id = at, staff_id
        row.save(update_fields=["lifted_at", "lifted_by"])
        announce("address.lifted", at=at, member_id=row.member_id, channel=row.channel)
    return True


def _by_hash(channel: str, addresses: Iterable[str]) -> Mapping[str, set[str]]:
    """The addresses by what they may be stored as: under each key that we have or had."""
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    by_hash: dict[str, set[str]] = {}
    for address in addresses:
        if spelling := normal(channel, address):
            for key in keys:
                by_hash.setdefault(_hash(channel, spelling, key), set()).add(address)
    return by_hash


def _hash(channel: str, spelling: str, key: str) -> str:
    return hmac.digest(_key(key), f"{channel}:{spelling}".encode(), "sha256").hex()


@functools.lru_cache(maxsize=10)
def _key(secret: str) -> bytes:
    """As ``django.utils.crypto.salted_hmac`` derives it, kept: it is wanted for every address."""
    return hashlib.sha256(f"{_SALT}{secret}".encode()).digest()
