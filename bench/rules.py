#!/usr/bin/env python
"""How many purchases a second the rules judge, and what 200 active rules cost the purchases API. See README.md."""

import argparse
import datetime as dt
import statistics
import sys
import time
from decimal import Decimal
from typing import Any

import earn
import house

RULES = 200
TARGET = 0.7
CATEGORIES = 12


def facts_of_rule(number: int) -> dict[str, Any]:
    """A programme as marketers leave it after some years: every kind of condition, effect and limit, few that match."""
    about: list[dict[str, Any]] = [
        {"lines": {"where": compare("category", "eq", f"category-{number}")}},
        compare("weekday", "in", [str(number % 7 + 1)]),
        compare("store", "eq", f"store-{number}"),
        compare("tier_reached", "contains", "gold"),
        compare("total", "ge", str(100 + number)),
        compare("hour", "ge", number % 24),
        compare("purchase_number", "eq", number),
        {"all": [compare("channel", "eq", "app"), compare("member.age", "ge", 18 + number % 50)]},
    ]
    gives: list[dict[str, Any]] = [
        {
            "effect": "multiplier",
            "factor": Decimal(2),
            "lines": compare("category", "eq", f"category-{number}"),
        },
        {"effect": "fixed", "points": 10, "cap_per_member": 100},
        {"effect": "per_unit", "points": 1, "lines": compare("sku", "eq", f"sku-{number}")},
        {"effect": "fixed", "points": 5, "cooldown_days": 7},
        {"effect": "per_amount", "points": 1, "amount": Decimal(10), "cap_per_activity": 20},
    ]
    more: dict[str, Any] = {"conditions": about[number % len(about)], "priority": 100}
    if number % 40 == 39:
        more["budget"] = 10**12
    if number % 50 == 49:
        more["needs_activation"] = True
    return gives[number % len(gives)] | more


def compare(field: str, op: str, value: object) -> dict[str, Any]:
    return {"field": field, "op": op, "value": value}


def make_rules() -> None:
    """The 200 rules, not yet active."""
    from rewards.models import EarningRule, RuleRevision, Wallet

    wallet = Wallet.objects.get(is_default=True)
    for number in range(RULES - 1):
        rule = EarningRule.objects.create(
            code=f"bench {number}", names={"en": f"Rule {number}"}, is_active=False
        )
        RuleRevision.objects.create(
            rule=rule,
            number=1,
            wallet=wallet,
            valid_from=dt.datetime(1970, 1, 1, tzinfo=dt.UTC),
            **facts_of_rule(number),
        )
    EarningRule.objects.exclude(code="base").update(is_active=False)


def with_rules(count: int) -> None:
    """One active rule (the base), or all of them."""
    from rewards import terms
    from rewards.models import EarningRule

    EarningRule.objects.filter(code__startswith="bench ").update(is_active=count > 1)
    terms.revised()


def purely(lines: int, seconds: float = 2) -> None:
    """Evaluations a second without a database: facts in, verdicts out."""
    from members.activities import LineFacts, NewActivity
    from rewards import rules, terms
    from rewards.case import Case

    known = terms.current()
    at = dt.datetime(2026, 3, 7, 12, tzinfo=dt.UTC)
    in_force, level = known.rules_at(at), known.tiers_at(at).levels[1]
    bought = tuple(
        LineFacts(f"sku-{number}", f"category-{number % CATEGORIES}", "food", Decimal(1), Decimal(3))
        for number in range(lines)
    )
    purchase = NewActivity(1, 1, "r", "purchase", at, "EUR", Decimal(3 * lines), "store-1", "store", bought)
    more = {
        "member": {"age": 40},
        "weekday": "6",
        "hour": 14,
        "purchase_number": 7,
        "ladder": ("bronze", "silver"),
    }
    count, verdicts, began = 0, [], time.perf_counter()
    while (took := time.perf_counter() - began) < seconds:
        verdicts = rules.evaluate(Case(purchase, level, more), rules=in_force)
        count += 1
    print(
        f"pure    {count / took:7.0f} evaluations a second: {len(in_force)} rules on {lines} lines, "
        f"{len(verdicts)} of the rules apply",
        flush=True,
    )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--seconds", type=float, default=5)
    options.add_argument("--connections", type=int, default=8)
    options.add_argument("--lines", type=int, default=30)
    given = options.parse_args()
    home = house.open_house()
    key = earn.prepare()
    earn.LINES = given.lines
    make_rules()
    for count in (1, RULES):
        with_rules(count)
        purely(given.lines)
    server = earn.Server("kantis", "loyalty.wsgi:application", "loyalty.settings")
    rates: dict[int, list[float]] = {1: [], RULES: []}
    try:
        server.start(home)
        earn.load(server, key, 3, given.connections)
        for number in range(given.rounds):
            for count, found in rates.items():
                with_rules(count)
                earn.load(server, key, 0.5, given.connections)
                house.checkpoint()
                found.append(len(earn.load(server, key, given.seconds, given.connections)) / given.seconds)
                print(f"round {number + 1}  {count:3} rules {found[-1]:7.1f} purchases a second", flush=True)
    finally:
        server.stop()
    one, many = (statistics.median(found) for found in rates.values())
    print(f"1 rule    {one:7.1f} purchases a second of {given.lines} lines")
    print(f"{RULES} rules {many:7.1f} purchases a second of {given.lines} lines")
    print(f"ratio     {many / one:7.2f}  (we hold ourselves to {TARGET})")
    sys.exit(many / one < TARGET)


if __name__ == "__main__":
    main()
