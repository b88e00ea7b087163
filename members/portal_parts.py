"""Where else a member can go in the portal, by registration: members know nothing of messages or invitations.

An upper floor registers its places while it starts (``AppConfig.ready``); the navigation, the home page and the profile
list what is registered. Read by the templates through ``{% portal_places %}``. It may also add panels to pages of the
members' own, so that a member finds one thing in one place.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.template.loader import render_to_string
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


@dataclass(frozen=True, kw_only=True)
class Panel:
    """A part that a floor adds to a page. ``page`` is the page's url name; the template is handed the context alone.

    Its forms are handled by the floor's own views, which lead back to the page.
    """

    key: str
    page: str
    template: str
    context: Callable[[HttpRequest, Member], Mapping[str, Any]]


_panels: dict[str, Panel] = {}


def add_panel(panel: Panel) -> None:
    """Add a part to a page; a second one of the same key takes the first one's place."""
    _panels[panel.key] = panel


def panels_for(page: str, request: HttpRequest, member: Member) -> list[str]:
    """The page's panels, drawn for the member, in the order of registration."""
    return [
        render_to_string(panel.template, dict(panel.context(request, member)), request=request)
        for panel in _panels.values()
        if panel.page == page
    ]
