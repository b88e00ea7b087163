#!/usr/bin/env python
"""Seconds that a backtest of a file's purchases takes, beside their import in the same run. See README.md."""

import argparse
import datetime as dt
import importlib
import sys
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import house

TARGET = 0.5


def doubled(department: str) -> dict[str, Any]:
    """A draft that doubles the base points of a department, so that every purchase line is looked at."""
    from rewards import drafts
    from rewards.models import Wallet
    from rewards.rule_terms import RuleTerms

    rule_terms = RuleTerms(
        wallet_id=Wallet.objects.get(is_default=True).pk,
        effect="multiplier",
        factor=Decimal(2),
        priority=20,
        lines={"field": "department", "op": "eq", "value": department},
    )
    return {"rules": [drafts.rule_entry("double", rule_terms, names={"en": "Double points"})]}


def backtest(changes: dict[str, Any]) -> tuple[float, dict[str, Any]]:
    """Backtest all there is; the seconds and the result."""
    from loyalty import clock
    from rewards import backtest
    from rewards.models import Backtest, Draft

    at = clock.now()
    draft = Draft.objects.create(name="Bench", changes=changes, created_at=at)
    made = backtest.request(
        draft_id=draft.pk,
        starts_at=dt.datetime(1990, 1, 1, tzinfo=dt.UTC),
        ends_at=at,
        point_value=Decimal("0.01"),
        staff_id=None,
        at=at,
    )
    began = time.perf_counter()
    backtest.run(backtest_id=made.pk, now=clock.now)
    took = time.perf_counter() - began
    made = Backtest.objects.get(pk=made.pk)
    if made.result is None:
        raise SystemExit(f"The backtest ended as {made.status}: {made.error}")
    return took, made.result


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("file", nargs="?", type=Path, help="a purchase CSV (default: made-up purchases)")
    options.add_argument("--department", default="PASTRY", help="whose points the second draft doubles")
    given = options.parse_args()
    home = house.open_house()
    imports = importlib.import_module("import")
    file = given.file or imports.made_up(home / "purchases.csv")
    house.checkpoint()
    imported, purchases = imports.take_in(file)
    house.checkpoint()
    live, result = backtest({})
    if result["points"]["old"] != result["points"]["new"] or result["changed"]:
        raise SystemExit(f"The live rules do not reproduce the ledger: {result['points']}")
    by_line, _result = backtest(doubled(given.department))
    print(
        f"{purchases:,} purchases, {result['points']['old']:,} points, reproduced to the point by the live rules"
    )
    print(f"import                {imported:7.2f} s")
    print(f"backtest, live rules  {live:7.2f} s  {live / imported:5.2f} of the import")
    print(f"backtest, by line     {by_line:7.2f} s  {by_line / imported:5.2f} of the import")
    ratio = max(live, by_line) / imported
    print(f"ratio   {ratio:7.2f}  (we hold ourselves to {TARGET} or less)")
    sys.exit(ratio > TARGET)


if __name__ == "__main__":
    main()
