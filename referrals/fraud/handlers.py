"""What the look-out for fraud hears of: fingerprints that come with members and activities, and new referrals."""

from loyalty.events.bus import subscribe
from loyalty.events.models import Event
from members.fingerprints import GIVEN, digest
from referrals.fraud import marks
from referrals.fraud.marks import Kind, Seen
from referrals.models import Referral


@subscribe("member.enrolled", "activity.recorded", key="referrals.fingerprints")
def note_fingerprints(events: list[Event]) -> None:
    """Note the fingerprints told with members and activities, and the browser that a new member came with.

    No statement where none of the events has any.
    """
    marks.note_many(
        Seen(event.member_id, kind, hash_, event.occurred_at)
        for event in events
        if event.member_id is not None
        for kind, hash_ in _told(event)
    )


@subscribe("referral.joined", key="referrals.contacts")
def note_contacts(events: list[Event]) -> None:
    """Note the addresses and numbers of both sides of new referrals, each as of the last of them."""
    if not events:
        return
    told = [event.facts["referral"] for event in events]
    pairs = Referral.objects.filter(public_id__in=told).values_list("referrer_id", "friend_id")
    marks.note_contacts(
        {member for pair in pairs for member in pair}, max(event.occurred_at for event in events)
    )


def _told(event: Event) -> list[tuple[str, str]]:
    """Kind and hash of each mark that an event tells of."""
    given = event.facts.get("fingerprints") or {}
    told = [(kind, str(given[kind])) for kind in GIVEN if given.get(kind)]
    if visitor := event.facts.get("visitor"):
        told.append((Kind.DEVICE.value, digest(Kind.DEVICE, f"visitor {visitor}")))
    return told
