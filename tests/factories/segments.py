"""Segments, made and filled the way they are in the product."""

import datetime as dt
from typing import Any

from members.models import Member, Segment
from members.segments.refresh import refresh
from tests.factories.members import NOON


def segment(
    code: str, conditions: dict[str, Any] | None = None, *, at: dt.datetime = NOON, fill: bool = True
) -> Segment:
    """A segment by conditions, with its members as of ``at``."""
    made = Segment.objects.create(
        code=code, names={"en": code.title()}, conditions=conditions or {}, created_at=at
    )
    if fill:
        assert refresh(segment_id=made.pk, at=at) is not None
        made.refresh_from_db()
    return made


def members_of(made: Segment) -> set[Member]:
    return set(Member.objects.filter(segment_memberships__segment=made))


def compare(field: str, op: str, value: Any) -> dict[str, Any]:
    return {"field": field, "op": op, "value": value}
