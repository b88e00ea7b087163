"""Sending: claim a batch, commit, look at every recipient again, hand over, mark one by one.

A claim is one UPDATE under ``SKIP LOCKED``, so a message has one sender however many there are. Messages are handed
over in the order of their ids, and each is marked, and the mark committed, before the next is handed over. So of a
dead sender's claim everything after the first message without a mark certainly did not go out, and is due again; that
first one may have gone out, and is listed for staff or sent again as its channel's policy says. The sender holds a
lock of its database session while it works: who can take that lock knows at once that the sender is gone.
"""

from campaigns.dispatch.claiming import CLAIM_TIMEOUT
from campaigns.dispatch.outcomes import BACK_OFF
from campaigns.dispatch.recovery import OVERDUE
from campaigns.dispatch.rounds import channels_with_work, dispatch, has_work
from campaigns.dispatch.settling import forget, retry_failed, settle_unknown

__all__ = [
    "BACK_OFF",
    "CLAIM_TIMEOUT",
    "OVERDUE",
    "channels_with_work",
    "dispatch",
    "forget",
    "has_work",
    "retry_failed",
    "settle_unknown",
]
