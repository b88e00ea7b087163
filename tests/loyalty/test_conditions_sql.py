"""The database and memory give the same verdict on every condition.

The tables below exist for these tests only: they have a nullable column of every type of field, a nullable foreign
key, and rows that belong to a person.
"""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from django.contrib.postgres.fields import ArrayField
from django.db import connection, models
from django.db.models import F, Value
from django.db.models.functions import Coalesce
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loyalty.conditions import Condition, Field, FieldType, How, Measure, Op, Relation, Rows, Subject, parse
from loyalty.conditions.fields import OF_DAYS, measure_ops
from loyalty.conditions.gather import gather
from loyalty.conditions.tree import measured_field

AT = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)  # the night Finland's clocks go forward
TODAY = date(2026, 3, 29)


class Club(models.Model):
    code = models.CharField(max_length=40, blank=True)
    founded = models.DateField(null=True)

    class Meta:
        app_label = "conditions_tests"


class Person(models.Model):
    name = models.CharField(max_length=40, null=True)
    tier = models.CharField(max_length=40, null=True)
    points = models.SmallIntegerField(null=True)
    spend = models.DecimalField(max_digits=8, decimal_places=2, null=True)
    vip = models.BooleanField(null=True)
    born = models.DateField(null=True)
    seen_at = models.DateTimeField(null=True)
    tags = ArrayField(models.CharField(max_length=40), null=True)
    club = models.ForeignKey(Club, null=True, on_delete=models.CASCADE)

    class Meta:
        app_label = "conditions_tests"


class Purchase(models.Model):
    person = models.ForeignKey(Person, on_delete=models.CASCADE)
    category = models.CharField(max_length=40, null=True)
    quantity = models.IntegerField(null=True)
    total = models.DecimalField(max_digits=8, decimal_places=2, null=True)
    made_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "conditions_tests"


class Label(models.Model):
    person = models.ForeignKey(Person, on_delete=models.CASCADE)
    text = models.CharField(max_length=40)

    class Meta:
        app_label = "conditions_tests"


TABLES = (Club, Person, Purchase, Label)
TEXTS = ["Äiti", "äiti", "ÄITI OY", "a%b_c", "Kahvila Åbo", "x", " x", "straße", "İstanbul", "'\\"]
TIERS = ["bronze", "silver", "gold"]
NUMBERS = [-40_000, -2, 0, 1, 2, 7, 32_767, 2**40]
AMOUNTS = [
    Decimal(text) for text in ("-0.01", "0", "0.001", "1.10", "19.99", "20", "999999.99", "12345678901.5")
]
DAYS = [TODAY - timedelta(days=days) for days in (-1, 0, 1, 30, 31, 400, 20_000)]
MOMENTS = [
    AT - delta
    for delta in (
        timedelta(seconds=-1),
        timedelta(0),
        timedelta(days=1),
        timedelta(days=1, microseconds=1),
        timedelta(days=30),
        timedelta(days=400),
    )
]
VALUES: dict[FieldType, list[Any]] = {
    FieldType.TEXT: TEXTS,
    FieldType.CHOICE: TIERS,
    FieldType.TEXT_LIST: TEXTS,
    FieldType.INTEGER: NUMBERS,
    FieldType.DECIMAL: [str(amount) for amount in AMOUNTS],
    FieldType.BOOLEAN: [True, False],
    FieldType.DATE: [day.isoformat() for day in DAYS],
    FieldType.DATETIME: [moment.isoformat() for moment in MOMENTS],
}

