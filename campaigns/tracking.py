"""Links by way of our own redirect, and whether an e-mail was opened: signed, never a person's data in an address.

A token is a message's and a link's number with a signature. It leads only to addresses that a campaign's texts named
and that are kept as ``Link``, so nobody can make it lead elsewhere. Who objects to being counted gets plain links; what
they follow of older ones is not written down.
"""

import datetime as dt
import hashlib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import urljoin

from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Coalesce
from django.urls import reverse

from campaigns.models import Click, Link, Message, MessagePreference, SendingPolicy
from loyalty.events.bus import announce
from members.models import Member

_SIGNATURE = 16
"""Characters of base64: 96 bits, short enough for a text message."""
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_LONGEST_TOKEN = 60
_LARGEST_NUMBER = 2**63 - 1


class _ShortSigner(Signer):
    """Django's signatures (the key may be changed by SECRET_KEY_FALLBACKS), cut to what a short link can bear."""

    def signature(self, value: str | bytes, key: str | bytes | None = None) -> str:
        return super().signature(value, key)[:_SIGNATURE]


_LINKS = _ShortSigner(sep=".", salt="campaigns.tracking.link")
_PICTURES = _ShortSigner(sep=".", salt="campaigns.tracking.picture")


def tracked(message_id: int, link_id: int) -> str:
    """The absolute address that counts a click of the message on the link and leads on."""
    return _address("campaign-link", _LINKS.sign(f"{_short(message_id)}.{_short(link_id)}"))


def picture(message_id: int) -> str:
    """The absolute address of the picture that tells of an e-mail's opening."""
    return _address("campaign-picture", _PICTURES.sign(_short(message_id)))


def _address(name: str, token: str) -> str:
    before, after = _around(name, settings.PUBLIC_URL)
    return f"{before}{token}{after}"


@lru_cache(maxsize=16)
def _around(name: str, public_url: str) -> tuple[str, str]:
    """What stands before and after the token: looked up once, as every message has some."""
    before, _token, after = urljoin(public_url, reverse(name, args=["TOKEN"])).rpartition("TOKEN")
    return before, after


def links_for(wanted: Mapping[int, Iterable[str]]) -> dict[int, dict[str, int]]:
    """The numbers of addresses by campaign, from each campaign's pk and its texts' addresses; new ones are kept.

    One statement, and two more when there are new addresses.
    """
    asked = {(campaign_id, url_hash(url)): url for campaign_id, urls in wanted.items() for url in urls}
    if not asked:
        return {}
    known = _known(wanted)
    if new := [key for key in asked if key not in known]:
        rows = [
            Link(campaign_id=campaign_id, url=asked[campaign_id, hashed], url_hash=hashed)
            for campaign_id, hashed in sorted(new)
        ]
        Link.objects.bulk_create(rows, ignore_conflicts=True)
        known = _known(wanted)
    found: dict[int, dict[str, int]] = {campaign_id: {} for campaign_id in wanted}
    for (campaign_id, hashed), url in asked.items():
        found[campaign_id][url] = known[campaign_id, hashed]
    return found


def url_hash(url: str) -> str:
    return hashlib.sha256(url.encode()).hexdigest()


def follow(token: str, *, at: dt.datetime, counts: bool = True) -> str | None:
    """Where a token leads, or None for one that is forged or whose message or link is gone.

    With ``counts``, writes a Click, the time of the message's first one, and announces ``message.clicked`` (facts:
    ``message_id``, ``campaign_id``, ``occasion``, ``link``) in one transaction; nothing for who objects or has left.
    """
    numbers = _read(_LINKS, token, parts=2)
    if numbers is None:
        return None
    message_id, link_id = numbers
    link = Link.objects.filter(pk=link_id, campaign__messages=message_id).first()
    if link is None:
        return None
    if counts and may_count(message_id):
        _click(message_id, link, at=at)
    return link.url


def opened(token: str, *, at: dt.datetime) -> bool:
    """Note the first loading of a message's picture, where openings are looked at; says whether the token is ours."""
    numbers = _read(_PICTURES, token, parts=1)
    if numbers is None:
        return False
    if SendingPolicy.objects.filter(pk=1, track_opens=True).exists() and may_count(numbers[0]):
        with transaction.atomic():
            first = Message.objects.filter(pk=numbers[0], opened_at__isnull=True)
            if first.update(opened_at=at):
                tell("message.opened", numbers[0], at=at)
    return True


def may_count(message_id: int) -> bool:
    """Whether the message's member is still one, and does not object to being counted."""
    objecting = MessagePreference.objects.filter(no_tracking=True).values("member_id")
    members = Message.objects.filter(pk=message_id, member__status=Member.Status.ACTIVE)
    return members.exclude(member_id__in=objecting).exists()


def _click(message_id: int, link: Link, *, at: dt.datetime) -> None:
    with transaction.atomic():
        Click.objects.create(message_id=message_id, link=link, at=at)
        Message.objects.filter(pk=message_id).update(clicked_at=Coalesce(F("clicked_at"), at))
        tell("message.clicked", message_id, at=at, link=link.url)


def tell(name: str, message_id: int, *, at: dt.datetime, **facts: Any) -> None:
    """Announce that a message was opened or a link of it followed."""
    message = Message.objects.only("member_id", "campaign_id", "occasion").get(pk=message_id)
    announce(
        name,
        at=at,
        member_id=message.member_id,
        message_id=message_id,
        campaign_id=message.campaign_id,
        occasion=message.occasion,
        **facts,
    )


def _known(wanted: Mapping[int, object]) -> dict[tuple[int, str], int]:
    rows = Link.objects.filter(campaign_id__in=list(wanted)).values_list("campaign_id", "url_hash", "pk")
    return {(campaign_id, hashed): pk for campaign_id, hashed, pk in rows}


def _read(signer: Signer, token: str, *, parts: int) -> list[int] | None:
    """The numbers that were signed, or None."""
    if len(token) > _LONGEST_TOKEN:
        return None
    try:
        numbers = [_long(text) for text in signer.unsign(token).split(".")]
    except (BadSignature, ValueError):
        return None
    return numbers if len(numbers) == parts and max(numbers) <= _LARGEST_NUMBER else None


def _short(number: int) -> str:
    digits = ""
    while number or not digits:
        number, digit = divmod(number, len(_DIGITS))
        digits = _DIGITS[digit] + digits
    return digits


def _long(text: str) -> int:
    number = 0
    for digit in text:
        number = number * len(_DIGITS) + _DIGITS.index(digit)
    return number
