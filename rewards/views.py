"""The portal's pages about points: home, the statement with its reasons, what expires, and the member's own data."""

import csv
import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase, JsonResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext
from django.views.decorators.http import require_POST, require_safe

from loyalty import clock
from loyalty.spreadsheet import safe_cell
from members.consents import has_consent
from members.models import Member
from members.models.consent import Purpose
from members.personal_data import copies_of
from members.portal import member_page
from members.queries import activity_data, profile_data
from rewards import offers, queries
from rewards.catalogue.suggestions import next_reward
from rewards.offers import OfferNotFound
from rewards.statement import FILTER_NAMES, FILTERS, Entry, Page, statement_page, transfers_of
from rewards.statement_reasons import explained

LATEST = 5
SOON = dt.timedelta(days=30)

PERIODS: dict[str, Any] = {
    "": gettext_lazy("All time"),
    "30d": gettext_lazy("Last 30 days"),
    "90d": gettext_lazy("Last 3 months"),
    "year": gettext_lazy("This year"),
    "lastyear": gettext_lazy("Last year"),
}


@require_safe
def home(request: HttpRequest) -> HttpResponseBase:
    """The member's home; for visitors what the programme is and the way in."""
    if not request.user.is_authenticated:
        return render(request, "portal/landing.html", {"member": None})
    return _member_home(request)


@member_page
def _member_home(request: HttpRequest, member: Member) -> HttpResponseBase:
    at = clock.now()
    balance = queries.balance_of(member, at)
    expiry = balance.next_expiry
    context = {
        "member": member,
        "balance": balance,
        "pending": queries.pending_of(member) if balance.pending else [],
        "progress": queries.tier_progress(member, at),
        "expiry": expiry,
        "expires_soon": expiry is not None and expiry.expires_at - at < SOON,
        "entries": statement_page(member, size=LATEST).entries,
        "next_reward": next_reward(member, at=at),
        "offers": [offer for offer in offers.offers_for(member, at=at) if not offer.is_active],
    }
    return render(request, "rewards/home.html", context)


@dataclass(frozen=True)
class Filter:
    """What the member asked to see, as it stands in the address."""

    kind: str
    period: str
    since: dt.datetime | None
    until: dt.datetime | None

    @property
    def is_on(self) -> bool:
        return bool(self.kind or self.period)


def _filter(request: HttpRequest, at: dt.datetime) -> Filter:
    """The filter in the address; what is unknown counts as not given. Periods are days of the member's time zone."""
    kind = request.GET.get("kind", "")
    period = request.GET.get("period", "")
    kind, period = (kind if kind in FILTERS else ""), (period if period in PERIODS else "")
    here = timezone.localtime(at)
    midnight = here.replace(hour=0, minute=0, second=0, microsecond=0)
    new_year = midnight.replace(month=1, day=1)
    since, until = {
        "": (None, None),
        "30d": (midnight - dt.timedelta(days=29), None),
        "90d": (midnight - dt.timedelta(days=89), None),
        "year": (new_year, None),
        "lastyear": (new_year.replace(year=new_year.year - 1), new_year),
    }[period]
    return Filter(kind, period, since, until)


@require_safe
@member_page
def statement(request: HttpRequest, member: Member) -> HttpResponseBase:
    """What happened, newest first, with the reason for every line. htmx asks for the list, or for more of it, alone."""
    chosen = _filter(request, clock.now())
    cursor = request.GET.get("cursor", "")
    keeps_receipts = has_consent(member.pk, Purpose.PURCHASE_LINES)
    try:
        page = statement_page(
            member,
            kind=chosen.kind,
            since=chosen.since,
            until=chosen.until,
            cursor=cursor,
            with_receipts=keeps_receipts,
        )
    except ValueError:
        return redirect("statement")
    page = replace(page, entries=explained(page.entries))
    context = {
        "member": member,
        "months": _by_month(page, after=cursor),
        "page": page,
        "cursor": cursor,
        "filter": chosen,
        "kinds": [("", pgettext("points", "All")), *FILTER_NAMES.items()],
        "periods": PERIODS.items(),
        "keeps_receipts": keeps_receipts,
    }
    part = _part(request, cursor)
    response = render(request, f"rewards/{part}.html", {**context, "swapped": part != "statement"})
    patch_vary_headers(response, ["HX-Request"])
    return response


def _part(request: HttpRequest, cursor: str) -> str:
    """Which template answers: the page, its list after a filter, or the next entries alone."""
    if not request.headers.get("HX-Request") or request.headers.get("HX-History-Restore-Request"):
        return "statement"
    return "_entries" if cursor else "_statement"


