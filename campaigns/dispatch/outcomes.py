"""Marking what came of a hand-over: the row, the announcement and the commit are one statement."""

import datetime as dt
import json
from collections.abc import Sequence
from typing import Any

from django.db import connection
from django.db.models import F
from django.utils.text import Truncator

from campaigns.dispatch.claiming import Claim
from campaigns.models import Campaign, ChannelPolicy, Message
from campaigns.rendering.rendered import Rendered
from loyalty.events.bus import announcing, wake_after_commit
from loyalty.prepared import fetch_prepared

BACK_OFF = tuple(dt.timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 240, 720))
"""How long to wait after each failed try; one more failure, and the message has failed."""

_OPEN = ("sending", "unknown")
"""A claim given up as unknown meanwhile still takes its true outcome."""
_WORDS = 300

_TOLD = announcing(
    "SELECT 'message.sent', member_id, jsonb_build_object('message_id', id, 'campaign_id', campaign_id,"
    " 'occasion', occasion, 'channel', channel), sent_at FROM marked"
)

_MARK_SENT = f"""
WITH marked AS (
    UPDATE {Message._meta.db_table}
       SET status = 'sent', sent_at = %s, reason = %s, detail = '', subject = %s, body = %s, content = %s::jsonb,
           provider_id = %s, cost = %s
     WHERE id = %s AND claim = %s AND status IN ('sending', 'unknown')
 RETURNING id, member_id, campaign_id, occasion, channel, sent_at),
told AS ({_TOLD})
SELECT (SELECT count(*) FROM marked), c.status FROM {Campaign._meta.db_table} c WHERE c.id = %s
"""  # noqa: S608  (names only)

_MARK_ALL_SENT = f"""
WITH marked AS (
    UPDATE {Message._meta.db_table} m
       SET status = 'sent', sent_at = %s, reason = given.reason, detail = '', subject = given.subject,
           body = given.body, content = given.content, cost = %s
      FROM json_to_recordset(%s::json) AS given (id bigint, reason text, subject text, body text, content jsonb)
     WHERE m.id = given.id AND m.claim = %s AND m.status IN ('sending', 'unknown')
 RETURNING m.id, m.member_id, m.campaign_id, m.occasion, m.channel, m.sent_at),
told AS ({_TOLD})
SELECT count(*) FROM marked
"""  # noqa: S608  (names only)


class ClaimLost(Exception):
    """Somebody took the claim for a dead sender's: nothing more of it may be handed over."""


def mark_sent(
    claim: Claim,
    message: Message,
    rendered: Rendered,
    *,
    at: dt.datetime,
    policy: ChannelPolicy,
    provider_id: str,
) -> str:
    """Mark a message sent, with what was written, and announce ``message.sent``; returns the campaign's status now.

    One round trip and one commit. Raises ClaimLost.
    """
    kept = kept_of(message, rendered)
    marked, status = fetch_prepared(
        _MARK_SENT,
        [
            at, kept["reason"], kept["subject"], kept["body"], json.dumps(kept["content"]), provider_id[:200],
            policy.cost, message.pk, claim.id, message.campaign_id,
        ],
    )[0]  # fmt: skip
    wake_after_commit()
    _settled(claim, message)
    if not marked:
        raise ClaimLost
    return str(status)


def mark_all_sent(
    claim: Claim, written: Sequence[tuple[Message, Rendered]], *, at: dt.datetime, policy: ChannelPolicy
) -> int:
    """The same for many that never leave the house; returns how many were marked. Raises ClaimLost."""
    if not written:
        return 0
    rows = [{"id": message.pk, **kept_of(message, rendered)} for message, rendered in written]
    with connection.cursor() as cursor:
        cursor.execute(_MARK_ALL_SENT, [at, policy.cost, json.dumps(rows), claim.id])
        marked = int(cursor.fetchone()[0])
    wake_after_commit()
    claim.left -= {message.pk for message, _rendered in written}
    if marked != len(written):
        raise ClaimLost
    return marked


def kept_of(message: Message, rendered: Rendered) -> dict[str, Any]:
    """What a row keeps of what was written. An e-mail's document is not kept: text, heading and button are."""
    html = rendered.html if message.channel == Message.Channel.INBOX else ""
    content = {
        "preheader": rendered.preheader,
        "heading": rendered.heading,
        "short": rendered.short,
        "html": html,
        "button_label": rendered.button_label,
        "button_link": rendered.button_link,
    }
    return {
        "subject": _plain(rendered.subject)[:_WORDS],
        "body": _plain(rendered.body),
        "content": {name: _plain(text) for name, text in content.items() if text},
        "reason": "" if message.reason == Message.Reason.RETRYING else message.reason,
    }


def mark(
    claim: Claim,
    messages: Sequence[Message],
    status: str,
    *,
    reason: str,
    detail: str = "",
    due_at: dt.datetime | None = None,
    was_tried: bool = True,
    written: Rendered | None = None,
) -> str:
    """Write another outcome than ``sent`` for messages of a claim; due again at ``due_at`` ends their claim, and is no
    try unless it ``was_tried``.

    Returns the status. ``written`` is kept where the outcome is unknown.
    """
    outcome: dict[str, Any] = {"status": status, "reason": reason}
    outcome["detail"] = Truncator(_plain(detail)).chars(_WORDS)
    if due_at is not None:
        outcome |= {"due_at": due_at, "claim": None, "claimed_at": None}
    if not was_tried:
        outcome["attempts"] = F("attempts") - 1
    if written is not None:
        kept = kept_of(messages[0], written)
        outcome |= {name: kept[name] for name in ("subject", "body", "content")}
    ids = [message.pk for message in messages]
    Message.objects.filter(pk__in=ids, claim=claim.id, status__in=_OPEN).update(**outcome)
    _settled(claim, *messages)
    return status


def retry(claim: Claim, message: Message, *, detail: str, at: dt.datetime) -> str:
    """Try again later, or give up after too many tries; returns the new status."""
    if message.attempts > len(BACK_OFF):
        return mark(claim, [message], Message.Status.FAILED, reason=Message.Reason.GAVE_UP, detail=detail)
    due_at = at + BACK_OFF[message.attempts - 1]
    return mark(
        claim, [message], Message.Status.DUE, reason=Message.Reason.RETRYING, detail=detail, due_at=due_at
    )


def _settled(claim: Claim, *messages: Message) -> None:
    claim.left.difference_update(message.pk for message in messages)
    claim.in_hand = None


def _plain(text: str) -> str:
    """What PostgreSQL can keep."""
    return text.replace("\x00", "")
