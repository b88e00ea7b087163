"""The form builder: rows to JSON and back, with and without JavaScript's help."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django import forms
from django.http import QueryDict
from django.utils import timezone, translation

from loyalty.conditions import Field, FieldType, Measure, Relation, Subject, builder, parse
from loyalty.conditions.forms import ConditionField


@pytest.fixture(autouse=True)
def _in_english() -> Iterator[None]:
    with translation.override("en"):
        yield


line = Subject("line")
line.register(
    Field("category", FieldType.CHOICE, "category", choices=lambda: [("PASTRY", "Pastry"), ("FISH", "Fish")]),
    Field("total", FieldType.DECIMAL, "total", unit="€"),
)
activity = Subject("activity")
activity.register(
    Field("store", FieldType.TEXT, "store"),
    Field("visits", FieldType.INTEGER, "number of visits"),
    Field("first", FieldType.BOOLEAN, "first purchase"),
    Field("day", FieldType.DATE, "day"),
    Field("occurred_at", FieldType.DATETIME, "time of purchase"),
    Field("tags", FieldType.TEXT_LIST, "tags"),
)
activity.relate(
    Relation(
        "lines",
        line,
        "purchase lines",
        some="there is a line",
        none="there is no line",
        measures=(Measure("count", "number of lines"), Measure("total", "total of lines", of="total")),
    )
)


class RuleForm(forms.Form):
    name = forms.CharField()
    when = ConditionField(subject=activity)


def bound(pairs: list[tuple[str, str]]) -> RuleForm:
    data = QueryDict(mutable=True)
    for key, value in [("name", "Rule"), *pairs]:
        data.appendlist(key, value)
    return RuleForm(data)


def posted_by(node: dict[str, Any]) -> list[tuple[str, str]]:
    """What a browser would send for these rows."""
    name = node["name"]
    pairs = [(f"{name}-not", "1")] if node["negated"] else []
    if node["kind"] == "group":
        pairs += [(f"{name}-t", "group"), (f"{name}-k", node["mode"])]
        return pairs + [pair for child in node["children"] for pair in posted_by(child)]
    if node["kind"] == "rows":
        pairs += [(f"{name}-t", f"rows:{node['relation'].name}")]
        pairs += [(f"{name}-m", measure) for measure, _label, selected in node["measures"] if selected]
        pairs += posted_by(node["where"])
    else:
        pairs.append((f"{name}-t", "compare"))
        chosen = [key for _head, options in node["groups"] for key, _label, selected in options if selected]
        pairs += [(f"{name}-f", key) for key in chosen]
    pairs += [(f"{name}-o", op) for op, _label, selected in node.get("ops", ()) if selected]
    for editor in node.get("editors", ()):
        if editor["kind"] in ("one", "many"):
            pairs += [(editor["name"], code) for code, _label, selected in editor["options"] if selected]
        else:
            pairs.append((editor["name"], editor["value"]))
    return pairs


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"all": [{"field": "store", "op": "eq", "value": "Prisma"}]},
        {
            "any": [
                {"field": "store", "op": "in", "value": ["a, b", "c"]},
                {"field": "first", "op": "eq", "value": False},
            ]
        },
        {"not": {"all": [{"field": "visits", "op": "between", "value": [1, 3]}]}},
        {"all": [{"not": {"any": [{"field": "day", "op": "ge", "value": "2026-11-21"}]}}]},
        {"all": [{"field": "occurred_at", "op": "lt", "value": "2026-06-01T09:30:15+00:00"}]},
        {
            "all": [
                {"field": "occurred_at", "op": "within_last", "value": 30},
                {"field": "day", "op": "is_set"},
            ]
        },
        {"all": [{"field": "tags", "op": "contains", "value": "dog"}]},
        {"all": [{"lines": {"where": {"all": []}}}]},
        {
            "all": [
                {
                    "not": {
                        "lines": {
                            "where": {"any": [{"field": "category", "op": "in", "value": ["PASTRY"]}]},
                            "measure": "total",
                            "op": "between",
                            "value": ["10", "20.5"],
                        }
                    }
                }
            ]
        },
    ],
)
def test_what_is_drawn_and_posted_unchanged_is_the_same_condition(data: dict[str, Any]) -> None:
    canonical = parse(data, activity)
    form = bound(posted_by(builder.draw(canonical.as_json(), activity, "when")))
    assert form.is_valid(), form.errors
    assert parse(form.cleaned_data["when"], activity) == canonical
    assert not form.fields["when"].has_changed(data, form["when"].data)


def test_a_lone_comparison_is_drawn_in_a_group() -> None:
    data = {"not": {"field": "visits", "op": "gt", "value": 2}}
    form = bound(posted_by(builder.draw(data, activity, "when")))
    assert form.is_valid()
    assert form.cleaned_data["when"] == {"all": [data]}


ONE_ROW = [
    ("when-t", "group"),
    ("when-k", "all"),
    ("when-3-t", "compare"),
    ("when-3-f", "visits"),
    ("when-3-o", "ge"),
    ("when-3-v", "3"),
]


def test_buttons_change_the_rows_and_save_nothing() -> None:
    form = bound([*ONE_ROW, ("when-do", "add:when:group")])
    assert not form.is_valid()
    assert form.errors["when"] == ["Not saved yet. Check the conditions, then save."]
    visits = {"field": "visits", "op": "ge", "value": 3}
    blank = {"field": "", "op": "", "value": ""}
    assert form["when"].data == builder.Draft({"all": [visits, {"any": [blank]}]}, "add")
    html = str(form["when"])
    assert 'name="when-1-0-f"' in html
    assert "conditions-problems" not in html

    removed = bound([*ONE_ROW, ("when-do", "remove:when-3")])
    assert removed["when"].data == builder.Draft({}, "remove")
    lines = bound([*ONE_ROW, ("when-do", "add:when:rows:lines")])
    assert lines["when"].data.data["all"][1] == {"lines": {"where": {"all": []}}}


def test_check_reads_the_sentence_back() -> None:
    form = bound([*ONE_ROW, ("when-do", "check")])
    assert not form.is_valid()
    with translation.override("en"):
        assert "Number of visits is at least 3." in str(form["when"])


def test_another_field_without_javascript_asks_again() -> None:
    pairs = [(key, "store" if key.endswith("-f") else value) for key, value in ONE_ROW]
    form = bound(pairs)
    assert not form.is_valid()
    assert form["when"].data == builder.Draft(
        {"all": [{"field": "store", "op": "eq", "value": "3"}]}, "refresh"
    )


def test_the_wrong_row_is_marked() -> None:
    pairs = [*ONE_ROW, ("when-4-t", "compare"), ("when-4-f", "day"), ("when-4-o", "eq"), ("when-4-v", "soon")]
    form = bound(pairs)
    assert form.errors["when"] == ["Mend the marked conditions."]
    root = builder.draw(
        form["when"].data.data,
        activity,
        "when",
        form.fields["when"].widget.judged(form["when"].data.data, new=True)[1],
    )
    assert [child["problems"] for child in root["children"]] == [
        [],
        ["must be a date (YYYY-MM-DD) between 1900 and 2199"],
    ]
    assert "Must be a date" in str(form["when"])


def test_typed_values_are_escaped() -> None:
    form = bound(
        [
            ("when-t", "group"),
            ("when-0-t", "compare"),
            ("when-0-f", "store"),
            ("when-0-o", "contains"),
            ("when-0-v", '"><script>alert(1)</script>'),
            ("when-do", "check"),
        ]
    )
    assert "<script>alert" not in str(form["when"])


@pytest.mark.parametrize(
    "pairs",
    [
        [("when-t", "group"), ("when-k", "none"), ("when-0-t", "rows:nothing")],
        [("when-t", "rows:nothing")],
        [("when-t", "compare")],
        [("when-t", "group"), ("when-0-t", "rows:lines"), ("when-0-m", "count"), ("when-0-o", "eq")],
        [("when-t", "group"), ("when-999999-t", "compare"), ("when-999999-f", "lines")],
        [("when-" + "0-" * depth + "t", "group") for depth in range(40)],
    ],
)
def test_made_up_posts_are_refused_and_drawn(pairs: list[tuple[str, str]]) -> None:
    form = bound(pairs)
    assert not form.is_valid()
    assert str(form["when"])


def test_times_are_those_of_the_current_zone() -> None:
    with timezone.override("Europe/Helsinki"):
        form = bound(
            [
                ("when-t", "group"),
                ("when-0-t", "compare"),
                ("when-0-f", "occurred_at"),
                ("when-0-o", "ge"),
                ("when-0-v", "2026-11-21T12:00"),
            ]
        )
        assert form.is_valid()
        assert form.cleaned_data["when"]["all"][0]["value"] == "2026-11-21T10:00:00+00:00"
        assert 'value="2026-11-21T12:00:00"' in str(form["when"])
    moment = datetime(2026, 11, 21, 10, tzinfo=UTC)
    assert parse(form.cleaned_data["when"], activity).matches({"occurred_at": moment}, at=moment)


def test_a_decimal_comma_is_understood() -> None:
    assert builder._typed(FieldType.DECIMAL, "1 234,50") == "1234.50"


def test_no_condition_is_refused_only_when_required() -> None:
    empty = [("when-t", "group"), ("when-k", "any")]
    assert bound(empty).is_valid()
    assert bound(empty).fields["when"].clean(builder.Draft({})) == {"all": []}
    required = ConditionField(subject=activity, required=True)
    with pytest.raises(forms.ValidationError, match="at least one"):
        required.clean(builder.Draft({}))
