"""A quarter of real purchases, recorded for tests that ask about purchases and not about points.

The file lies beside the project and is not part of it; without it such a test is skipped and says so. Recording alone
takes a fraction of the time that the import needs, which also judges, grants and moves tiers.
"""

from pathlib import Path

import pytest
from django.db import connection

from loyalty import clock
from loyalty.partners.models import Partner
from members.activities import record_many
from rewards.purchases.importing import PurchasesImport
from rewards.purchases.reading import Purchase

LARGE_FILE = Path(__file__).resolve().parents[2] / "shared" / "data" / "complete_journey_2017q1.csv.gz"


class _Recording(PurchasesImport):
    """An import that stops after the members and activities."""

    def _store(self, purchases: list[Purchase]) -> list[bool]:  # type: ignore[override]
        self._enrol_unknown(purchases)
        record_many(
            [self._activity(each, self._members[each.member].member_id) for each in purchases], at=self.at
        )
        return [False] * len(purchases)


def record_quarter(folder: Path) -> None:
    """37,489 purchases of 2,280 members in the test's transaction, and statistics as autovacuum would make them."""
    if not LARGE_FILE.exists():
        pytest.skip(f"{LARGE_FILE.name} is not beside the project (../shared/data)")
    partner = Partner.objects.create(slug="quarter", name="Quarter")
    _Recording(LARGE_FILE, partner=partner, at=clock.now(), rejected_path=folder / "rejected.csv").run()
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
