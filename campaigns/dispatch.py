"""Sending: claim a message, commit, hand it over, mark what came of it. The tick ``campaigns.dispatch_messages``
calls it.

A message is claimed by one conditional UPDATE, so it goes out once however many senders run. A sender that dies
between the claim and the mark leaves the row ``sending``; after a time it becomes ``unknown`` and is shown to staff,
never sent again by itself: a second birthday greeting is worse than asking.
"""

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

import structlog
from django.db import transaction
from django.db.models import QuerySet
from django.utils.text import Truncator

from campaigns.channels.base import (
    Channel,
    ChannelDown,
    OutcomeUnknown,
    PassingError,
    Recipient,
    Refused,
)
from campaigns.channels.email import EmailChannel
from campaigns.channels.inbox import InboxChannel
from campaigns.models import Message
from campaigns.rendering.rendered import Rendered
from loyalty.events.bus import announce
from loyalty.runs.record import RunRecorder
from members.models import Consent, Member
from members.models.consent import ConsentChannel, Purpose

logger = structlog.get_logger("kantis.campaigns")

BACK_OFF = tuple(dt.timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 240, 720))
"""How long to wait after each failed try; one more failure, and the message has failed."""
CLAIM_TIMEOUT = dt.timedelta(minutes=10)
"""Well over the longest a hand-over can take (EMAIL_TIMEOUT for each step of the conversation)."""
OVERDUE = dt.timedelta(days=3)
"""A message that could not go out for so long has missed its day."""

CHANNELS: Mapping[str, Callable[[], Channel]] = {
    Message.Channel.INBOX: InboxChannel,
    Message.Channel.EMAIL: EmailChannel,
}


def has_work(*, at: dt.datetime) -> bool:
    """Whether anything is due or was left half-way, so that a quiet minute costs one look."""
    half_way = Message.objects.filter(status=Message.Status.SENDING, claimed_at__lte=at - CLAIM_TIMEOUT)
    return _due(at).exists() or half_way.exists()


def dispatch(*, now: Callable[[], dt.datetime], run: RunRecorder, until: dt.datetime) -> None:
    """Send what is due, channel by channel, until nothing is left or the time is up.

    Takes a clock and not a moment: a round may last for minutes, and the age of a claim decides whether its sender is
    dead. Raises ChannelDown when a channel cannot be used at all; its messages stay due.
    """
    give_up_lost(at=now(), run=run)
    give_up_overdue(at=now(), run=run)
    down: ChannelDown | None = None
    for code, make in CHANNELS.items():
        channel = make()
        try:
            with channel.opened():
                _send_all(channel, code, now=now, run=run, until=until)
        except ChannelDown as error:
            down = error
    if down is not None:
        raise down


def _send_all(
    channel: Channel, code: str, *, now: Callable[[], dt.datetime], run: RunRecorder, until: dt.datetime
) -> None:
    while now() < until and _due(now()).filter(channel=code).exists():
        channel.ready()
        message = claim(channel=code, at=now())
        if message is None:
            return
        status = send(message, channel, now=now)
        run.progress(
            done=int(status == Message.Status.SENT),
            skipped=int(status == Message.Status.SKIPPED),
            failed=int(status not in {Message.Status.SENT, Message.Status.SKIPPED}),
        )


def claim(*, channel: str, at: dt.datetime) -> Message | None:
    """Take the next due message of a channel, or None. One UPDATE: whoever changes the row has it."""
    claimed = Message.objects.raw(
        f"""UPDATE {Message._meta.db_table} SET status = 'sending', claimed_at = %(at)s, attempts = attempts + 1
             WHERE id = (SELECT id FROM {Message._meta.db_table}
                          WHERE status = 'due' AND due_at <= %(at)s
                            AND channel = %(channel)s
                          ORDER BY due_at, id LIMIT 1 FOR UPDATE SKIP LOCKED)
            RETURNING *""",  # noqa: S608  (table names only)
        {"at": at, "channel": channel},
    )
    return next(iter(claimed), None)


