"""One transaction for each redemption, done again when the database chose it as the victim of a quarrel.

Locks are taken in one order everywhere (a member's accounts in primary-key order, the reward's stock, then vouchers,
draws and causes), so a deadlock should not arise; where something else makes one, it does not reach whoever asked.
"""

import random
import time
from collections.abc import Callable
from typing import TypeVar

from django.db import OperationalError, connection, transaction

T = TypeVar("T")

TRIALS = 4
_QUARRELS = ("40P01", "40001")  # deadlock_detected, serialization_failure


def retried(work: Callable[[], T], *, refuses_late: bool = True) -> T:
    """Do the work in a transaction. Inside one of the caller's it is the caller (the API's) who begins again.

    Work that refuses only before it writes (``refuses_late`` off) needs no savepoint there.
    """
    if connection.in_atomic_block and not refuses_late:
        return work()
    if connection.in_atomic_block:
        with transaction.atomic():
            return work()
    for trial in range(1, TRIALS):
        try:
            with transaction.atomic():
                return work()
        except OperationalError as error:
            if getattr(error.__cause__, "sqlstate", None) not in _QUARRELS:
                raise
            time.sleep(random.uniform(0.01, 0.05) * trial)  # noqa: S311
    with transaction.atomic():
        return work()
