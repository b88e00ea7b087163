"""Whether a member can get a reward at a moment, and if not, what is in the way. Pure: no database, no clock.

The portal, the API, the admin's preview and the redemption (under its locks) all ask :func:`judge`; what it has to know
of the member comes as an :class:`Asker`, which ``rewards.catalogue.asking`` gathers.
"""

import datetime as dt
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import Any

from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from loyalty import conditions
from members.segments.definition import codes_in
from rewards.models import Draw, Reward, RuleRevision
from rewards.rule_wording import number
from rewards.usage import span_of

RELATED = ("minimum_tier", "early_tier", "voucher_family", "cause", "draw")
"""What a reward has to be loaded with (``select_related``) before it is judged."""


class ObstacleKind(StrEnum):
    """What stands between a member and a reward, in the order in which members are told."""

    WITHDRAWN = "withdrawn"
    ENDED = "ended"
    AUDIENCE = "audience"
    NOT_YET = "not_yet"
    TIER = "tier"
    SOLD_OUT = "sold_out"
    LIMIT_IN_ALL = "limit_in_all"
    MEMBER_LIMIT = "member_limit"
    POINTS = "points"


@dataclass(frozen=True, slots=True)
class Obstacle:
    """One thing that is in the way, said to the member in the active language.

    ``points_missing`` is more than 0 for ``POINTS`` only; ``until`` is when the obstacle goes away by itself, if it
    does.
    """

    kind: ObstacleKind
    text: str
    points_missing: int = 0
    until: dt.datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """A member asking for one reward: all that the decision needs.

    ``facts`` are those of the subject "audience" (``loyalty.conditions``), ``today`` the date by the member's own
    calendar. ``points`` can be spent now, debt taken off. ``taken`` and ``taken_in_all`` count the redemptions that
    hold in the period of the reward's limit; ``pieces_left`` None: it never runs out. ``time_zone`` is the programme's.
    """

    tier_rank: int
    points: int
    facts: Mapping[str, Any] = field(default_factory=dict)
    today: dt.date | None = None
    taken: int = 0
    taken_in_all: int = 0
    pieces_left: int | None = None
    time_zone: str = "Europe/Helsinki"


def judge(*, reward: Reward, asker: Asker, at: dt.datetime) -> tuple[Obstacle, ...]:
    """Everything that keeps the member from the reward at ``at``, in the order of ``ObstacleKind``; empty: go ahead."""
    return tuple(_obstacles(reward, asker, at))


def opens_for(reward: Reward, tier_rank: int) -> dt.datetime | None:
    """When the reward opens for members of a tier; None: it always was open."""
    if reward.early_tier is not None and tier_rank >= reward.early_tier.rank:
        return reward.early_opens_at
    return reward.opens_at


def _obstacles(reward: Reward, asker: Asker, at: dt.datetime) -> Iterator[Obstacle]:
    if not reward.is_active:
        yield Obstacle(ObstacleKind.WITHDRAWN, _("This reward is not in the catalogue now."))
    if (reward.closes_at is not None and at >= reward.closes_at) or _has_nothing_to_give(reward, at):
        yield Obstacle(ObstacleKind.ENDED, _("This reward has ended."))
    if not _is_for(reward, asker, at):
        yield Obstacle(ObstacleKind.AUDIENCE, _("This reward is not for you."))
    yield from _not_yet(reward, asker, at)
    if reward.minimum_tier is not None and asker.tier_rank < reward.minimum_tier.rank:
        yield Obstacle(ObstacleKind.TIER, _("From tier %(tier)s on.") % {"tier": reward.minimum_tier.name})
    if asker.pieces_left is not None and asker.pieces_left < 1:
        yield Obstacle(ObstacleKind.SOLD_OUT, _("There is none left."))
    yield from _limits(reward, asker, at)
    if (missing := reward.points - asker.points) > 0:
        text = ngettext("%(points)s point missing.", "%(points)s points missing.", missing)
        yield Obstacle(ObstacleKind.POINTS, text % {"points": number(missing)}, points_missing=missing)


def _not_yet(reward: Reward, asker: Asker, at: dt.datetime) -> Iterator[Obstacle]:
    opens = opens_for(reward, asker.tier_rank)
    if opens is not None and at < opens:
        yield Obstacle(ObstacleKind.NOT_YET, _("Opens %(moment)s.") % {"moment": _moment(opens)}, until=opens)


def _limits(reward: Reward, asker: Asker, at: dt.datetime) -> Iterator[Obstacle]:
    if reward.limit_in_all is not None and asker.taken_in_all >= reward.limit_in_all:
        until = _ends(reward.limit_in_all_period, asker, at)
        text = _("All of them are taken for now. More %(moment)s.") if until else _("All of them are taken.")
        yield Obstacle(ObstacleKind.LIMIT_IN_ALL, text % _when(until), until=until)
    if reward.limit_per_member is not None and asker.taken >= reward.limit_per_member:
        until = _ends(reward.limit_per_member_period, asker, at)
        text = (
            _("You have taken as many as you can for now. Again %(moment)s.")
            if until
            else _("You have taken as many as you can.")
        )
        yield Obstacle(ObstacleKind.MEMBER_LIMIT, text % _when(until), until=until)


def _ends(period: str, asker: Asker, at: dt.datetime) -> dt.datetime | None:
    """The end of the limit's period; None: it never ends."""
    return None if period == RuleRevision.Period.EVER else span_of(period, at, asker.time_zone)[1]


def _has_nothing_to_give(reward: Reward, at: dt.datetime) -> bool:
    """Whether what the reward turns into (voucher, draw, cause) can no longer be had."""
    family, draw, cause = reward.voucher_family, reward.draw, reward.cause
    if reward.fulfilment == Reward.Fulfilment.VOUCHER and family is not None:
        return not family.is_active or (family.valid_to is not None and at >= family.valid_to)
    if reward.kind == Reward.Kind.DRAW_ENTRY and draw is not None:
        return draw.state != Draw.State.OPEN or at >= draw.closes_at
    if reward.kind == Reward.Kind.DONATION and cause is not None:
        return not cause.is_active or (cause.closes_at is not None and at >= cause.closes_at)
    return False


def asks_for_segments(reward: Reward) -> bool:
    """Whether its audience is told by segments."""
    if not reward.conditions:
        return False
    return "segments" in _condition(json.dumps(reward.conditions, sort_keys=True)).fact_names


def segments_of(reward: Reward) -> frozenset[str]:
    """The codes of the segments that its audience names."""
    if not reward.conditions:
        return frozenset()
    return frozenset(codes_in(_condition(json.dumps(reward.conditions, sort_keys=True)).node))


def _is_for(reward: Reward, asker: Asker, at: dt.datetime) -> bool:
    if not reward.conditions:
        return True
    condition = _condition(json.dumps(reward.conditions, sort_keys=True))
    return condition.matches(asker.facts, at=at, today=asker.today)


@lru_cache(maxsize=512)
def _condition(text: str) -> conditions.Condition:
    """The condition written so; a choice withdrawn since does not break it."""
    return conditions.parse(json.loads(text), "audience", check_choices=False)


def _moment(moment: dt.datetime) -> str:
    return date_format(localtime(moment), "SHORT_DATETIME_FORMAT")


def _when(until: dt.datetime | None) -> dict[str, str]:
    return {"moment": _moment(until) if until else ""}
