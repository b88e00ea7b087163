"""What members wish beyond consents: a preferred channel, how many a week, a pause, no counting; and their browsers."""

import datetime as dt

from campaigns.models import MessagePreference, PushSubscription


def preference_of(member_id: int) -> MessagePreference:
    """The member's wishes; a row that is not stored when there are none."""
    raise NotImplementedError


def set_preference(
    *,
    member_id: int,
    preferred_channel: str,
    per_week: int | None,
    paused_until: dt.date | None,
    no_tracking: bool,
    at: dt.datetime,
) -> bool:
    """Keep the member's wishes; says whether that changed anything."""
    raise NotImplementedError


def add_device(
    *, member_id: int, endpoint: str, p256dh: str, auth: str, device: str, at: dt.datetime
) -> PushSubscription:
    """Let a browser take notifications for this member, and for nobody else who used it before."""
    raise NotImplementedError


def remove_device(*, member_id: int, device_id: int) -> bool:
    """Forget one of the member's browsers; False when it is not theirs."""
    raise NotImplementedError


def forget(member_id: int) -> None:
    """Remove wishes, browsers and the words of feedback of a member who leaves."""
    raise NotImplementedError
