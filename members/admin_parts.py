"""What upper floors put on the admin's pages of members and activities, by registration.

Members know nothing of points or messages.

``members.admin`` asks for the parts; an upper floor's ``admin.py`` registers its own while the admin is loaded.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django_stubs_ext import StrOrPromise

from members.models import Activity, Member


@dataclass(frozen=True, kw_only=True)
class Tile:
    """One figure at the head of a member's page. ``fraction`` (0 to 1) draws a bar of progress."""

    label: StrOrPromise
    value: StrOrPromise
    hint: StrOrPromise = ""
    fraction: float | None = None
    tone: str = ""
    link: str = ""


@dataclass(frozen=True, kw_only=True)
class Link:
    """A tab or a button on a member's page, for staff who hold ``permission``; buttons for members of ``statuses``."""

    key: str
    label: StrOrPromise
    url: Callable[[Member], str]
    permission: str
    icon: str = ""
    statuses: Collection[str] = (Member.Status.ACTIVE,)


@dataclass(frozen=True, kw_only=True)
class Column:
    """One more column in the list of members: annotated in the list's own statement, never fetched row by row."""

    key: str
    label: StrOrPromise
    annotate: Callable[[QuerySet[Member]], QuerySet[Member]]
    value: Callable[[Any], Any]
    order_by: str = ""


@dataclass(frozen=True, kw_only=True)
class Panel:
    """A section below an activity, for staff who hold ``permission``: a template and what it is told."""

    key: str
    permission: str
    template: str
    context: Callable[[Activity, HttpRequest], Mapping[str, Any]]


@dataclass
class _Parts:
    tiles: dict[str, tuple[str, Callable[[Member, datetime], list[Tile]]]] = field(default_factory=dict)
    tabs: dict[str, Link] = field(default_factory=dict)
    actions: dict[str, Link] = field(default_factory=dict)
    columns: dict[str, Column] = field(default_factory=dict)
    panels: dict[str, Panel] = field(default_factory=dict)


_parts = _Parts()


def add_tiles(key: str, *, permission: str, tiles: Callable[[Member, datetime], list[Tile]]) -> None:
    """Put figures at the head of the page."""
    _parts.tiles[key] = (permission, tiles)


def add_tab(link: Link) -> None:
    """Put a tab beside overview, profile and the rest."""
    _parts.tabs[link.key] = link


def add_action(link: Link) -> None:
    """Put a button at the head of the page."""
    _parts.actions[link.key] = link


def add_column(column: Column) -> None:
    """Put a column into the list of members."""
    _parts.columns[column.key] = column


def add_activity_panel(panel: Panel) -> None:
    """Put a section below an activity."""
    _parts.panels[panel.key] = panel


def activity_panels(activity: Activity, request: HttpRequest) -> list[SafeString]:
    """The sections that this staff member may see, ready to be shown."""
    return [
        render_to_string(panel.template, dict(panel.context(activity, request)), request)
        for panel in _parts.panels.values()
        if request.user.has_perm(panel.permission)
    ]


def tiles_of(member: Member, *, request: HttpRequest, at: datetime) -> list[Tile]:
    """The figures that this staff member may see."""
    return [
        tile
        for permission, tiles in _parts.tiles.values()
        if request.user.has_perm(permission)
        for tile in tiles(member, at)
    ]


def tabs_for(request: HttpRequest) -> list[Link]:
    return [link for link in _parts.tabs.values() if request.user.has_perm(link.permission)]


def actions_for(request: HttpRequest, member: Member) -> list[Link]:
    return [
        link
        for link in _parts.actions.values()
        if member.status in link.statuses and request.user.has_perm(link.permission)
    ]


def columns() -> Mapping[str, Column]:
    return _parts.columns