def _by_month(page: Page, *, after: str) -> list[tuple[str, Entry, bool]]:
    """Each entry with the month to say above it ("" when it goes on), and whether it is the first of a later page."""
    said = ""
    if after:
        said = _month(dt.datetime.fromisoformat(after.split("~")[0]))
    rows = []
    for place, entry in enumerate(page.entries):
        month = _month(entry.at)
        rows.append(("" if month == said else month, entry, bool(after) and place == 0))
        said = month
    return rows


def _month(at: dt.datetime) -> str:
    return date_format(timezone.localtime(at), "YEAR_MONTH_FORMAT")


class _Line:
    """What csv writes to: hands every line back."""

    def write(self, line: str) -> str:
        return line


@require_safe
@member_page
def statement_csv(request: HttpRequest, member: Member) -> HttpResponseBase:
    """The statement as a file for a spreadsheet: UTF-8 without a mark, one movement a row, oldest first."""
    chosen = _filter(request, clock.now())
    response = StreamingHttpResponse(_csv_lines(member, chosen), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="points-{timezone.localdate():%Y-%m-%d}.csv"'
    return response


def _csv_lines(member: Member, chosen: Filter) -> Iterator[str]:
    """The file line by line. The member's time zone is looked up now: the lines are written after the view ended."""
    zone = timezone.get_current_timezone()
    write = csv.writer(_Line()).writerow
    header = [
        _("Date"),
        _("Kind"),
        _("Reason"),
        _("Points"),
        _("Place"),
        _("Total"),
        _("Currency"),
        _("Receipt"),
        _("Valid until"),
    ]

    def lines() -> Iterator[str]:
        yield write(header)
        rows = transfers_of(member, kind=chosen.kind, since=chosen.since, until=chosen.until)
        for transfer, reason, change in rows:
            activity, lot = transfer.activity, getattr(transfer, "lot", None)
            cells: list[Any] = [
                transfer.occurred_at.astimezone(zone).isoformat(timespec="seconds"),
                transfer.get_kind_display(),
                reason,
                change,
                str(activity.store or activity.partner) if activity else "",
                activity.total if activity else "",
                activity.currency if activity else "",
                activity.external_id if activity else "",
                queries.last_moment(lot.expires_at).astimezone(zone).date().isoformat()
                if lot and lot.expires_at
                else "",
            ]
            yield write([safe_cell(cell) for cell in cells])

    return lines()


@require_safe
@member_page
def expiring(request: HttpRequest, member: Member) -> HttpResponseBase:
    """Every amount that expires, with its date."""
    return render(
        request,
        "rewards/expiring.html",
        {"member": member, "balance": queries.balance_of(member, clock.now())},
    )


@require_safe
@member_page
def personal_offers(request: HttpRequest, member: Member) -> HttpResponseBase:
    """The member's personal offers: those to activate first, then the activated ones."""
    found = offers.offers_for(member, at=clock.now())
    return render(request, "rewards/offers.html", {"member": member, "offers": found})


@require_POST
@member_page
def activate_offer(request: HttpRequest, member: Member) -> HttpResponseBase:
    """Activate an offer; from now on it counts for the member until it ends."""
    try:
        offer = offers.activate(member=member, code=request.POST.get("offer", ""), at=clock.now())
    except OfferNotFound:
        messages.error(request, _("This offer has ended or is not for you."))
    else:
        messages.success(
            request, _("Activated: %(offer)s. It counts from your next purchase on.") % {"offer": offer.name}
        )
    return redirect("offers")


@require_safe
@member_page
def my_data(request: HttpRequest, member: Member) -> HttpResponseBase:
    """Everything the programme holds about the member, in a form that machines read too."""
    at = clock.now()
    balance = queries.balance_of(member, at)
    data = {
        "exported_at": at,
        "profile": profile_data(member),
        "balance": {"available": balance.available, "pending": balance.pending, "debt": balance.debt},
        "points": [
            {
                "occurred_at": transfer.occurred_at,
                "kind": transfer.kind,
                "reason": reason,
                "points": transfer.points,
                "change": change,
                "activity": str(transfer.activity.public_id) if transfer.activity else None,
            }
            for transfer, reason, change in transfers_of(member)
        ],
        "activities": activity_data(member),
        **copies_of(member),
    }
    response = JsonResponse(data, json_dumps_params={"ensure_ascii": False, "indent": 2})
    response["Content-Disposition"] = f'attachment; filename="my-data-{timezone.localdate():%Y-%m-%d}.json"'
    return response
