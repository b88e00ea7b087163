"""Who a campaign is for: its conditions over members, counted before it starts and frozen when it does.

Frozen means written down: the ids go into pages by one statement, and a round decides about exactly these members,
however long it takes and whatever they do meanwhile. ``campaigns.rounds`` works the pages off.
"""

import datetime as dt
from collections.abc import Iterable

from django.db import connection, transaction
from django.db.models import QuerySet

from campaigns.models import Campaign, Round, RoundPage
from loyalty import conditions
from members.models import Member
from members.segments.definition import SUBJECT, candidates, codes_in
from members.segments.refresh import WORK_MEMORY, found_by

PAGE = 2_000
PAGE_WITH_VOUCHERS = 250
"""Vouchers are drawn one by one, and others wait while a page is decided."""


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
        _allow_memory()
        return members_of(campaign, at=at).count()


def among(campaign: Campaign, member_ids: Iterable[int], *, at: dt.datetime) -> set[int]:
    """Those of the members who are in the audience; without conditions all of them, without a statement."""
    condition = condition_of(campaign)
    if condition.is_always:
        return set(member_ids)
    found = condition.filter(candidates(condition).filter(pk__in=list(member_ids)), at=at)
    return set(found.order_by().values_list("pk", flat=True))


_FREEZE = f"""
INSERT INTO {RoundPage._meta.db_table} (round_id, number, member_ids)
SELECT %s, page, array_agg(id ORDER BY id)
  FROM (SELECT id, (row_number() OVER (ORDER BY id) - 1) / %s AS page FROM ({{found}}) AS found) AS numbered
 GROUP BY page
RETURNING cardinality(member_ids)
"""  # noqa: S608  (table names only)


def freeze(round_: Round, *, at: dt.datetime) -> int:
    """Write down who is in the audience at ``at`` for a round that begins, in pages by id; returns how many.

    One statement, inside the transaction that creates the round. Raises ConditionError.
    """
    found = found_by(members_of(round_.campaign, at=at))
    size = PAGE if round_.campaign.voucher_family_id is None else PAGE_WITH_VOUCHERS
    _allow_memory()
    with connection.cursor() as cursor:
        cursor.execute(_FREEZE.format(found=found.sql), [round_.pk, size, *found.params])
        return sum(size for (size,) in cursor.fetchall())


_OVER = (Campaign.Status.SENT, Campaign.Status.CANCELLED)


def campaigns_for_segment(code: str) -> list[str]:
    """The names of campaigns not yet over that name a segment: in their conditions, or to add members to."""
    found = []
    alive = Campaign.objects.filter(archived_at__isnull=True).exclude(status__in=_OVER)
    for campaign in alive.select_related("add_to_list"):
        named = campaign.add_to_list is not None and campaign.add_to_list.code == code
        try:
            if named or code in codes_in(condition_of(campaign).node):
                found.append(str(campaign))
        except conditions.ConditionError:
            continue  # it says so itself when it is submitted, and is halted when it runs
    return found


def forget(campaign: Campaign) -> None:
    """Drop the frozen members that no round will decide about any more."""
    RoundPage.objects.filter(round__campaign=campaign).delete()


def _allow_memory() -> None:
    """For one statement over all members and their purchases, inside a transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('work_mem', %s, TRUE)", [WORK_MEMORY])
