"""The figures of a backtest as its pages show them, and where those pages are."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from loyalty.translated import in_language
from rewards.rule_wording import number
from rewards.rules import Limit

LIMITS: Mapping[str, Any] = {
    Limit.ACTIVITY_CAP: _("at most so many per activity"),
    Limit.MEMBER_CAP: _("at most so many per member"),
    Limit.BUDGET: _("the budget is used up"),
    Limit.COOLDOWN: _("not again so soon"),
    Limit.STACK: _("another rule of the group gives"),
    Limit.NOT_ACTIVATED: _("the offer was not activated"),
    Limit.KIND_LIMIT: _("enough of this kind on one day"),
}
"""What kept a rule from giving all its points, in a few words."""


def draft_url(draft_id: int) -> str:
    return reverse("admin:rewards_draft_change", args=[draft_id])


def backtest_url(backtest_id: int) -> str:
    return reverse("admin:rewards_backtest_change", args=[backtest_id])


def shown(result: Mapping[str, Any]) -> dict[str, Any]:
    """A result with what its page needs beside it: names in the active language, and the longest bar of each list."""
    rules = [{**row, "name": in_language(row["names"]) or row["rule"]} for row in result["rules"]]
    tiers = [{**row, "name": in_language(row["names"]) or row["tier"]} for row in result["tiers"]]
    names = {row["tier"]: row["name"] for row in tiers}
    moves = [
        {**row, "from": names.get(row["from"], row["from"]), "to": names.get(row["to"], row["to"])}
        for row in result["moves"]
        if row["from"] != row["to"]
    ]
    members = {**result["members"], "histogram": [_labelled(each) for each in result["members"]["histogram"]]}
    return {
        **result,
        "rules": rules,
        "tiers": tiers,
        "moves": moves,
        "members": members,
        "stay": sum(row["members"] for row in result["moves"] if row["from"] == row["to"]),
        "examples": [_example(each) for each in result["examples"]],
        "most": {
            "rules": max((max(row["old"], row["new"]) for row in rules), default=0),
            "tiers": max((max(row["old"], row["new"]) for row in tiers), default=0),
            "members": max((each["members"] for each in members["histogram"]), default=0),
        },
    }


def _labelled(row: Mapping[str, Any]) -> dict[str, Any]:
    low, high = row["from"], row["to"]
    if low == high == 0:
        return {**row, "label": gettext("no change"), "tone": ""}
    tone = "up" if (low or 0) > 0 else "down"
    sign = "+" if tone == "up" else "−"
    ends = sorted(abs(each) for each in (low, high) if each is not None)
    label = f"{sign}{number(ends[0])} …" + (f" {sign}{number(ends[1])}" if len(ends) > 1 else "")
    return {**row, "label": label, "tone": tone}


def _example(each: Mapping[str, Any]) -> dict[str, Any]:
    def told(rows: Any) -> list[dict[str, Any]]:
        return [
            {
                **row,
                "name": in_language(row["names"]) or row["rule"],
                "why": LIMITS.get(row.get("limit") or "", ""),
            }
            for row in rows
        ]

    old, new = told(each["old"]), told(each["new"])
    return {
        **each,
        "occurred_at": datetime.fromisoformat(each["occurred_at"]),
        "old": old,
        "new": new,
        "change": sum(row["points"] for row in new) - sum(row["points"] for row in old),
    }


def compared(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The figures of two results in rows."""

    def change(pair: Mapping[str, Any]) -> int:
        return int(pair["new"]) - int(pair["old"])

    rows = [
        (gettext("Activities judged"), "activities", False),
        (gettext("Activities that would change"), "changed", False),
    ]
    found = [{"label": label, "figures": [one[key], other[key]], "signed": mark} for label, key, mark in rows]
    found += [
        {
            "label": gettext("Change of points"),
            "figures": [change(one["points"]), change(other["points"])],
            "signed": True,
        },
        {
            "label": gettext("Change of outstanding points"),
            "figures": [change(one["liability"]), change(other["liability"])],
            "signed": True,
        },
        {
            "label": gettext("Members who would have more"),
            "figures": [each["members"]["winners"]["count"] for each in (one, other)],
            "signed": False,
        },
        {
            "label": gettext("Members who would have less"),
            "figures": [each["members"]["losers"]["count"] for each in (one, other)],
            "signed": False,
        },
        {
            "label": gettext("Members in another tier"),
            "figures": [
                sum(row["members"] for row in each["moves"] if row["from"] != row["to"])
                for each in (one, other)
            ],
            "signed": False,
        },
    ]
    by_rule = [{row["rule"]: row for row in each["rules"]} for each in (one, other)]
    for code in sorted(by_rule[0].keys() | by_rule[1].keys()):
        values = [change(each[code]) if code in each else 0 for each in by_rule]
        name = next(in_language(each[code]["names"]) or code for each in by_rule if code in each)
        found.append(
            {"label": gettext("Points of “%(rule)s”") % {"rule": name}, "figures": values, "signed": True}
        )
    return found