def send(message: Message, channel: Channel, *, now: Callable[[], dt.datetime]) -> str:
    """Hand a claimed message over and mark what came of it; returns its new status.

    Consent and membership are read again here: who opted out after queueing is not written to.
    """
    try:
        recipient = recipient_of(message)
        if reason := _objection(message) or channel.objection(message, recipient):
            return mark(message, Message.Status.SKIPPED, at=now(), reason=reason)
        channel.deliver(message, Rendered(subject=message.subject, body=message.body), recipient)
    except PassingError as error:
        return _retry(message, str(error), at=now())
    except Refused as error:
        return mark(
            message, Message.Status.FAILED, at=now(), reason=Message.Reason.REFUSED, detail=str(error)
        )
    except OutcomeUnknown as error:
        return mark(message, Message.Status.UNKNOWN, at=now(), reason=Message.Reason.LOST, detail=str(error))
    except Exception as error:  # one message that cannot be built must not hold up the others
        logger.exception("message_failed", message_id=message.pk)
        return mark(message, Message.Status.FAILED, at=now(), reason=Message.Reason.ERROR, detail=repr(error))
    return mark(message, Message.Status.SENT, at=now(), reason=_kept_reason(message))


def recipient_of(message: Message) -> Recipient:
    """The message's member as of now."""
    member = Member.objects.get(pk=message.member_id)
    return Recipient(member_id=member.pk, public_id=member.public_id, email=member.email, phone=member.phone)


def _objection(message: Message) -> str:
    """Why the member must not be written to any more, or an empty text."""
    if not Member.objects.filter(pk=message.member_id, status=Member.Status.ACTIVE).exists():
        return Message.Reason.NOT_A_MEMBER
    if message.channel == Message.Channel.INBOX:
        return ""
    agreed = Consent.objects.filter(
        member=message.member_id, purpose=Purpose.MARKETING, channel=ConsentChannel.EMAIL, granted=True
    )
    return "" if agreed.exists() else Message.Reason.CONSENT_WITHDRAWN


def mark(
    message: Message,
    status: str,
    *,
    at: dt.datetime,
    reason: str = "",
    detail: str = "",
    due_at: dt.datetime | None = None,
) -> str:
    """Write the outcome of this claim, and announce ``message.sent`` with it; returns the status.

    Bound to the claim by its number of attempts. A claim given up as unknown meanwhile still takes its true outcome.
    """
    outcome: dict[str, Any] = {
        "status": status,
        "reason": reason,
        "detail": Truncator(detail.replace("\x00", "")).chars(300),
    }
    if status == Message.Status.SENT:
        outcome["sent_at"] = at
    if due_at is not None:
        outcome["due_at"] = due_at
    mine = Message.objects.filter(
        pk=message.pk, attempts=message.attempts, status__in=[Message.Status.SENDING, Message.Status.UNKNOWN]
    )
    with transaction.atomic():
        if mine.update(**outcome) and status == Message.Status.SENT:
            announce(
                "message.sent",
                at=at,
                member_id=message.member_id,
                message_id=message.pk,
                campaign_id=message.campaign_id,
                occasion=message.occasion,
                channel=message.channel,
            )
    return status


def give_up_lost(*, at: dt.datetime, run: RunRecorder) -> None:
    """Claims whose sender was not heard of again become ``unknown``: they may have gone out."""
    lost = Message.objects.filter(status=Message.Status.SENDING, claimed_at__lte=at - CLAIM_TIMEOUT)
    run.progress(failed=lost.update(status=Message.Status.UNKNOWN, reason=Message.Reason.LOST))


def give_up_overdue(*, at: dt.datetime, run: RunRecorder) -> None:
    """Messages that no channel could take for days have failed: their day is over."""
    overdue = Message.objects.filter(status=Message.Status.DUE, created_at__lte=at - OVERDUE)
    run.progress(failed=overdue.update(status=Message.Status.FAILED, reason=Message.Reason.GAVE_UP))


def forget(member_id: int) -> None:
    """Take the words out of everything written to a member who leaves; what still waits is not sent.

    The rows stay, with their campaign and occasion: that something was sent, and when, is no secret about a person.
    """
    written = Message.objects.filter(member_id=member_id)
    written.filter(status=Message.Status.DUE).update(
        status=Message.Status.SKIPPED, reason=Message.Reason.NOT_A_MEMBER
    )
    written.update(subject="", body="", detail="")


def _due(at: dt.datetime) -> QuerySet[Message]:
    return Message.objects.filter(status=Message.Status.DUE, due_at__lte=at)


def _retry(message: Message, detail: str, *, at: dt.datetime) -> str:
    if message.attempts > len(BACK_OFF):
        return mark(message, Message.Status.FAILED, at=at, reason=Message.Reason.GAVE_UP, detail=detail)
    due_at = at + BACK_OFF[message.attempts - 1]
    return mark(
        message, Message.Status.DUE, at=at, reason=Message.Reason.RETRYING, detail=detail, due_at=due_at
    )


def _kept_reason(message: Message) -> str:
    """Why it went to the inbox stays with the row; that a first try failed does not."""
    return "" if message.reason == Message.Reason.RETRYING else message.reason
