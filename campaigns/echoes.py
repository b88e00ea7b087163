"""Events that campaigns brought about themselves: heard by the campaigns that wait for them, they would never end.

Points and vouchers that any campaign gave set off no campaign as they are given. A voucher's later fate sets off every
campaign but the one that gave it, and a message every one but its own. Openings bring about no chain: mail programs
open by themselves, so two campaigns that wait for each other's openings would write for ever.
"""

from collections.abc import Sequence
from uuid import UUID

from campaigns import awards
from campaigns.models import Campaign, Message
from campaigns.trigger_events import CLICKED, OPENED, event_of
from loyalty.events.models import Event
from rewards.models import Voucher

_GIVEN = frozenset({"points.earned", "voucher.issued"})
_OF_VOUCHERS = frozenset({"voucher.redeemed", "voucher.expired"})


def without_echoes(campaign: Campaign, events: Sequence[Event]) -> list[Event]:
    """The events that set the campaign off; one statement at most, and only for events that may be echoes."""
    name = event_of(campaign)
    if not events:
        return []
    if name in _GIVEN:
        return [each for each in events if each.facts.get("source") not in awards.SOURCES]
    if name in _OF_VOUCHERS:
        own = _own_vouchers(campaign, events)
        return [each for each in events if str(each.facts.get("voucher")) not in own]
    if name == CLICKED:
        return [each for each in events if each.facts.get("campaign_id") != campaign.pk]
    if name == OPENED:
        chained = set(Campaign.objects.filter(event=OPENED).values_list("pk", flat=True)) | {campaign.pk}
        return [each for each in events if each.facts.get("campaign_id") not in chained]
    return list(events)


def _own_vouchers(campaign: Campaign, events: Sequence[Event]) -> set[str]:
    """Those of the events' vouchers that the campaign's own messages gave, by their public ids."""
    told = {public_id for each in events if (public_id := _uuid(each.facts.get("voucher"))) is not None}
    messages = Message.objects.filter(campaign=campaign).values("pk")
    own = Voucher.objects.filter(public_id__in=told, source=awards.SOURCE, source_id__in=messages)
    return {str(public_id) for public_id in own.values_list("public_id", flat=True)}


def _uuid(text: object) -> UUID | None:
    try:
        return UUID(str(text))
    except ValueError:
        return None
