"""The portal's page of leaderboards: the tables, one's own place, the nickname, and leaving."""

import datetime as dt
from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from django.views.decorators.http import require_POST, require_safe

from loyalty import clock
from members.models import Member
from members.portal import member_page
from rewards.leaderboards import membership, reading, tables
from rewards.leaderboards.forms import NicknameForm
from rewards.leaderboards.nicknames import NicknameRefused
from rewards.models import Leaderboard, LeaderboardProfile, LeaderboardTable

PAST = 12
"""How many periods one can look back."""

Period = Leaderboard.Period


@dataclass(frozen=True, slots=True)
class Choice:
    """A period that can be looked at."""

    table: LeaderboardTable
    name: str
    is_shown: bool


@require_safe
@member_page
def leaderboards(request: HttpRequest, member: Member) -> HttpResponseBase:
    """The chosen leaderboard (``board``) in the chosen period (``from``); what is unknown counts as not chosen."""
    return _page(request, member)


@require_POST
@member_page
def nickname(request: HttpRequest, member: Member) -> HttpResponseBase:
    """Join in under a nickname, or take another one."""
    form = NicknameForm(request.POST)
    if form.is_valid():
        try:
            profile = membership.take_nickname(
                member_id=member.pk, nickname=form.cleaned_data["nickname"], at=clock.now()
            )
        except NicknameRefused as refused:
            form.add_error("nickname", str(refused))
        else:
            messages.success(
                request, _("You are on the leaderboards as %(nickname)s.") % {"nickname": profile}
            )
            return redirect("leaderboards")
    return _page(request, member, form=form)


@require_POST
@member_page
def leave(request: HttpRequest, member: Member) -> HttpResponseBase:
    """Leave all of them."""
    membership.leave(member_id=member.pk, at=clock.now())
    messages.success(request, _("You are not on any leaderboard any more."))
    return redirect("leaderboards")


def _page(request: HttpRequest, member: Member, *, form: NicknameForm | None = None) -> HttpResponseBase:
    at = clock.now()
    profile = LeaderboardProfile.objects.filter(pk=member.pk).first()
    boards = tables.shown_boards()
    board = next(
        (each for each in boards if each.code == request.GET.get("board")), boards[0] if boards else None
    )
    table = _chosen(request, board, at) if board else None
    context = {
        "member": member,
        "boards": boards,
        "board": board,
        "table": table,
        "shown": reading.shown(table, member_id=member.pk) if table else None,
        "period": period_name(table) if table else "",
        "choices": _choices(board, table) if board else [],
        "profile": profile,
        "form": form or NicknameForm(initial={"nickname": profile.nickname if profile else ""}),
    }
    return render(request, "rewards/leaderboards/leaderboards.html", context)


def _chosen(request: HttpRequest, board: Leaderboard, at: dt.datetime) -> LeaderboardTable | None:
    try:
        starts_on = dt.date.fromisoformat(request.GET.get("from", ""))
    except ValueError:
        starts_on = None
    found = tables.table_of(board, starts_on=starts_on)
    return found or tables.table_of(board, starts_on=None)


def _choices(board: Leaderboard, shown: LeaderboardTable | None) -> list[Choice]:
    """The latest periods of a leaderboard, where there is more than one."""
    found = list(board.tables.order_by("-starts_on")[:PAST])
    for table in found:
        table.leaderboard = board
    if len(found) < 2:
        return []
    return [Choice(table, period_name(table), table == shown) for table in found]


def period_name(table: LeaderboardTable) -> str:
    """“June 2026”, “15.6.2026–21.6.2026”, “2026”, “from the beginning”; "" for the whole of a challenge."""
    match Period(table.leaderboard.period):
        case Period.EVER:
            return "" if table.leaderboard.challenge_id else pgettext("leaderboard", "from the beginning")
        case Period.YEAR:
            return str(table.starts_on.year)
        case Period.MONTH:
            return date_format(table.starts_on, "YEAR_MONTH_FORMAT")
        case Period.WEEK:
            last = (table.ends_on or table.starts_on) - dt.timedelta(days=1)
            return f"{date_format(table.starts_on, 'SHORT_DATE_FORMAT')}–{date_format(last, 'SHORT_DATE_FORMAT')}"
