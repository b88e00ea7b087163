"""Who a campaign is for: its conditions over members, counted before it starts and frozen when it does.

Frozen means written down: the ids go into pages by one statement, and a round decides about exactly these members,
however long it takes and whatever they do meanwhile. ``campaigns.rounds`` works the pages off.
"""

import datetime as dt
from collections.abc import Iterable

from django.db import connection, transaction
from django.db.models import QuerySet

from campaigns.models import Campaign
from loyalty import conditions
from members.models import Member
from members.segments.definition import SUBJECT, candidates
from members.segments.refresh import WORK_MEMORY


def condition_of(campaign: Campaign) -> conditions.Condition:
    """The campaign's audience as a condition; raises ConditionError where it can no longer be read."""
    return conditions.parse(campaign.audience or {}, SUBJECT, check_choices=False)


def members_of(campaign: Campaign, *, at: dt.datetime) -> QuerySet[Member]:
    """The audience as it is at ``at``. Raises ConditionError."""
    condition = condition_of(campaign)
    return condition.filter(candidates(condition), at=at, many=True)


def count(campaign: Campaign, *, at: dt.datetime) -> int:
    """How many members are in the audience at ``at``. Raises ConditionError."""
    with transaction.atomic():
        allow_memory()
        return members_of(campaign, at=at).count()


def among(campaign: Campaign, member_ids: Iterable[int], *, at: dt.datetime) -> set[int]:
    """Those of the members who are in the audience; for an audience without conditions everybody, without a query."""
    condition = condition_of(campaign)
    if condition.is_always:
        return set(member_ids)
    found = condition.filter(candidates(condition).filter(pk__in=list(member_ids)), at=at)
    return set(found.order_by().values_list("pk", flat=True))


def allow_memory() -> None:
    """For one statement over all members and their purchases, inside a transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('work_mem', %s, TRUE)", [WORK_MEMORY])


def forget(campaign: Campaign) -> None:
    """Drop the frozen members that no round will decide about any more."""
