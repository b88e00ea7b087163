"""Where else a member can go in the portal, by registration: members know nothing of messages or invitations.

An upper floor registers its places while it starts (``AppConfig.ready``); the navigation, the home page and the profile
list what is registered. Read by the templates through ``{% portal_places %}``.
"""

from collections.abc import Callable
from dataclasses import dataclass

from django.urls import reverse
from django_stubs_ext import StrOrPromise

from members.models import Member


@dataclass(frozen=True, kw_only=True)
class Place:
    """A page that a floor adds. ``icon`` is one of ``loyalty.icons``, ``url_name`` an address without arguments.

    ``count`` says how many things wait there for the member, in at most one statement, and ``count_text`` puts it into
    words ("2 new messages"): a badge in the navigation, and a line on the home page when it is not zero.
    """

    key: str
    name: StrOrPromise
    note: StrOrPromise
    icon: str
    url_name: str
    in_navigation: bool = False
    on_home: bool = False
    count: Callable[[Member], int] | None = None
    count_text: Callable[[int], str] | None = None


@dataclass(frozen=True)
class Shown:
    """A place as one member sees it now."""

    place: Place
    count: int

    @property
    def url(self) -> str:
        return reverse(self.place.url_name)

    @property
    def text(self) -> str:
        """What waits there in words; "" when nothing does."""
        return self.place.count_text(self.count) if self.count and self.place.count_text else ""


_places: dict[str, Place] = {}


def add_place(place: Place) -> None:
    """Add a page to the portal; a second one of the same key takes the first one's place."""
    _places[place.key] = place


def places_for(member: Member) -> list[Shown]:
    """Every place in the order of registration, with what waits there: one statement for each that counts."""
    return [Shown(place, place.count(member) if place.count else 0) for place in _places.values()]
