"""A ledger in plain Python, written from the rules in the docs alone, for the real one to be compared with.

One member a model, one wallet. Time is a whole number of days.
"""

from dataclasses import dataclass, field


@dataclass(eq=False)
class Lot:
    number: int
    remaining: int
    expires: int | None
    pending: bool = False
    available: int | None = None
    expired: int = 0
    earned: int = 0


@dataclass(eq=False)
class Entry:
    """A transfer that can be undone: what it moved, which lots it opened or emptied, what was undone already."""

    given: bool
    points: int
    undone: int = 0
    from_expired: int = 0
    lots: list[Lot] = field(default_factory=list)
    taken: dict[Lot, int] = field(default_factory=dict)


class NotEnough(Exception):
    pass


class Model:
    def __init__(self) -> None:
        self.lots: list[Lot] = []
        self.debt = 0
        self.numbers = 0

    @property
    def available(self) -> int:
        return sum(lot.remaining for lot in self.lots if not lot.pending)

    @property
    def pending(self) -> int:
        return sum(lot.remaining for lot in self.lots if lot.pending)

    def _open(self, points: int, expires: int | None, **more: object) -> Lot:
        self.numbers += 1
        lot = Lot(self.numbers, points, expires, **more)  # type: ignore[arg-type]
        self.lots.append(lot)
        return lot

    def _repay(self, points: int) -> int:
        repaid = min(self.debt, points)
        self.debt -= repaid
        return repaid

    def grant(self, points: int, expires: int | None, today: int = 0) -> list[Entry]:
        entries = []
        if repaid := self._repay(points):
            entries.append(Entry(True, repaid))
        if points - repaid:
            lot = self._open(points - repaid, expires, earned=today)
            entries.append(Entry(True, points - repaid, lots=[lot]))
        return entries

    def grant_pending(
        self, points: int, expires: int | None, available: int | None, today: int = 0
    ) -> list[Entry]:
        lot = self._open(points, expires, pending=True, available=available, earned=today)
        return [Entry(True, points, lots=[lot])]

    def mature(self, lots: list[Lot], entries: list[Entry]) -> None:
        for lot in sorted(lots, key=lambda lot: (lot.available or 0, lot.number)):
            left = lot.remaining - self._repay(lot.remaining)
            lot.remaining = 0
            if left:
                opened = self._open(left, lot.expires, earned=lot.earned)
                for entry in entries:
                    if lot in entry.lots:
                        entry.lots.append(opened)

    def due(self, today: int) -> list[Lot]:
        return [
            lot for lot in self.lots if lot.pending and lot.remaining and (lot.available or 10**9) <= today
        ]

    def expire(self, today: int) -> int:
        total = 0
        for lot in self.lots:
            if not lot.pending and lot.expires is not None and lot.expires <= today:
                total += lot.remaining
                lot.expired += lot.remaining
                lot.remaining = 0
        return total

    def spend(self, points: int, today: int) -> Entry:
        expired = [
            (lot, lot.remaining) for lot in self.lots if not lot.pending and (lot.expires or 10**9) <= today
        ]
        if points > max(self.available - sum(part for _lot, part in expired) - self.debt, 0):
            raise NotEnough
        self.expire(today)
        entry = Entry(False, points)
        for lot in sorted(self.lots, key=lambda lot: (lot.expires or 10**9, lot.number)):
            if not lot.pending and (part := min(lot.remaining, points)):
                lot.remaining -= part
                points -= part
                entry.taken[lot] = part
        return entry

    def give(self, other: "Model", points: int, today: int) -> None:
        """Hand points over: what expires first goes first, and lots of one expiry and day of earning become one."""
        entry = self.spend(points, today)
        owed = other.debt
        groups: dict[tuple[int | None, int], int] = {}
        for lot, part in entry.taken.items():
            used = min(part, owed)
            owed -= used
            if part - used:
                key = lot.expires, lot.earned
                groups[key] = groups.get(key, 0) + part - used
        other.debt = owed
        for (expires, earned), part in groups.items():
            other._open(part, expires, earned=earned)

    def undo(self, entry: Entry, points: int) -> None:
        entry.undone += points
        if entry.given:
            self._take_back(entry, points)
        else:
            self._give_back(entry, points)

    def _take_back(self, entry: Entry, points: int) -> None:
        for lot in entry.lots:
            part = min(lot.remaining, points)
            lot.remaining -= part
            points -= part
        part = min(points, sum(lot.expired for lot in entry.lots) - entry.from_expired)
        entry.from_expired += part
        self.debt += points - part

    def _give_back(self, entry: Entry, points: int) -> None:
        returned = []
        for lot in sorted(entry.taken, key=lambda lot: (lot.expires or 10**9, lot.number), reverse=True):
            if part := min(entry.taken[lot], points):
                entry.taken[lot] -= part
                lot.remaining += part
                points -= part
                returned.append((lot, part))
        for lot, part in reversed(returned):
            lot.remaining -= self._repay(part)
