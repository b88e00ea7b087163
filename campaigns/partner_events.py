"""Events of partners' own: an abandoned cart, a booking. Recorded once each, and announced to who waits for them.

A triggered campaign waits for one as "partner.<name>". Called by the API.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from campaigns import triggers
from campaigns.models import PartnerEvent
from campaigns.trigger_events import PARTNER_EVENT
from loyalty.events.models import Event
from loyalty.partners.models import Partner

RESERVED = frozenset({"name", "partner", "filling", "voucher"})
"""Facts that the house itself writes beside a partner's."""


class EventExists(Exception):
    """Another event is recorded under this external id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEvent:
    """What a partner tells. ``facts`` are plain JSON, without those that are RESERVED."""

    name: str
    member_id: int
    external_id: str
    occurred_at: dt.datetime
    facts: Mapping[str, Any]


def record(new: NewEvent, *, partner: Partner, at: dt.datetime) -> tuple[PartnerEvent, bool]:
    """The recorded event, and whether it is new: then it is announced with it.

    Of two at once the second waits for the first and finds its row. Raises EventExists when what is recorded under the
    external id says something else.
    """
    with transaction.atomic():
        event, is_new = PartnerEvent.objects.get_or_create(
            partner=partner,
            external_id=new.external_id,
            defaults={
                "name": new.name,
                "member_id": new.member_id,
                "occurred_at": new.occurred_at,
                "recorded_at": at,
                "facts": dict(new.facts),
            },
        )
        if not is_new:
            if not _is_same(event, new):
                raise EventExists
            return event, False
        triggers.tell_of_partner(
            name=new.name,
            member_id=new.member_id,
            partner_id=partner.pk,
            facts={**new.facts, "partner": partner.slug},
            at=new.occurred_at,
        )
    return event, True


def _is_same(event: PartnerEvent, new: NewEvent) -> bool:
    known = (event.name, event.member_id, event.occurred_at, event.facts)
    return known == (new.name, new.member_id, new.occurred_at, dict(new.facts))


def copy_of(member: Any) -> list[dict[str, Any]]:
    """Every event that partners told of the member, oldest first, for their own copy of their data."""
    return [
        {
            "partner": event.partner.name,
            "name": event.name,
            "occurred_at": event.occurred_at,
            "facts": event.facts,
        }
        for event in PartnerEvent.objects.filter(member=member).select_related("partner").order_by("pk")
    ]


def forget(member_id: int) -> None:
    """Drop what partners told of a member who is erased, also where it waits to be heard; the names stay."""
    PartnerEvent.objects.filter(member=member_id).update(facts={})
    for told in Event.objects.filter(member_id=member_id, name=PARTNER_EVENT):
        Event.objects.filter(pk=told.pk).update(facts={"name": told.facts.get("name", "")})
