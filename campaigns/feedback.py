"""What mail and message services tell of messages: delivered, bounced, complained. The hooks hand it over.

A notice is taken once, by its own number, in one transaction with what follows from it: a bounced address is put down,
a complaint also ends the consent, an address that takes nothing three times within a month is put down too.
"""

import datetime as dt
import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from django.db import transaction
from django.db.models import Q
from django.utils.text import Truncator

from campaigns import suppression, tracking, unsubscribing
from campaigns.models import (
    ChannelCode,
    Feedback,
    Message,
    MessagePreference,
    SendingPolicy,
    Suppression,
)
from loyalty.events.bus import announce
from members.consents import set_consent
from members.contacts import normal_email
from members.models import Consent, ConsentChange, Member

logger = structlog.get_logger("kantis.campaigns")

PASSING_WITHIN = dt.timedelta(days=30)
PASSING_AT_MOST = 2
"""So many messages may come back for now within that time; with one more the address is put down."""
_OUR_NUMBER = re.compile(r"<?kantis-(\d{1,18})@[^<>\s]+>?")
_OF_READING = frozenset({Feedback.Kind.OPEN, Feedback.Kind.CLICK})


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One thing that a service tells of one message.

    ``key`` is the notice's own number at its source; ``kind`` one of ``Feedback.Kind``. ``provider_id`` is the other
    side's number of the message, ``message_id`` ours (``Message.public_id``), ``address`` whom it went to: as many of
    these as are known.
    """

    key: str
    kind: str
    channel: str
    at: dt.datetime
    provider_id: str = ""
    message_id: str = ""
    address: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Taken:
    """How many notices were new, and how many had come before (or tell of what we do not count)."""

    new: int
    repeated: int


def take(*, source: str, notices: Sequence[Notice], at: dt.datetime) -> Taken:
    """Write down what is new and do what follows from it; each notice in a transaction of its own.

    Of two hooks with the same notice at once one inserts the row, and it alone goes on.
    """
    new = sum(_take_one(source, notice, at=at) for notice in notices)
    return Taken(new, len(notices) - new)


def _take_one(source: str, notice: Notice, *, at: dt.datetime) -> bool:
    message = message_of(notice)
    address = notice.address or _address_of(message)
    if notice.kind in _OF_READING and not _may_be_counted(message, notice.kind):
        return False
    with transaction.atomic():
        row = _insert(source, notice, message, address, at=at)
        if row is None:
            return False
        _follow(row, message, address, at=at)
    if message is None:
        logger.info("feedback_without_message", source=source, kind=notice.kind)
    return True


def message_of(notice: Notice) -> Message | None:
    """The message that a notice is about: by our number, by the service's, or by the Message-ID that we gave it."""
    ways = Q()
    for number in (notice.message_id, notice.provider_id):
        if ours := _OUR_NUMBER.fullmatch(number):
            ways |= Q(pk=int(ours[1]))
        elif number and (known := _uuid(number)):
            ways |= Q(public_id=known)
    if notice.provider_id:
        ways |= Q(provider_id=notice.provider_id)
    if not ways:
        return None
    found = Message.objects.select_related("campaign", "member").filter(ways, channel=notice.channel)
    return found.order_by("-pk").first()


def _insert(
    source: str, notice: Notice, message: Message | None, address: str, *, at: dt.datetime
) -> Feedback | None:
    """The notice's row, or None when its number was there before."""
    row, created = Feedback.objects.get_or_create(
        source=source[:30],
        key=notice.key[:200],
        defaults={
            "kind": notice.kind,
            "channel": notice.channel,
            "message": message,
            "address_hash": suppression.address_hash(notice.channel, address) if address else "",
            "detail": _short(notice.detail),
            "happened_at": min(notice.at, at),
            "received_at": at,
        },
    )
    return row if created else None


def _follow(row: Feedback, message: Message | None, address: str, *, at: dt.datetime) -> None:
    kinds = Feedback.Kind
    if row.kind == kinds.DELIVERED and message is not None:
        _arrived(message, row)
    elif row.kind == kinds.BOUNCE:
        if message is not None:
            _came_back(message, row)
        _put_down(row, message, address, Suppression.Reason.BOUNCE, at=at)
    elif row.kind == kinds.PASSING:
        if _comes_back_often(row):
            _put_down(row, message, address, Suppression.Reason.BOUNCE, at=at)
    elif row.kind == kinds.COMPLAINT:
        _put_down(row, message, address, Suppression.Reason.COMPLAINT, at=at)
        _end_consent(row, message, address, at=at)
    elif row.kind == kinds.UNSUBSCRIBE:
        _end_consent(row, message, address, at=at)
    elif row.kind in _OF_READING and message is not None:
        _was_read(message, row)


