"""The events a triggered campaign can wait for: how staff read them, and what may be asked of what happened."""

from collections.abc import Mapping
from dataclasses import dataclass

from django_stubs_ext import StrOrPromise


@dataclass(frozen=True)
class TriggerEvent:
    """An event that staff may choose. ``subject`` names the conditions subject of what happened."""

    name: str
    label: StrOrPromise
    subject: str


EVENTS: Mapping[str, TriggerEvent] = {}

PARTNER_PREFIX = "partner."
"""Partners' own events are named "partner.cart_abandoned"; the API announces them as ``partner.event``."""


def find(name: str) -> TriggerEvent | None:
    """The event of this name, a partner's own included; None where there is none."""
    return EVENTS.get(name)


def choices() -> list[tuple[str, StrOrPromise]]:
    """What staff choose from, in the order of the list; partners' own events are typed."""
    return [(event.name, event.label) for event in EVENTS.values()]