purchase = Subject("purchase")
purchase.register(
    Field("category", FieldType.TEXT, "category", orm="category"),
    Field("quantity", FieldType.INTEGER, "quantity", orm="quantity"),
    Field("total", FieldType.DECIMAL, "total", orm=lambda prefix, at: F(prefix + "total")),
    Field("made_at", FieldType.DATETIME, "time", orm="made_at"),
    Field("day", FieldType.DATE, "day", orm="made_at", of_moment=True),
    Field("number", FieldType.INTEGER, "number", orm="pk", hidden=True),
)
club = Subject("club")
club.register(
    Field("code", FieldType.TEXT, "code", orm="code"),
    Field("founded", FieldType.DATE, "founding", orm=lambda prefix, at: F(prefix + "founded")),
)
person = Subject("person")
person.register(
    Field("name", FieldType.TEXT, "name", orm="name"),
    Field("tier", FieldType.CHOICE, "tier", choices=[(tier, tier.title()) for tier in TIERS], orm="tier"),
    Field("points", FieldType.INTEGER, "points", orm="points"),
    Field("spend", FieldType.DECIMAL, "spend", orm="spend"),
    Field("vip", FieldType.BOOLEAN, "VIP", orm="vip"),
    Field("born", FieldType.DATE, "birthday", orm="born"),
    Field("seen_at", FieldType.DATETIME, "last visit", orm="seen_at"),
    Field("tags", FieldType.TEXT_LIST, "tags", orm="tags"),
    Field("labels", FieldType.TEXT_LIST, "labels", rows=Rows(Label.objects.all, "person", value="text")),
    Field("doubled", FieldType.INTEGER, "doubled points", orm=lambda prefix, at: F(prefix + "points") * 2),
    Field(
        "nickname",
        FieldType.TEXT,
        "nickname",
        orm=lambda prefix, at: Coalesce(F(prefix + "name"), Value("x")),
    ),
)
person.include("club", club, label="Club")
person.relate(
    Relation(
        "purchases",
        purchase,
        "purchases",
        some="there is a purchase",
        none="there is no purchase",
        measures=(
            Measure("count", "number of purchases"),
            Measure("quantity", "quantity bought", of="quantity"),
            Measure("total", "total bought", of="total"),
            Measure("categories", "number of categories", of="category", how=How.DISTINCT),
            Measure("numbers", "number of numbers", of="number", how=How.DISTINCT),
            Measure("largest", "largest purchase", of="total", how=How.GREATEST),
            Measure("least", "smallest quantity", of="quantity", how=How.LEAST),
            Measure("first", "first purchase", of="made_at", how=How.LEAST),
            Measure("last", "last purchase", of="made_at", how=How.GREATEST),
        ),
        rows=Rows(Purchase.objects.all, "person"),
    )
)


def comparisons(field: Field) -> st.SearchStrategy[dict[str, Any]]:
    return st.sampled_from(field.ops).flatmap(lambda op: comparison(field, op, {"field": field.name}))


