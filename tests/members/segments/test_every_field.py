"""Every operator of every field of a member says the same in memory and in SQL, on a thousand random members."""

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from campaigns.models import Campaign, Message
from loyalty.conditions import Condition, Field, FieldType, Op, Relation, parse, subject, today_at
from loyalty.conditions.fields import OF_DAYS, measure_ops
from loyalty.conditions.gather import gather
from loyalty.conditions.tree import measured_field
from members.models import (
    Activity,
    ActivityLine,
    Category,
    Consent,
    Member,
    MemberValue,
    Product,
    SalesChannel,
    Segment,
    SegmentMember,
    Store,
    Tier,
)
from referrals.models import Referral
from rewards.facts import birthday_distance, member_facts
from rewards.models import Account, Lot, Refund, Transfer, Voucher, VoucherUse, Wallet
from tests.factories.partners import PartnerFactory
from tests.factories.vouchers import voucher_family

pytestmark = pytest.mark.django_db
COUNT = 1_000
FEW = 15
"""So many are asked of one by one as well, as after an event; all together at once."""
AT = dt.datetime(2028, 2, 29, 22, 30, tzinfo=dt.UTC)  # a leap day, and the next day already in Helsinki
TODAY = today_at(AT)
ZONES = ("Europe/Helsinki", "America/New_York", "Pacific/Kiritimati", "UTC")
MEMBER = subject("member")


def moment(random: Random) -> dt.datetime:
    days = random.choice([-20, -3, 0, 1, 5, 29, 30, 31, 60, 200, 400])
    return AT - dt.timedelta(days=days, hours=random.choice([-1, 0, 0, 5, 13]))


def make_members(random: Random) -> list[Member]:
    tiers = list(Tier.objects.all())
    births = [None, dt.date(2000, 2, 29), dt.date(1990, 3, 1), dt.date(1970, 2, 28), dt.date(2028, 3, 1)]
    return Member.objects.bulk_create(
        Member(
            card_number=f"{number:016}",
            email=random.choice(["", f"m{number}@example.com"]),
            phone=random.choice(["", "+358401234567"]),
            birth_date=random.choice(births) or _any_birth(random),
            language=random.choice(["fi", "sv", "en"]),
            time_zone=random.choice(ZONES),
            status=random.choice(["active", "active", "active", "closed", "erased"]),
            source=random.choice(Member.Source.values),
            acquisition_channel=random.choice(Member.AcquisitionChannel.values),
            joined_at=moment(random),
            tier=random.choice(tiers),
            tier_since=moment(random),
            tier_as_of=AT,
        )
        for number in range(COUNT)
    )


def _any_birth(random: Random) -> dt.date | None:
    return random.choice([None, dt.date(1940, 1, 1) + dt.timedelta(days=random.randrange(30_000))])


def make_what_they_did(random: Random, members: list[Member]) -> None:
    partners = [PartnerFactory.create() for _number in range(2)]
    stores = [Store.objects.create(partner=partners[0], code=code) for code in ("Kamppi", "Turku")]
    channels = [SalesChannel.objects.create(code=code) for code in ("app", "desk")]
    categories = [Category.objects.create(name=name, department="Bakery") for name in ("PASTRY", "BREAD", "")]
    products = [
        Product.objects.create(partner=partners[0], sku=sku, brand=brand)
        for sku, brand in (("bun", "Own"), ("loaf", ""), ("cake", "Own"))
    ]
    activities = Activity.objects.bulk_create(
        Activity(
            member=random.choice(members),
            partner=random.choice(partners),
            external_id=f"r-{number}",
            kind_id=random.choice(["purchase", "purchase", "purchase", "visit"]),
            occurred_at=moment(random),
            recorded_at=AT,
            store=random.choice([*stores, None]),
            channel=random.choice([*channels, None]),
            currency="EUR",
            total=Decimal(random.choice(["0.00", "5.00", "19.99", "20.00", "100.00"])),
            content_digest=b"",
        )
        for number in range(2 * COUNT)
    )
    ActivityLine.objects.bulk_create(
        ActivityLine(
            activity=activity,
            position=position,
            member_id=activity.member_id,
            product=random.choice([*products, None]),
            category=random.choice([*categories, None]),
            quantity=Decimal(random.choice(["1.000", "2.000", "0.500"])),
            total=Decimal(random.choice(["0.00", "2.50", "10.00"])),
        )
        for activity in activities
        for position in range(random.randrange(3))
    )
    Refund.objects.bulk_create(
        Refund(
            activity=activity,
            member_id=activity.member_id,
            partner_id=activity.partner_id,
            external_id=f"f-{activity.pk}",
            amount=activity.total,
            occurred_at=moment(random),
            recorded_at=AT,
            content_digest=b"",
        )
        for activity in random.sample(activities, 200)
    )


