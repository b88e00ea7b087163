"""A round of sending: batch after batch of each channel, until nothing is due or the time is up."""

import contextlib
import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import structlog
from django.db import InterfaceError, OperationalError, connection

from campaigns.channels.base import Channel, ChannelDown, OutcomeUnknown, PassingError, Refused
from campaigns.channels.registry import CHANNELS
from campaigns.dispatch import claiming, outcomes, recovery, writing
from campaigns.dispatch.claiming import CLAIM_FOR, Claim
from campaigns.dispatch.outcomes import ClaimLost, mark
from campaigns.dispatch.rechecking import Addressee, Batch, recheck
from campaigns.dispatch.writing import Written
from campaigns.lifecycle import GOING
from campaigns.models import Campaign, ChannelPolicy, Message
from campaigns.rendering import context
from campaigns.rendering.context import Context
from campaigns.rendering.rendered import Rendered
from loyalty.runs.record import RunRecorder

logger = structlog.get_logger("kantis.campaigns")
Clock = Callable[[], dt.datetime]
Reason, Status = Message.Reason, Message.Status

_WITH_WORK = f"""
SELECT p.channel FROM {ChannelPolicy._meta.db_table} p
 WHERE p.is_active AND EXISTS (
       SELECT FROM {Campaign._meta.db_table} c
        CROSS JOIN LATERAL (
              SELECT FROM {Message._meta.db_table} m
               WHERE m.campaign_id = c.id AND m.channel = p.channel AND {claiming.WAITING} AND m.due_at <= %s
               LIMIT 1) AS first
        WHERE {claiming.GOING})
"""  # noqa: S608  (names only)


def channels_with_work(*, at: dt.datetime) -> list[str]:
    """The channels of which anything is due or was left half-way, in the order in which they are to be done."""
    with connection.cursor() as cursor:
        cursor.execute(_WITH_WORK, [at])
        found = {row[0] for row in cursor.fetchall()}
    found.update(recovery.left_half_way(at=at))
    return [code for code in CHANNELS if code in found]


def has_work(*, at: dt.datetime) -> bool:
    """Whether there is anything to do, so that a quiet minute costs two looks."""
    return bool(channels_with_work(at=at))


def dispatch(*, now: Clock, run: RunRecorder, until: dt.datetime, only: str | None = None) -> None:
    """Send what is due, channel by channel (or by one ``only``), until nothing is left or the time is up.

    Takes a clock and not a moment: a round may last for minutes, and the age of a claim decides whether its sender is
    dead. Raises ChannelDown when a channel cannot be used at all; its messages stay due.
    """
    recovery.recover(at=now(), run=run)
    recovery.give_up_overdue(at=now(), run=run)
    recovery.skip_cancelled(run=run)
    down: ChannelDown | None = None
    for code in channels_with_work(at=now()):
        if only not in {None, code}:
            continue
        try:
            send_due(CHANNELS[code](), code, now=now, run=run, until=until)
        except ChannelDown as error:
            down = error
    if down is not None:
        raise down


def send_due(channel: Channel, code: str, *, now: Clock, run: RunRecorder, until: dt.datetime) -> None:
    """Send what is due of the channel ``code``, a batch at a time; raises ChannelDown."""
    with channel.opened():
        while now() < until:
            channel.ready()
            with claiming.taken(channel=code, at=now(), limit=claiming.BATCH) as claim:
                if not claim.messages:
                    return
                try:
                    _Sender(claim, channel, now, run, until).send()
                except ClaimLost:
                    logger.warning("claim_lost", claim=str(claim.id), left=len(claim.left))


def _contexts(messages: Sequence[Message], *, at: dt.datetime) -> tuple[Mapping[int, Context], list[Message]]:
    """What the messages are written from, and those for which it cannot be read: by halves, so that one that breaks is
    soon alone."""
    if not messages:
        return {}, []
    try:
        return context.load(messages, at=at), []
    except (InterfaceError, OperationalError):
        raise
    except Exception:  # one message's facts must not cost the others theirs
        if len(messages) == 1:
            logger.exception("message_not_read", message_id=messages[0].pk)
            return {}, list(messages)
    middle = len(messages) // 2
    first, broken = _contexts(messages[:middle], at=at)
    second, broken_too = _contexts(messages[middle:], at=at)
    return {**first, **second}, [*broken, *broken_too]


