"""What members wish beyond consents: a preferred channel, how many a week, a pause, no counting; and their browsers.

The portal's page and the page behind an unsubscribe link change them here; deciding reads the rows.
"""

import datetime as dt
import hashlib
from dataclasses import asdict, dataclass
from typing import Any

from django.db import transaction

from campaigns.models import Feedback, Message, MessagePreference, PushSubscription, Suppression
from members.models import Member

MOST_DEVICES = 10
"""Browsers kept for one member; the oldest gives way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What a member wishes. ``paused_until`` is the first day, on the member's calendar, with messages again."""

    preferred_channel: str = ""
    per_week: int | None = None
    paused_until: dt.date | None = None
    no_tracking: bool = False


NONE = Wishes()


def wishes_of(member_id: int) -> Wishes:
    """The member's wishes, in one statement."""
    row = MessagePreference.objects.filter(pk=member_id).first()
    return _wishes(row) if row else NONE


def set_wishes(*, member_id: int, wishes: Wishes, at: dt.datetime) -> bool:
    """Keep the member's wishes; says whether that changed anything. None at all leaves no row."""
    with transaction.atomic():
        Member.objects.select_for_update(no_key=True).only("pk").get(pk=member_id)
        if wishes_of(member_id) == wishes:
            return False
        if wishes == NONE:
            MessagePreference.objects.filter(pk=member_id).delete()
        else:
            MessagePreference.objects.update_or_create(
                member_id=member_id, defaults={**asdict(wishes), "changed_at": at}
            )
    return True


def devices_of(member_id: int) -> list[PushSubscription]:
    """The member's browsers that still take notifications, newest first."""
    return list(PushSubscription.objects.filter(member_id=member_id, gone_at__isnull=True))


def add_device(
    *, member_id: int, endpoint: str, p256dh: str, auth: str, device: str, at: dt.datetime
) -> PushSubscription:
    """Let a browser take notifications for this member, and no more for whoever used it before."""
    with transaction.atomic():
        Member.objects.select_for_update(no_key=True).only("pk").get(pk=member_id)
        row, _created = PushSubscription.objects.update_or_create(
            endpoint_hash=endpoint_hash(endpoint),
            defaults={
                "member_id": member_id,
                "endpoint": endpoint,
                "p256dh": p256dh,
                "auth": auth,
                "device": device[:200],
                "created_at": at,
                "gone_at": None,
            },
        )
        mine = PushSubscription.objects.filter(member_id=member_id)
        kept = mine.order_by("-created_at", "-pk").values_list("pk", flat=True)[:MOST_DEVICES]
        mine.exclude(pk__in=list(kept)).delete()
    return row


def remove_device(*, member_id: int, device_id: int) -> bool:
    """Forget one of the member's browsers; False when it is not theirs."""
    gone, _each = PushSubscription.objects.filter(member_id=member_id, pk=device_id).delete()
    return bool(gone)


def endpoint_hash(endpoint: str) -> str:
    """By what a browser is known: two rows never have the same address."""
    return hashlib.sha256(endpoint.encode()).hexdigest()


def copy_of(member: Member) -> dict[str, Any]:
    """The member's wishes and browsers for their own copy of their data; keys of browsers are nobody's business."""
    return {
        **asdict(wishes_of(member.pk)),
        "devices": [{"device": each.device, "created_at": each.created_at} for each in devices_of(member.pk)],
    }


def forget(member_id: int) -> None:
    """Remove wishes and browsers of a member who leaves, what services said of them, and whose address was put down.

    The hash of a suppressed address stays: nobody is to be written to again there, whoever it was.
    """
    MessagePreference.objects.filter(pk=member_id).delete()
    PushSubscription.objects.filter(member_id=member_id).delete()
    written = Message.objects.filter(member_id=member_id).values("pk")
    Feedback.objects.filter(message__in=written).update(detail="", address_hash="")
    Suppression.objects.filter(member_id=member_id).update(member=None, detail="")


def _wishes(row: MessagePreference) -> Wishes:
    return Wishes(
        preferred_channel=row.preferred_channel,
        per_week=row.per_week,
        paused_until=row.paused_until,
        no_tracking=row.no_tracking,
    )