def comparison(field: Field, op: Op, about: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    if op is Op.IS_SET:
        return st.just({**about, "op": op.value})
    pool = VALUES[field.type]
    if op in OF_DAYS:
        value: st.SearchStrategy[Any] = st.sampled_from([1, 30, 400, 36_500])
    elif op is Op.BETWEEN:
        typed = AMOUNTS if field.type is FieldType.DECIMAL else pool
        pairs = st.tuples(*[st.sampled_from(range(len(pool)))] * 2)
        value = pairs.map(lambda pair: [pool[index] for index in sorted(pair, key=lambda i: typed[i])])
    elif op is Op.IN:
        value = st.lists(st.sampled_from(pool), min_size=1, max_size=3)
    elif op is Op.CONTAINS and field.type is FieldType.TEXT:
        value = st.sampled_from([*pool, "I", "Ä", "%", "_", "ss", "\\", "oy"])
    else:
        value = st.sampled_from(pool)
    return value.map(lambda value: {**about, "op": op.value, "value": value})


def trees(subject: Subject) -> st.SearchStrategy[dict[str, Any]]:
    leaves = [comparisons(field) for field in subject.fields()]
    leaves += [rows(relation) for relation in subject.relations()]
    return st.recursive(
        st.one_of(leaves),
        lambda children: st.one_of(
            st.lists(children, min_size=1, max_size=3).map(lambda parts: {"all": parts}),
            st.lists(children, min_size=1, max_size=3).map(lambda parts: {"any": parts}),
            children.map(lambda child: {"not": child}),
        ),
        max_leaves=5,
    )


def rows(relation: Relation) -> st.SearchStrategy[dict[str, Any]]:
    wheres = st.one_of(st.just({}), trees_of_depth_two(relation.subject))
    some = wheres.map(lambda where: {relation.name: {"where": where}})
    measured = [
        st.tuples(wheres, comparison(measured_field(relation, measure), op, {"measure": measure.name})).map(
            lambda pair: {relation.name: {"where": pair[0], **pair[1]}}
        )
        for measure in relation.measures
        for op in measure_ops(measured_field(relation, measure).type)
    ]
    return st.one_of(some, *measured)


def trees_of_depth_two(subject: Subject) -> st.SearchStrategy[dict[str, Any]]:
    leaf = st.one_of([comparisons(field) for field in subject.fields()])
    return st.one_of(
        leaf,
        leaf.map(lambda child: {"not": child}),
        st.lists(leaf, min_size=1, max_size=2).map(lambda parts: {"any": parts}),
    )


def make_people(random: Random, count: int) -> None:
    """People with every value of every pool, a good part of it missing; the last one has nothing at all."""

    def maybe(pool: list[Any]) -> Any:
        return random.choice([*pool, None, None])

    clubs = Club.objects.bulk_create(
        [Club(code=code, founded=maybe(DAYS)) for code in ("x", "Äiti", "", "a%b_c")]
    )
    people = Person.objects.bulk_create(
        [
            Person(
                name=maybe([*TEXTS, ""]),
                tier=maybe([*TIERS, ""]),
                points=maybe([number for number in NUMBERS if abs(number) < 2**15]),
                spend=maybe([amount for amount in AMOUNTS if amount < 10**6]),
                vip=maybe([True, False]),
                born=maybe(DAYS),
                seen_at=maybe(MOMENTS),
                tags=maybe([[], TEXTS[:2], TEXTS[1:5], TEXTS]),
                club=maybe(clubs),
            )
            for _number in range(count)
        ]
    )
    people.append(Person.objects.create())
    for owner in people[:-1]:
        Purchase.objects.bulk_create(
            Purchase(
                person=owner,
                category=maybe([*TEXTS[:4], ""]),
                quantity=maybe([0, 1, 2, 7]),
                total=maybe([amount for amount in AMOUNTS if amount < 10**6]),
                made_at=maybe(MOMENTS),
            )
            for _number in range(random.randrange(4))
        )
        Label.objects.bulk_create(
            Label(person=owner, text=text) for text in random.sample(TEXTS, random.randrange(3))
        )


def facts_of(owner: Person) -> dict[str, Any]:
    own = {
        name: getattr(owner, name)
        for name in ("name", "tier", "points", "spend", "vip", "born", "seen_at", "tags")
    }
    return {
        **own,
        "labels": [label.text for label in owner.label_set.all()],
        "doubled": None if owner.points is None else owner.points * 2,
        "nickname": "x" if owner.name is None else owner.name,
        "club": {"code": owner.club.code, "founded": owner.club.founded} if owner.club else None,
        "purchases": [
            {
                "category": row.category,
                "quantity": row.quantity,
                "total": row.total,
                "made_at": row.made_at,
                "day": timezone.localtime(row.made_at).date() if row.made_at else None,
                "number": row.pk,
            }
            for row in owner.purchase_set.all()
        ],
    }


@pytest.fixture
def people(db: None) -> dict[int, dict[str, Any]]:
    """Facts by primary key of 120 people who also stand in tables; the tables go with the test's transaction."""
    with connection.schema_editor(atomic=False) as editor:
        for table in TABLES:
            editor.create_model(table)
    make_people(Random(26), 120)
    found = Person.objects.select_related("club").prefetch_related("purchase_set", "label_set")
    return {owner.pk: facts_of(owner) for owner in found}


def in_memory(condition: Condition, people: dict[int, dict[str, Any]]) -> set[int]:
    return {pk for pk, facts in people.items() if condition.matches(facts, at=AT, today=TODAY)}


def in_database(condition: Condition) -> set[int]:
    """The rows by the filter that asks of each row, which are those of the filter for many at once."""
    found = []
    for many in (False, True):
        pks = list(
            condition.filter(Person.objects.all(), at=AT, today=TODAY, many=many).values_list("pk", flat=True)
        )
        assert len(pks) == len(set(pks)), "a row came twice"
        found.append(set(pks))
    assert found[0] == found[1]
    return found[0]


def test_database_and_memory_agree(people: dict[int, dict[str, Any]]) -> None:
    @settings(suppress_health_check=[HealthCheck.too_slow])
    @given(trees(person))
    def agree(data: dict[str, Any]) -> None:
        condition = parse(data, person)
        assert in_database(condition) == in_memory(condition, people)
        assert parse(condition.as_json(), person).as_json() == condition.as_json()
        assert condition.sentence()

    agree()


def test_a_condition_holds_only_where_each_of_its_demands_is_met(people: dict[int, dict[str, Any]]) -> None:
    demanding = 0

    @settings(suppress_health_check=[HealthCheck.too_slow])
    @given(trees(person))
    def met(data: dict[str, Any]) -> None:
        nonlocal demanding
        condition = parse(data, person)
        demanding += bool(condition.demands)
        for pk in in_memory(condition, people):
            for demand in condition.demands:
                rows = people[pk][demand.relation] if demand.relation else [people[pk]]
                assert any(row.get(demand.name) in demand.values for row in rows)

    met()
    assert demanding


def single_comparisons() -> list[dict[str, Any]]:
    """Each operator of each field and measure once for each of a few values."""
    random, found = Random(3), []
    for field in person.fields():
        for op in field.ops:
            found += [sample(field, op, {"field": field.name}, random) for _time in range(4)]
    for relation in person.relations():
        for measure in relation.measures:
            number = measured_field(relation, measure)
            for op in measure_ops(number.type):
                about = {"measure": measure.name}
                found.append({relation.name: sample(number, op, about, random)})
    return found


def sample(field: Field, op: Op, about: dict[str, Any], random: Random) -> dict[str, Any]:
    pool = VALUES[field.type]
    if op is Op.IS_SET:
        return {**about, "op": op.value}
    if op in OF_DAYS:
        return {**about, "op": op.value, "value": random.choice([1, 30, 400])}
    if op is Op.BETWEEN:
        key = Decimal if field.type is FieldType.DECIMAL else None
        return {**about, "op": op.value, "value": sorted(random.choices(pool, k=2), key=key)}
    if op is Op.IN:
        return {**about, "op": op.value, "value": random.sample(pool, 2)}
    return {**about, "op": op.value, "value": random.choice(pool)}


def test_every_operator_and_its_negation_agree(people: dict[int, dict[str, Any]]) -> None:
    for data in single_comparisons():
        positive, negative = parse(data, person), parse({"not": data}, person)
        held = in_memory(positive, people)
        assert in_database(positive) == held, data
        assert in_memory(negative, people) == people.keys() - held, data
        assert in_database(negative) == people.keys() - held, data


def test_always_is_everyone(people: dict[int, dict[str, Any]]) -> None:
    assert in_database(parse({}, person)) == people.keys()
    assert in_database(parse({"not": {"all": [{"purchases": {}}]}}, person)) == {
        pk for pk, facts in people.items() if not facts["purchases"]
    }


def test_a_positive_comparison_stays_plain_for_indexes(people: dict[int, dict[str, Any]]) -> None:
    data = {
        "all": [
            {"field": "tier", "op": "eq", "value": "gold"},
            {"field": "club.code", "op": "eq", "value": "x"},
        ]
    }
    sql = str(parse(data, person).filter(Person.objects.all(), at=AT).query)
    assert "INNER JOIN" in sql
    assert "NOT" not in sql
    assert "COALESCE" not in sql


def test_facts_are_gathered_as_they_are_declared(people: dict[int, dict[str, Any]]) -> None:
    gathered = gather(Person.objects.all(), person, at=AT)

    def plain(facts: dict[str, Any]) -> dict[str, Any]:
        club_ = facts["club"] or {"code": None, "founded": None}
        purchases = [{name: row[name] for name in row if name != "pk"} for row in facts["purchases"]]
        return {
            **facts,
            "tags": facts["tags"] or [],
            "club": club_,
            "labels": sorted(facts["labels"]),
            "purchases": sorted(purchases, key=lambda row: row["number"]),
        }

    assert {pk: plain(facts) for pk, facts in gathered.items()} == {
        pk: plain(facts) for pk, facts in people.items()
    }


def test_an_inclusion_may_name_the_fields_it_offers() -> None:
    outer, inner = Subject("outer"), Subject("inner")
    inner.register(Field("one", FieldType.TEXT, "one"), Field("two", FieldType.TEXT, "two"))
    outer.include("inner", inner, label="inner", only=("two",))
    assert [field.name for field in outer.fields()] == ["inner.two"]
    assert outer.field("inner.one") is None


@pytest.mark.parametrize("op", ["eq", "ne", "lt"])
def test_measures_of_rows_that_cannot_be_are_of_none(people: dict[int, dict[str, Any]], op: str) -> None:
    beyond = {"field": "quantity", "op": "gt", "value": 2**40}
    data = {"purchases": {"where": beyond, "measure": "total", "op": op, "value": "5"}}
    for tree in (data, {"not": data}):
        condition = parse(tree, person)
        assert in_database(condition) == in_memory(condition, people)