@dataclass(slots=True)
class _Sender:
    """Sends one claim."""

    claim: Claim
    channel: Channel
    now: Clock
    run: RunRecorder
    until: dt.datetime

    def send(self) -> None:
        at = self.now()
        batch = recheck(self.claim, self.channel, at=at)
        self.run.progress(skipped=batch.skipped)
        contexts, unreadable = _contexts([each.message for each in batch.to_send], at=at)
        if unreadable:
            mark(self.claim, unreadable, Status.FAILED, reason=Reason.ERROR)
            self.run.progress(failed=len(unreadable))
            batch.to_send = [each for each in batch.to_send if each.message not in unreadable]
        if self.channel.marks_together:
            self._send_together(batch, contexts)
        else:
            self._send_one_by_one(batch, contexts)

    def _send_one_by_one(self, batch: Batch, contexts: Mapping[int, Context]) -> None:
        """Until the campaign stops, the time is up or the claim gets old; what is left is given back."""
        messages = [each.message for each in batch.to_send]
        with contextlib.closing(writing.one_ahead(messages, contexts)) as texts:
            for each, text in zip(batch.to_send, texts, strict=True):
                if self.now() >= min(self.until, self.claim.at + CLAIM_FOR):
                    return
                if text.rendered is None:
                    self._mark_unwritten(each.message, text)
                    continue
                self.channel.ready()
                if self._hand_over(each, text.rendered, batch.policy) not in GOING:
                    return

    def _send_together(self, batch: Batch, contexts: Mapping[int, Context]) -> None:
        ready = []
        for each in batch.to_send:
            text = writing.written(each.message, contexts)
            if text.rendered is None:
                self._mark_unwritten(each.message, text)
            else:
                ready.append((each.message, text.rendered))
        sent = outcomes.mark_all_sent(self.claim, ready, at=self.now(), policy=batch.policy)
        self.run.progress(done=sent)

    def _mark_unwritten(self, message: Message, text: Written) -> None:
        mark(self.claim, [message], Status.FAILED, reason=text.reason, detail=text.detail)
        self.run.progress(failed=1)

    def _hand_over(self, each: Addressee, rendered: Rendered, policy: ChannelPolicy) -> str:
        """Hand one message over and mark what came of it; returns the campaign's status now.

        Whatever ends this process between the two leaves the message ``in_hand``: its outcome is unclear.
        """
        message = each.message
        self.claim.in_hand = message.pk
        try:
            number = self.channel.deliver(message, rendered, each.recipient)
        except ChannelDown:
            self.claim.in_hand = None
            raise
        except Exception as error:  # noqa: BLE001  (whatever one message breaks must not hold up the others)
            self.run.progress(failed=1)
            self._mark_trouble(message, rendered, error, policy)
            return str(Campaign.objects.values_list("status", flat=True).get(pk=message.campaign_id))
        status = outcomes.mark_sent(
            self.claim, message, rendered, at=self.now(), policy=policy, provider_id=number
        )
        self.run.progress(done=1)
        return status

    def _mark_trouble(
        self, message: Message, rendered: Rendered, error: Exception, policy: ChannelPolicy
    ) -> None:
        words = str(error)
        match error:
            case PassingError():
                outcomes.retry(self.claim, message, detail=words, at=self.now())
            case OutcomeUnknown() if policy.unknown == ChannelPolicy.Unknown.RETRY:
                outcomes.retry(self.claim, message, detail=words, at=self.now())
            case OutcomeUnknown():
                mark(
                    self.claim, [message], Status.UNKNOWN, reason=Reason.LOST, detail=words, written=rendered
                )
            case Refused():
                mark(self.claim, [message], Status.FAILED, reason=Reason.REFUSED, detail=words)
            case _:
                logger.error("message_failed", message_id=message.pk, exc_info=error)
                mark(self.claim, [message], Status.FAILED, reason=Reason.ERROR, detail=repr(error))
