"""What a campaign gives besides words: points, a voucher, a place on a list. Called inside the deciding transaction."""

import datetime as dt
from collections.abc import Sequence

from campaigns.models import Campaign, Message


def give(campaign: Campaign, messages: Sequence[Message], *, at: dt.datetime) -> None:
    """Give what the campaign promises to the members of these new messages, each at most once.

    ``message.points`` are given as they stand; a voucher's code and value go into ``message.facts["voucher"]``.
    """
    raise NotImplementedError
