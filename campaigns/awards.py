"""What a campaign gives besides words: points, a voucher, a place on a list. Called inside the deciding transaction.

Everything is keyed by the message, of which there is one for each member and occasion: asked again, nothing more is
given. Points of a page go into the ledger by one post; vouchers are drawn one by one, as every voucher is.
"""

import datetime as dt
import json
from collections.abc import Sequence

from django.db import connection, transaction
from django.utils.translation import gettext as _

from campaigns.models import Campaign, Message
from loyalty.events import bus
from members.models import Segment
from members.segments.membership import Found, move
from rewards import ledger, terms
from rewards.ledger import Grant, Why
from rewards.models import Transfer, Voucher, VoucherFamily
from rewards.vouchers import issuing

SOURCE = "campaigns.message"
_SOURCES = {Campaign.Occasion.BIRTHDAY.value: "campaigns.birthday"}
SOURCES = frozenset({SOURCE, *_SOURCES.values()})
"""Where points and vouchers come from that campaigns gave."""


def give(campaign: Campaign, messages: Sequence[Message], *, at: dt.datetime) -> None:
    """Give what the campaign promises to the members of these new messages, each at most once.

    ``message.points`` are given as they stand; a voucher's code, value and end are kept in
    ``message.facts["voucher"]``. Raises FamilyClosed when no voucher can be had. The members' accounts are locked in
    primary-key order, the list after them.
    """
    with transaction.atomic():
        _give_points(campaign, messages, at=at)
        if campaign.voucher_family_id is not None:
            _give_vouchers(campaign.voucher_family_id, messages, at=at)
        if campaign.add_to_list_id is not None and messages:
            _add_to_list(campaign.add_to_list_id, [each.member_id for each in messages], at=at)


def obstacle(campaign: Campaign, *, needed: int, at: dt.datetime) -> str:
    """Why the campaign cannot give ``needed`` members what it promises; "" when it can. The text may be shown."""
    if campaign.voucher_family_id is None or not needed:
        return ""
    family = VoucherFamily.objects.get(pk=campaign.voucher_family_id)
    try:
        issuing.refuse_closed(family, at=at)
    except issuing.FamilyClosed as closed:
        return str(closed)
    if family.source == VoucherFamily.Source.POOL and (left := issuing.pool_left(family.pk, at=at)) < needed:
        return _(
            "The pool of voucher codes holds %(left)s of the %(needed)s codes needed next: add more."
        ) % {
            "left": left,
            "needed": needed,
        }
    return ""


def occasion_of(message_id: int) -> str:
    """The key of what a message gave, in the ledger and among vouchers."""
    return f"campaigns.message:{message_id}"


def _give_points(campaign: Campaign, messages: Sequence[Message], *, at: dt.datetime) -> None:
    paid = [each for each in messages if each.points]
    if not paid:
        return
    known = terms.current()
    wallet_id = known.default_wallet_id
    source = _SOURCES.get(campaign.occasion, SOURCE)
    books = ledger.lock({each.member_id for each in paid}, {wallet_id})
    occasions = [occasion_of(each.pk) for each in paid]
    done = set(Transfer.objects.filter(occasion__in=occasions).values_list("occasion", flat=True))
    new = [each for each in paid if occasion_of(each.pk) not in done]
    for each in new:
        grant = Grant(
            member_id=each.member_id,
            wallet_id=wallet_id,
            points=each.points,
            occurred_at=at,
            expires_at=known.expires_at(wallet_id, at),
            sliding_policy_id=known.sliding_policy(wallet_id, at),
            why=Why(source=source, source_id=each.pk, occasion=occasion_of(each.pk)),
        )
        ledger.plan_grant(books, grant)
    if new:
        ledger.write(books, at=at)
    bus.announce_many(
        bus.Announcement(
            name="points.earned",
            member_id=each.member_id,
            at=at,
            facts={"points": each.points, "source": source, "occasion": occasion_of(each.pk)},
        )
        for each in new
    )


_KEEP_FACTS = f"""
UPDATE {Message._meta.db_table} AS message SET facts = message.facts || jsonb_build_object('voucher', given.voucher)
  FROM unnest(%s::bigint[], %s::jsonb[]) AS given (id, voucher) WHERE message.id = given.id
"""  # noqa: S608  (table names only)


def _give_vouchers(family_id: int, messages: Sequence[Message], *, at: dt.datetime) -> None:
    """One voucher each, and its code where the texts find it; one statement keeps them all."""
    given = []
    for each in sorted(messages, key=lambda message: message.member_id):
        voucher = issuing.issue(
            family_id=family_id,
            member_id=each.member_id,
            at=at,
            occasion=occasion_of(each.pk),
            source=SOURCE,
            source_id=each.pk,
        )
        each.facts = {**each.facts, "voucher": voucher_facts(voucher)}
        given.append((each.pk, each.facts["voucher"]))
    with connection.cursor() as cursor:
        cursor.execute(
            _KEEP_FACTS, [[pk for pk, _facts in given], [json.dumps(facts) for _pk, facts in given]]
        )


def voucher_facts(voucher: Voucher) -> dict[str, str | None]:
    """What texts may say of a voucher: its code, its value as a plain decimal, and when it ends."""
    return {
        "code": voucher.code,
        "value": None if voucher.value is None else str(voucher.value),
        "expires_at": voucher.expires_at.isoformat() if voucher.expires_at else None,
    }


def _add_to_list(segment_id: int, member_ids: Sequence[int], *, at: dt.datetime) -> None:
    """Put the members on the list; a list that was archived meanwhile takes nobody, and stops nothing."""
    segment = Segment.objects.select_for_update(no_key=True).get(pk=segment_id)
    if segment.kind != Segment.Kind.LIST or not segment.is_active:
        return
    named = sorted(set(member_ids))
    found = Found(
        "SELECT member.id FROM members_member AS member WHERE member.id = ANY(%s::bigint[])", [named]
    )
    move(segment, found, at=at, among=named)
