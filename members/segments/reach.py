"""How large a segment would be and who of it can be written to, counted while it is being built: bounded in time."""

import datetime as dt
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from django.db import OperationalError, connection, transaction
from django.db.models import Count, Exists, Func, IntegerField, OuterRef, Q, QuerySet

from loyalty.conditions import Condition
from members.models import Consent, Member
from members.models.consent import ConsentChannel, Purpose
from members.segments.definition import candidates

PATIENCE = dt.timedelta(seconds=2)
SAMPLE = 8

Counted = TypeVar("Counted")


@dataclass(frozen=True, slots=True)
class Reach:
    """How many, and how many of them by each channel: who agreed to offers there and has the address for it."""

    count: int
    email: int
    sms: int
    inbox: int
    of: int
    sample: Sequence[Member] = ()


@dataclass(frozen=True, slots=True)
class TooLong:
    """Counting took too long; the planner's guess stands for the count."""

    about: int


def look(condition: Condition, *, at: dt.datetime, patience: dt.timedelta = PATIENCE) -> Reach | TooLong:
    """Who would be in a segment of these conditions now. One statement of at most ``patience``."""
    found = condition.filter(candidates(condition), at=at, many=True)
    return bounded(found, _count, patience=patience)


def reach_of(members: QuerySet[Member]) -> Reach | TooLong:
    """The same of members who are in a segment already."""
    return bounded(members, _count)


def bounded(
    found: QuerySet[Member],
    count: Callable[[QuerySet[Member]], Counted],
    *,
    patience: dt.timedelta = PATIENCE,
) -> Counted | TooLong:
    """What ``count`` says of the members, unless that takes longer than ``patience`` allows each statement."""
    try:
        with transaction.atomic():
            _set("statement_timeout", f"{int(patience.total_seconds() * 1000)}ms")
            counted = count(found)
            _set("statement_timeout", "0")
            return counted
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", None) != "57014":  # not cancelled: something else is wrong
            raise
    plan = json.loads(found.order_by().values("pk").explain(format="json"))
    return TooLong(int(plan[0]["Plan"]["Plan Rows"]))


def _set(name: str, value: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config(%s, %s, TRUE)", [name, value])


def _count(found: QuerySet[Member]) -> Reach:
    active = Q(status=Member.Status.ACTIVE)
    counts = found.order_by().aggregate(
        count=Count("pk"),
        email=Count("pk", filter=active & ~Q(email="") & _agreed(ConsentChannel.EMAIL)),
        sms=Count("pk", filter=active & ~Q(phone="") & _agreed(ConsentChannel.SMS)),
        inbox=Count("pk", filter=active & Q(user__isnull=False)),
    )
    shuffled = Func("pk", function="hashint8", output_field=IntegerField())
    sample = list(found.select_related("tier").order_by(shuffled, "pk")[:SAMPLE])
    return Reach(**counts, of=Member.objects.filter(active).count(), sample=sample)


def _agreed(channel: ConsentChannel) -> Q:
    given = Consent.objects.filter(
        member=OuterRef("pk"), purpose=Purpose.MARKETING, channel=channel, granted=True
    )
    return Q(Exists(given))