def make_what_they_have(random: Random, members: list[Member]) -> None:
    some = random.sample
    Consent.objects.bulk_create(
        Consent(member=each, purpose=purpose, channel=channel, granted=random.random() < 0.7, changed_at=AT)
        for purpose, channel in (("marketing", "email"), ("marketing", "sms"), ("profiling", "any"))
        for each in some(members, 400)
    )
    MemberValue.objects.bulk_create(
        MemberValue(member=each, spend=Decimal(5), top_percent=random.randint(1, 100))
        for each in some(members, 600)
    )
    segments = list(Segment.objects.filter(code__in=["new", "loyal"]))
    SegmentMember.objects.bulk_create(
        SegmentMember(segment=segment, member=each, joined_at=AT)
        for segment in segments
        for each in some(members, 300)
    )
    wallet = Wallet.objects.get(is_default=True)
    issued, _made = Account.objects.get_or_create(wallet=wallet, kind="issued", member=None)
    accounts = Account.objects.bulk_create(
        Account(wallet=wallet, member=each, kind=kind, balance=random.choice([0, 1, 50, 2**40]))
        for each in some(members, 700)
        for kind in ("available", "pending")
    )
    transfers = Transfer.objects.bulk_create(
        Transfer(
            kind="earn",
            member_id=account.member_id,
            from_account=issued,
            to_account=account,
            points=50,
            occurred_at=AT,
            posted_at=AT,
        )
        for account in accounts
    )
    Lot.objects.bulk_create(
        Lot(
            transfer=transfer,
            member_id=transfer.member_id,
            account=transfer.to_account,
            points=50,
            remaining=random.choice([0, 1, 50]),
            earned_at=moment(random),
            expires_at=random.choice([None, moment(random)]),
        )
        for transfer in transfers
    )
    Referral.objects.bulk_create(
        Referral(referrer=random.choice(members[:300]), friend=friend, joined_at=moment(random))
        for friend in some(members[300:], 200)
    )
    campaign = Campaign.objects.first()
    assert campaign is not None
    Message.objects.bulk_create(
        Message(
            member=each,
            campaign=campaign,
            occasion="2028",
            channel=random.choice(["email", "inbox"]),
            language="fi",
            subject="Hei",
            body="Hei",
            status=random.choice(["due", "sent", "skipped"]),
            reason=random.choice(["", "capped"]),
            arm=random.choice(["", "treated", "held_out"]),
            variant=random.choice([None, *campaign.variants.all()]),
            created_at=AT,
            due_at=AT,
            sent_at=random.choice([None, moment(random)]),
            read_at=random.choice([None, moment(random)]),
            opened_at=random.choice([None, moment(random)]),
            clicked_at=random.choice([None, moment(random)]),
        )
        for each in some(members, 400)
    )
    use_vouchers(random)


def use_vouchers(random: Random) -> None:
    """Vouchers given with messages: unused, used, or used and given back."""
    family, partner = voucher_family(), PartnerFactory()
    vouchers = Voucher.objects.bulk_create(
        Voucher(
            family=family,
            code=f"GIVEN{message.pk}",
            state=Voucher.State.ACTIVE,
            member_id=message.member_id,
            source=random.choice(["campaigns.message", "campaigns.message", "staff"]),
            source_id=message.pk,
            value=5,
            remaining=5,
        )
        for message in Message.objects.order_by("pk")[:200]
    )
    VoucherUse.objects.bulk_create(
        VoucherUse(
            voucher=each,
            partner=partner,
            checkout=f"{each.pk}-{number}",
            state=random.choice(["redeemed", "redeemed", "rolled_back"]),
            at=moment(random),
        )
        for each in vouchers[:150]
        for number in range(random.choice([1, 2]))
    )


@pytest.fixture
def people(db: None) -> dict[int, dict[str, Any]]:
    """The facts of a thousand members by primary key."""
    random = Random(5)
    members = make_members(random)
    make_what_they_did(random, members)
    make_what_they_have(random, members)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return gather(Member.objects.all(), MEMBER, at=AT)


def in_memory(condition: Condition, people: dict[int, dict[str, Any]]) -> set[int]:
    return {pk for pk, facts in people.items() if condition.matches(facts, at=AT)}


def agree(data: dict[str, Any], people: dict[int, dict[str, Any]]) -> set[int]:
    """Those who match; the database says the same, asked of each row and of all at once."""
    condition = parse(data, MEMBER)
    held = in_memory(condition, people)
    some = set(list(people)[:FEW])
    for many, among in ((True, set(people)), (False, some)):
        members = Member.objects.all() if many else Member.objects.filter(pk__in=some)
        found = list(condition.filter(members, at=AT, many=many).values_list("pk", flat=True))
        assert len(found) == len(set(found)), data
        assert set(found) == held & among, (data, many)
    return held


