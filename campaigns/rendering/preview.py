"""How a message would read for a member, and a marked copy of it for staff. Outside the ledger, never counted."""

import datetime as dt
import uuid
from dataclasses import replace
from typing import Any

import structlog
from django.utils.translation import gettext as _

from campaigns.channels.base import Recipient
from campaigns.channels.email import EmailChannel
from campaigns.models import Campaign, ChannelCode, Message, Variant
from campaigns.rendering import facts, inserts, texts
from campaigns.rendering.context import Context, member_insert, members_for
from campaigns.rendering.facts import Asked
from campaigns.rendering.render import render
from campaigns.rendering.rendered import NotRendered, Rendered
from loyalty import clock, programme
from members.models import Member

logger = structlog.get_logger("kantis.campaigns")

_OF_THE_OCCASION = frozenset({"event", "activity", "voucher", "points"})
"""What no member has before the occasion: it is made up in every preview."""


def preview(
    campaign: Campaign,
    variant: Variant,
    language: str,
    member: Member | None = None,
    *,
    channel: str = ChannelCode.EMAIL,
    at: dt.datetime | None = None,
) -> Rendered:
    """The saved text with a member's facts, or a made-up member's; sample facts for the occasion where there are none.

    Links lead straight where they lead, and the one for stopping messages to the page of wishes. ``at``: the moment
    that balances are told for, default now. Raises NotRendered as ``render`` does.
    """
    text = texts.choose(variant.texts.all(), language)
    if text is None:
        raise NotRendered(_("There is no text for this campaign and variant."))
    text.variant = variant
    moment = at or clock.now()
    message = inserts.unsent(campaign, variant, text.language, channel, member)
    is_service = campaign.purpose == Campaign.Purpose.SERVICE
    stop = "" if is_service or channel == ChannelCode.INBOX else texts.page("preferences")
    values = inserts.sample(
        campaign, text.language, today=clock.local_date(moment, programme.current().time_zone)
    )
    values["links"] = {**texts.pages(), "unsubscribe": stop}
    if member is not None:
        values |= _of_member(message, member, texts.ready(text).roots, at=moment)
    return render(message, Context(text=text, inserts=values, unsubscribe_url=stop), for_channel=channel)


def test_send(
    campaign: Campaign,
    variant: Variant,
    language: str,
    *,
    to: str,
    at: dt.datetime,
    staff_id: int,
    member: Member | None = None,  # noqa: PT028  (it sends a test, it is none)
) -> None:
    """Send one marked mail to ``to``, with a made-up member's facts or ``member``'s.

    Raises NotRendered, and what the e-mail channel raises: ChannelDown, Refused, PassingError, OutcomeUnknown.
    """
    rendered = preview(campaign, variant, language, member, at=at)
    marked = replace(
        rendered, subject=_("[Test] %(subject)s") % {"subject": rendered.subject}, unsubscribe_url=""
    )
    message = inserts.unsent(campaign, variant, rendered.language, ChannelCode.EMAIL, member)
    message.pk = -int(at.timestamp() * 1_000_000)  # no row has it, and no other test mail
    channel = EmailChannel()
    with channel.opened():
        channel.ready()
        channel.deliver(message, marked, Recipient(member_id=0, public_id=uuid.uuid4(), email=to))
    logger.info("campaign_test_sent", campaign=campaign.code, variant=variant.code, staff_id=staff_id)


def _of_member(message: Message, member: Member, roots: frozenset[str], *, at: dt.datetime) -> dict[str, Any]:
    """What is known of the member now, of what the text asks for."""
    row = members_for([member.pk]).get(member.pk)
    if row is None:
        raise NotRendered(_("This member has left."))
    asked = Asked(message=message, member=row, language=message.language)
    wanted = roots - _OF_THE_OCCASION
    if message.campaign.occasion == Campaign.Occasion.AFFORDABLE:
        wanted -= {"reward"}
    found = facts.load([asked], wanted, at=at).get(message.pk, {})
    return {"member": member_insert(row), **found}
