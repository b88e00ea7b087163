"""How a message would read for a member, and a marked copy of it for staff. Outside the ledger, never counted."""

import datetime as dt

from campaigns.models import Campaign, ChannelCode, Variant
from campaigns.rendering.rendered import Rendered
from members.models import Member


def preview(
    campaign: Campaign,
    variant: Variant,
    language: str,
    member: Member | None = None,
    *,
    channel: str = ChannelCode.EMAIL,
) -> Rendered:
    """The saved text with a member's facts, or a made-up member's; sample facts for the occasion where there are none.

    Raises NotRendered as ``render`` does.
    """
    raise NotImplementedError


def test_send(
    campaign: Campaign, variant: Variant, language: str, *, to: str, at: dt.datetime, staff_id: int
) -> None:
    """Send one marked mail to ``to``; raises what the e-mail channel raises."""
    raise NotImplementedError