def _arrived(message: Message, row: Feedback) -> None:
    """A message of unknown outcome is known to have gone out now."""
    was_unknown = Message.objects.filter(pk=message.pk, status=Message.Status.UNKNOWN)
    if was_unknown.update(status=Message.Status.SENT, reason="", detail="", sent_at=row.happened_at):
        announce(
            "message.sent",
            at=row.happened_at,
            member_id=message.member_id,
            message_id=message.pk,
            campaign_id=message.campaign_id,
            occasion=message.occasion,
            channel=message.channel,
        )


def _came_back(message: Message, row: Feedback) -> None:
    """What went out has not arrived; a sender that has yet to mark its claim finds it ended."""
    statuses = Message.Status
    ended = Message.objects.filter(
        pk=message.pk, status__in=[statuses.SENDING, statuses.SENT, statuses.UNKNOWN]
    )
    ended.update(status=Message.Status.FAILED, reason=Message.Reason.BOUNCED, detail=row.detail)


def _comes_back_often(row: Feedback) -> bool:
    """Whether more messages to this address came back for now, of late, than may; one message counts once."""
    if not row.address_hash:
        return False
    of_late = Feedback.objects.filter(
        kind=Feedback.Kind.PASSING,
        channel=row.channel,
        address_hash=row.address_hash,
        happened_at__gt=row.happened_at - PASSING_WITHIN,
    )
    known = of_late.filter(message__isnull=False).values("message").distinct().count()
    return known + of_late.filter(message__isnull=True).count() > PASSING_AT_MOST


def _put_down(row: Feedback, message: Message | None, address: str, reason: str, *, at: dt.datetime) -> None:
    suppression.suppress(
        channel=row.channel,
        address=address,
        reason=reason,
        detail=row.detail,
        member_id=message.member_id if message else None,
        at=at,
    )


def _end_consent(row: Feedback, message: Message | None, address: str, *, at: dt.datetime) -> None:
    """Withdraw the consent that the message rests on; where that is unknown or none, every one of the channel."""
    if message is not None and unsubscribing.takes_consent(message):
        unsubscribing.withdraw(message, at=at)
        return
    given = Consent.objects.filter(channel=row.channel, granted=True)
    if message is not None:
        given = given.filter(member=message.member_id)
    elif row.channel == ChannelCode.EMAIL and address:
        given = given.filter(member__email=normal_email(address))
    else:
        return
    for consent in given.order_by("member_id", "pk"):
        set_consent(
            member_id=consent.member_id,
            purpose=consent.purpose,
            channel=consent.channel,
            granted=False,
            source=ConsentChange.Source.MESSAGE,
            at=at,
        )


def _may_be_counted(message: Message | None, kind: str) -> bool:
    """Whether somebody's opening or following may be written down at all: not against the member's or our own word."""
    if message is None or MessagePreference.objects.filter(pk=message.member_id, no_tracking=True).exists():
        return False
    return kind != Feedback.Kind.OPEN or SendingPolicy.objects.filter(pk=1, track_opens=True).exists()


def _was_read(message: Message, row: Feedback) -> None:
    """The first time stays, and is announced, unless our own links and picture told of it before.

    Which link was followed is not known here: its fact is empty.
    """
    if row.kind == Feedback.Kind.OPEN:
        first = Message.objects.filter(pk=message.pk, opened_at__isnull=True)
        if first.update(opened_at=row.happened_at):
            tracking.tell("message.opened", message.pk, at=row.happened_at)
        return
    first = Message.objects.filter(pk=message.pk, clicked_at__isnull=True)
    if first.update(clicked_at=row.happened_at):
        tracking.tell("message.clicked", message.pk, at=row.happened_at, link="")


def _address_of(message: Message | None) -> str:
    """Where the message most likely went: the member's address by its channel now."""
    if message is None or message.member.status != Member.Status.ACTIVE:
        return ""
    by_channel = {ChannelCode.EMAIL: message.member.email, ChannelCode.SMS: message.member.phone}
    return by_channel.get(ChannelCode(message.channel), "")


def _uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text.removeprefix("msg_"))
    except ValueError:
        return None


def _short(text: str) -> str:
    return Truncator(" ".join(text.replace("\x00", "").split())).chars(300)
