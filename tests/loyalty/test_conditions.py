"""Conditions without a database: reading JSON, judging facts, speaking."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.utils import translation

from loyalty.conditions import (
    ConditionError,
    Field,
    FieldType,
    Measure,
    NotQueryableError,
    Relation,
    Subject,
    parse,
)


@pytest.fixture(autouse=True)
def _in_english() -> Iterator[None]:
    with translation.override("en"):
        yield


AT = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)

member = Subject("member", "member")
member.register(
    Field("tier", FieldType.CHOICE, "tier", choices=[("silver", "Silver"), ("gold", "Gold")]),
    Field("born", FieldType.DATE, "birthday"),
    Field("tags", FieldType.TEXT_LIST, "tags"),
)
line = Subject("line", "purchase line")
line.register(
    Field("category", FieldType.TEXT, "category"),
    Field("quantity", FieldType.INTEGER, "quantity"),
    Field("total", FieldType.DECIMAL, "total", unit="€"),
)
activity = Subject("activity", "activity")
activity.register(
    Field("store", FieldType.TEXT, "store"),
    Field("total", FieldType.DECIMAL, "total", unit="€"),
    Field("visits", FieldType.INTEGER, "number of visits"),
    Field("first", FieldType.BOOLEAN, "first purchase"),
    Field("occurred_at", FieldType.DATETIME, "time of purchase"),
)
activity.include("member", member, label="Member")
activity.relate(
    Relation(
        "lines",
        line,
        "purchase lines",
        some="there is at least one purchase line",
        none="there is no purchase line",
        measures=(
            Measure("count", "number of purchase lines"),
            Measure("total", "total of the purchase lines", of="total"),
            Measure("quantity", "quantity of the purchase lines", of="quantity"),
        ),
    )
)

FACTS = {
    "store": "Prisma Kamppi",
    "total": Decimal("42.50"),
    "visits": None,
    "first": False,
    "occurred_at": AT - timedelta(days=1),
    "member": {"tier": "gold", "born": date(1990, 11, 1), "tags": ["vegan", "dog"]},
    "lines": [
        {"category": "PASTRY", "quantity": 2, "total": Decimal("12.50")},
        {"category": "PASTRY", "quantity": None, "total": Decimal("7.50")},
        {"category": None, "quantity": 1, "total": Decimal("22.50")},
    ],
}


def compare(field: str, op: str, value: object = None) -> dict[str, object]:
    return {"field": field, "op": op} if op == "is_set" else {"field": field, "op": op, "value": value}


def holds(data: object, facts: dict[str, object] = FACTS) -> bool:
    return parse(data, activity).matches(facts, at=AT)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({}, True),
        ({"all": []}, True),
        (compare("store", "eq", "Prisma Kamppi"), True),
        (compare("store", "eq", "prisma kamppi"), False),
        (compare("store", "contains", "prisma"), True),
        (compare("store", "contains", "KÄMPPI"), False),
        (compare("total", "gt", "42.5"), False),
        (compare("total", "ge", 42.5), True),
        (compare("total", "between", ["40", "42.50"]), True),
        (compare("total", "in", ["1", "42.5"]), True),
        (compare("visits", "eq", 1), False),
        (compare("visits", "ne", 1), False),
        ({"not": compare("visits", "ne", 1)}, True),
        ({"not": compare("visits", "eq", 1)}, True),
        (compare("visits", "is_set"), False),
        (compare("first", "eq", False), True),
        (compare("first", "is_set"), True),
        (compare("occurred_at", "within_last", 1), True),
        (compare("occurred_at", "lt", "2026-11-21T14:00:00+02:00"), True),
        (compare("member.tier", "in", ["gold", "silver"]), True),
        (compare("member.tier", "ne", "silver"), True),
        (compare("member.born", "between", ["1990-01-01", "1990-12-31"]), True),
        (compare("member.tags", "contains", "dog"), True),
        (compare("member.tags", "in", ["cat", "dog"]), True),
        (compare("member.tags", "in", ["cat"]), False),
        ({"lines": {}}, True),
        ({"lines": {"where": compare("category", "eq", "PASTRY")}}, True),
        ({"lines": {"where": compare("category", "eq", "FISH")}}, False),
        ({"lines": {"measure": "count", "op": "eq", "value": 3}}, True),
        (
            {
                "lines": {
                    "where": compare("category", "eq", "PASTRY"),
                    "measure": "total",
                    "op": "ge",
                    "value": 20,
                }
            },
            True,
        ),
        (
            {
                "lines": {
                    "where": compare("category", "eq", "PASTRY"),
                    "measure": "quantity",
                    "op": "between",
                    "value": [3, 9],
                }
            },
            False,
        ),
        (
            {
                "lines": {
                    "where": compare("category", "eq", "FISH"),
                    "measure": "total",
                    "op": "lt",
                    "value": 1,
                }
            },
            True,
        ),
        ({"any": [compare("visits", "gt", 3), {"not": compare("first", "eq", True)}]}, True),
        ({"all": [compare("store", "is_set"), compare("visits", "is_set")]}, False),
    ],
)
def test_judges_facts(data: object, expected: bool) -> None:
    assert holds(data) is expected


@pytest.mark.parametrize("missing", [{}, {"store": None}, {"store": ""}])
def test_missing_or_blank_makes_every_comparison_false_and_its_negation_true(
    missing: dict[str, object],
) -> None:
    for data in (
        compare("store", "eq", "x"),
        compare("store", "ne", "x"),
        compare("store", "in", ["x"]),
        compare("store", "contains", "x"),
        compare("store", "is_set"),
    ):
        assert holds(data, missing) is False
        assert holds({"not": data}, missing) is True


def test_a_missing_member_is_like_missing_fields() -> None:
    assert holds(compare("member.tier", "ne", "gold"), {"member": None}) is False
    assert holds(compare("member.tier", "ne", "gold"), {}) is False


def test_dates_are_judged_by_the_day_given() -> None:
    condition = parse(compare("member.born", "within_last", 1), activity)
    born = {"member": {"born": date(2026, 11, 20)}}
    assert condition.matches(born, at=AT)
    assert condition.matches(born, at=AT, today=date(2026, 11, 21))
    assert not condition.matches(born, at=AT, today=date(2026, 11, 22))
    assert not condition.matches(born, at=AT, today=date(2026, 11, 19))


def deep(levels: int) -> object:
    data: object = compare("visits", "is_set")
    for _level in range(levels):
        data = {"not": data}
    return data


@pytest.mark.parametrize(
    ("data", "problems"),
    [
        ([], [": must be an object"]),
        (None, [": must be an object"]),
        ({"all": {}}, ["all: must be a list"]),
        ({"any": []}, ["any: add at least one condition"]),
        ({"all": [{"all": []}]}, ["all[0].all: add at least one condition"]),
        ({"all": [], "any": []}, [': must be a comparison ("field", "op", "value") or have exactly one key']),
        ({"every": []}, ["every: is unknown"]),
        ({"all": [compare("shop", "eq", "x")]}, ["all[0].field: is unknown"]),
        (compare("member", "eq", "x"), ["field: is unknown"]),
        (compare("member.", "eq", "x"), ["field: is unknown"]),
        ({"field": ["store"], "op": "eq", "value": "x"}, ["field: is unknown"]),
        (compare("store", "gt", "x"), ["op: must be one of: eq, ne, in, contains, is_set"]),
        ({"field": "store", "op": {}, "value": 1}, ["op: must be one of: eq, ne, in, contains, is_set"]),
        ({"field": "store", "op": "eq"}, ["value: is missing"]),
        ({"field": "store", "op": "is_set", "value": True}, ["value: does not belong here"]),
        (
            {"any": [{"not": {"field": "store", "op": "eq", "value": "x", "more": 1}}]},
            ["any[0].not.more: does not belong here"],
        ),
        (compare("store", "eq", ""), ["value: must be a text of 1 to 200 characters"]),
        (compare("store", "eq", "a\0b"), ["value: must be a text of 1 to 200 characters"]),
        (compare("store", "eq", "\ud800"), ["value: must be a text of 1 to 200 characters"]),
        (compare("store", "in", []), ["value: must be a list of 1 to 1000 values"]),
        (compare("store", "in", "x"), ["value: must be a list of 1 to 1000 values"]),
        (compare("store", "in", ["x", 1]), ["value[1]: must be a text of 1 to 200 characters"]),
        (compare("visits", "eq", True), ["value: must be a whole number"]),
        (compare("visits", "eq", "3"), ["value: must be a whole number"]),
        (compare("visits", "eq", 10**400), ["value: must be a whole number"]),
        (compare("total", "eq", float("nan")), ["value: must be a number with at most 6 decimals"]),
        (compare("total", "eq", "1e999999999"), ["value: must be a number with at most 6 decimals"]),
        (compare("total", "eq", "0.0000001"), ["value: must be a number with at most 6 decimals"]),
        (
            compare("total", "between", [2, 1]),
            ["value: the first value must not be greater than the second"],
        ),
        (
            compare("total", "between", [2]),
            ["value: must be a list of two values, the lower one first"],
        ),
        (compare("first", "eq", 1), ["value: must be yes or no (true or false)"]),
        (
            compare("occurred_at", "lt", "2026-11-21T12:00:00"),
            ["value: must be a date and time with its zone, between 1900 and 2199"],
        ),
        (
            compare("occurred_at", "within_last", 0),
            ["value: must be a whole number of days between 1 and 36500"],
        ),
        (
            compare("member.born", "eq", "20261121"),
            ["value: must be a date (YYYY-MM-DD) between 1900 and 2199"],
        ),
        (compare("member.tier", "eq", "tin"), ["value: “tin” is not one of the choices"]),
        ({"lines": []}, ["lines: must be an object"]),
        ({"lines": {"when": {}}}, ["lines.when: does not belong here"]),
        ({"lines": {"where": compare("store", "eq", "x")}}, ["lines.where.field: is unknown"]),
        ({"lines": {"measure": "sum", "op": "eq", "value": 1}}, ["lines.measure: is unknown"]),
        ({"lines": {"measure": "count"}}, ["lines.op: is missing", "lines.value: is missing"]),
        (
            {"lines": {"measure": "count", "op": "eq", "value": "1.5"}},
            ["lines.value: must be a whole number"],
        ),
        (
            {"all": [compare("store", "eq", 1), compare("visits", "eq", "x")]},
            [
                "all[0].value: must be a text of 1 to 200 characters",
                "all[1].value: must be a whole number",
            ],
        ),
        (deep(9), ["not." * 7 + "not: nested too deep; the limit is 8 levels"]),
        ({"all": [compare("visits", "is_set")] * 300}, ["all[199]: too many conditions; the limit is 200"]),
    ],
)
def test_refuses_with_the_path(data: object, problems: list[str]) -> None:
    with pytest.raises(ConditionError) as error:
        parse(data, activity)
    assert [f"{problem.path}: {problem.message}" for problem in error.value.problems] == problems


def test_a_withdrawn_choice_still_loads() -> None:
    data = compare("member.tier", "eq", "tin")
    assert parse(data, activity, check_choices=False).sentence() == "Tier is “tin”."


@pytest.mark.parametrize(
    ("data", "spoken"),
    [
        ({}, "Always."),
        (compare("store", "eq", "Prisma"), "Store is “Prisma”."),
        (compare("member.tier", "in", ["silver", "gold"]), "Tier is Silver or Gold."),
        ({"not": compare("member.tier", "in", ["silver", "gold"])}, "Tier is not Silver or Gold."),
        ({"not": {"not": compare("first", "eq", True)}}, "First purchase: yes."),
        (compare("total", "between", ["10", "20.5"]), "Total is between 10 € and 20.50 €."),
        (compare("occurred_at", "within_last", 1), "Time of purchase is within the last 1 day."),
        (
            {
                "all": [
                    compare("member.tier", "eq", "gold"),
                    {"any": [compare("store", "contains", "market"), compare("visits", "ge", 3)]},
                    {
                        "lines": {
                            "where": compare("category", "eq", "PASTRY"),
                            "measure": "total",
                            "op": "ge",
                            "value": 20,
                        }
                    },
                ]
            },
            (
                "Tier is Gold, (store contains “market” or number of visits is at least 3) and "
                "total of the purchase lines with (category is “PASTRY”) is at least 20 €."
            ),
        ),
        (
            {"not": {"lines": {"where": {"not": compare("category", "is_set")}}}},
            "There is no purchase line with (category is not known).",
        ),
        (
            {"not": {"any": [compare("first", "eq", True), compare("visits", "lt", 2)]}},
            "None of these holds: (first purchase: yes or number of visits is less than 2).",
        ),
    ],
)
def test_reads_out_as_a_sentence(data: object, spoken: str) -> None:
    with translation.override("en"):
        assert parse(data, activity).sentence() == spoken


def test_json_round_trip_is_canonical() -> None:
    data = {
        "all": [
            compare("total", "between", ["10", "20.50"]),
            compare("occurred_at", "lt", "2026-11-21T14:00:00+02:00"),
            {"lines": {"measure": "count", "op": "gt", "value": 1}},
        ]
    }
    condition = parse(data, activity)
    assert condition.as_json() == {
        "all": [
            compare("total", "between", ["10", "20.50"]),
            compare("occurred_at", "lt", "2026-11-21T12:00:00+00:00"),
            {"lines": {"where": {"all": []}, "measure": "count", "op": "gt", "value": 1}},
        ]
    }
    assert parse(condition.as_json(), activity) == condition
    assert condition.fact_names == {"total", "occurred_at", "lines"}


def test_what_is_kept_in_memory_only_cannot_be_queried() -> None:
    with pytest.raises(NotQueryableError, match="store"):
        parse(compare("store", "eq", "x"), activity).q(at=AT)
    with pytest.raises(NotQueryableError, match="lines"):
        parse({"lines": {}}, activity).q(at=AT)


def test_a_name_is_registered_once() -> None:
    shop = Subject("shop")
    shop.register(Field("city", FieldType.TEXT, "city"))
    for name in ("city", "all", "", "Big", "a.b"):
        with pytest.raises(ValueError, match="shop"):
            shop.register(Field(name, FieldType.TEXT, "city"))
    with pytest.raises(ValueError, match="choices"):
        shop.register(Field("kind", FieldType.CHOICE, "kind"))
