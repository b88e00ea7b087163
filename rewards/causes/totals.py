"""What causes were given, what was paid on to them and what is still to be paid: for everybody to see.

Given is what was not taken back; money is in the base currency. A constant number of statements, however many causes.
"""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import Count, F, Q, QuerySet, Sum

from loyalty import clock, programme
from rewards.models import Cause, Donation, Payout

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Totals:
    """The sums of one cause: points and money given, by how many gifts and members, and money paid on."""

    points: int = 0
    given: Decimal = ZERO
    gifts: int = 0
    givers: int = 0
    paid: Decimal = ZERO

    @property
    def due(self) -> Decimal:
        """Given and not paid on yet; never below 0."""
        return max(self.given - self.paid, ZERO)

    @property
    def ahead(self) -> Decimal:
        """Paid beyond what was given."""
        return max(self.paid - self.given, ZERO)


def totals_of(causes: Iterable[Cause]) -> dict[int, Totals]:
    """The totals of each cause by its id; two statements."""
    ids = [cause.pk for cause in causes]
    given = Donation.objects.filter(cause__in=ids, cancelled_at=None).order_by().values("cause")
    sums = {
        row["cause"]: row
        for row in given.annotate(
            all_points=Sum("points"),
            money=Sum("amount"),
            gifts=Count("pk"),
            givers=Count("member", distinct=True),
        )
    }
    paid = dict(
        Payout.objects.filter(cause__in=ids, withdrawn_at=None)
        .order_by()
        .values_list("cause")
        .annotate(Sum("amount"))
    )
    return {id_: _totals(sums.get(id_), paid.get(id_, ZERO)) for id_ in ids}


def _totals(row: Any, paid: Decimal) -> Totals:
    if row is None:
        return Totals(paid=paid)
    return Totals(
        points=row["all_points"],
        given=row["money"],
        gifts=row["gifts"],
        givers=row["givers"],
        paid=paid,
    )


@dataclass(frozen=True, slots=True)
class YearOfGiving:
    """What a member gave in a calendar year of the programme's time zone, oldest first; what was taken back is out."""

    year: int
    years: tuple[int, ...]
    gifts: tuple[Donation, ...]

    @property
    def points(self) -> int:
        return sum(gift.points for gift in self.gifts)

    @property
    def amount(self) -> Decimal:
        return sum((gift.amount for gift in self.gifts), ZERO)

    @property
    def by_cause(self) -> list[tuple[Cause, int, Decimal]]:
        """Each cause with the points and the money of the year, most money first."""
        sums: dict[int, tuple[Cause, int, Decimal]] = {}
        for gift in self.gifts:
            _cause, points, amount = sums.get(gift.cause_id, (gift.cause, 0, ZERO))
            sums[gift.cause_id] = (gift.cause, points + gift.points, amount + gift.amount)
        return sorted(sums.values(), key=lambda row: (-row[2], row[0].code))


def gifts_of(member_id: int) -> QuerySet[Donation]:
    """The member's gifts that count, newest first."""
    rows = Donation.objects.filter(member=member_id, cancelled_at=None)
    return rows.select_related("cause", "redemption__partner").order_by("-given_at", "-pk")


def year_of(member_id: int, year: int | None, *, at: dt.datetime) -> YearOfGiving:
    """A member's year of giving; without a year the present one. Two statements."""
    zone = programme.current().time_zone
    this_year = clock.local_date(at, zone).year
    wanted = year if year is not None and 2000 <= year <= this_year else this_year
    gifts = gifts_of(member_id)
    first = gifts.order_by("given_at").values_list("given_at", flat=True).first()
    since = clock.local_date(first, zone).year if first else this_year
    years = tuple(range(this_year, min(since, wanted) - 1, -1))
    start, end = (clock.start_of_day(dt.date(each, 1, 1), zone) for each in (wanted, wanted + 1))
    of_year = gifts.filter(given_at__gte=start, given_at__lt=end).order_by("given_at", "pk")
    return YearOfGiving(wanted, years, tuple(of_year))


def shown(*, at: dt.datetime) -> QuerySet[Cause]:
    """The causes that everybody sees: open ones and those that were given something, open ones first."""
    has_gifts = Q(pk__in=Donation.objects.filter(cancelled_at=None).values("cause"))
    begun = Q(opens_at=None) | Q(opens_at__lte=at)
    causes = Cause.objects.filter(has_gifts | Q(is_active=True) & begun).select_related("picture")
    return causes.order_by(F("is_active").desc(), F("closes_at").asc(nulls_last=True), "code")