class Pools:
    """Values to compare with: those that occur, and some that do not."""

    def __init__(self, people: dict[int, dict[str, Any]]) -> None:
        self.people = people

    def of(self, rows: list[dict[str, Any]], field: Field, random: Random) -> list[Any]:
        if options := field.options():
            return [code for code, _label in options]
        if field.type is FieldType.BOOLEAN:
            return [True, False]
        seen = {row.get(field.name) for row in rows} - {None, ""}
        values = sorted(seen)
        picked = random.sample(values, min(4, len(values)))
        return sorted(picked) or [1 if field.type is FieldType.INTEGER else "x"]

    def comparison(self, field: Field, op: Op, rows: list[dict[str, Any]], random: Random) -> dict[str, Any]:
        if op is Op.IS_SET:
            return {"op": op.value}
        if op in OF_DAYS:
            return {"op": op.value, "value": random.choice([1, 5, 30, 60, 400])}
        pool = self.of(rows, field, random)
        if op is Op.IN:
            return {"op": op.value, "value": [plain(each) for each in pool[:2]]}
        if op is Op.BETWEEN:
            low, high = sorted(random.choices(pool, k=2))
            return {"op": op.value, "value": [plain(low), plain(high)]}
        return {"op": op.value, "value": plain(random.choice(pool))}


def plain(value: Any) -> Any:
    if isinstance(value, dt.date):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value


def every_comparison(pools: Pools, random: Random) -> Iterator[dict[str, Any]]:
    everybody = list(pools.people.values())
    for field in MEMBER.fields():
        for op in field.ops:
            for _time in range(2):
                yield {"field": field.name, **pools.comparison(field, op, everybody, random)}
    for relation in MEMBER.relations():
        rows = [row for facts in everybody for row in facts[relation.name]]
        assert rows, relation.name
        for field in relation.subject.fields():
            for op in field.ops:
                where = {"field": field.name, **pools.comparison(field, op, rows, random)}
                yield {relation.name: {"where": where}}
        yield from every_measure(relation, pools, rows, random)


def every_measure(
    relation: Relation, pools: Pools, rows: list[dict[str, Any]], random: Random
) -> Iterator[dict[str, Any]]:
    fields = relation.subject.fields()
    for measure in relation.measures:
        about = measured_field(relation, measure)
        inner = [{about.name: row.get(measure.of)} for row in rows] if measure.of else []
        if about.type is FieldType.INTEGER:
            inner = [{about.name: number} for number in (0, 1, 2, 3)]
        for op in measure_ops(about.type):
            field = random.choice(fields)
            where = {"field": field.name, **pools.comparison(field, random.choice(field.ops), rows, random)}
            test = pools.comparison(about, op, inner, random)
            yield {relation.name: {"where": random.choice([{}, where]), "measure": measure.name, **test}}


@pytest.mark.slow
def test_every_operator_of_every_field_says_the_same_in_memory_and_in_sql(
    people: dict[int, dict[str, Any]],
) -> None:
    assert len(people) == COUNT
    random, pools = Random(8), Pools(people)
    comparisons = list(every_comparison(pools, random))
    told_apart = 0
    for data in comparisons:
        held = agree(data, people)
        told_apart += 0 < len(held) < COUNT
        negated = parse({"not": data}, MEMBER)
        assert in_memory(negated, people) == people.keys() - held
    assert told_apart > len(comparisons) * 0.75, "the values tell nobody apart"

    @settings(suppress_health_check=[HealthCheck.too_slow], max_examples=15)
    @given(st.lists(st.sampled_from(comparisons), min_size=2, max_size=4), st.integers(0, 7))
    def trees_agree(parts: list[dict[str, Any]], shape: int) -> None:
        inner: dict[str, Any] = {"all" if shape & 1 else "any": parts[1:]}
        other = {"not": inner} if shape & 2 else inner
        agree({"any" if shape & 4 else "all": [{"not": parts[0]}, other]}, people)

    trees_agree()
    check_calendar(people)


def check_calendar(people: dict[int, dict[str, Any]]) -> None:
    """What the database counts from birthdays is what the calendar says, on each member's own day."""
    for member in Member.objects.filter(birth_date__isnull=False):
        facts = people[member.pk]
        row = {
            name: getattr(member, name)
            for name in ("birth_date", "language", "joined_at", "acquisition_channel", "time_zone")
        }
        expected = member_facts(row, AT)
        assert (facts["age"], facts["birthday_distance"]) == (expected["age"], expected["birthday_distance"])
        assert member.birth_date is not None
        own_day = next(
            AT.date() + dt.timedelta(days=days)
            for days in (0, 1, -1)
            if birthday_distance(member.birth_date, AT.date() + dt.timedelta(days=days))
            == facts["birthday_distance"]
        )
        assert facts["months_to_birthday"] in {
            (member.birth_date.month - (own_day.month + shift)) % 12 for shift in (-1, 0, 1)
        }
        assert 0 <= facts["days_to_birthday"] <= 366
        assert facts["birthday_distance"] <= facts["days_to_birthday"]
