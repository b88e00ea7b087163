"""The demo's leaderboards: this month, the last one with its final table, and a challenge; forty members on them."""

import datetime as dt

from django.db import transaction

from loyalty import clock, programme
from rewards.leaderboards import membership, scores, tables, upkeep
from rewards.models import Challenge, Leaderboard, LeaderboardTable

DEMO_NICKNAME = "Kahvikuppi"
NICKNAMES = (
    "Pullapoika", "Mustikkamuori", "Aamuvirkku", "Korvapuusti", "Saaristolainen", "Rantaruusu", "Hilla", "Metsänpeikko",
    "Puolukka", "Lakkasuo", "Kesäkissa", "Tuulihattu", "Kardemumma", "Ruisleipä", "Sitruunaperhonen", "Pikkulintu",
    "Laiskiainen", "Kaurahiutale", "Yökyöpeli", "Silakkamarkkinat", "Hiihtohullu", "Skärgårdsmåsen", "Blåbärsris",
    "Kanelbulle", "Morgonstund", "Solros", "Havsbris", "Lingonkungen", "Tallbarr", "Strandskata", "Northern Lights",
    "Sauna Steve", "Rye Bread Rita", "Cloudberry", "Slow Cyclist", "Salmiakki", "Villasukka", "Perunamaa", "Kuutamo",
    "Torikahvi",
)  # fmt: skip


def make_leaderboards(*, demo_member_id: int, others: list[int], at: dt.datetime) -> None:
    """Make the leaderboards and let the demo's member and others be on them, once; count what they did."""
    if Leaderboard.objects.exists():
        return
    names = zip([demo_member_id, *others], (DEMO_NICKNAME, *NICKNAMES), strict=False)
    members = []
    for member_id, nickname in names:
        membership.take_nickname(member_id=member_id, nickname=nickname, at=at)
        members.append(member_id)
    month = Leaderboard.objects.create(
        code="month",
        names={"fi": "Kuukauden kärki", "sv": "Månadens topp", "en": "The month's best"},
        basis=Leaderboard.Basis.EARNED,
        period=Leaderboard.Period.MONTH,
        position=1,
    )
    if shelves := Challenge.objects.filter(code="five-shelves").first():
        Leaderboard.objects.create(
            code="shelves",
            names={"fi": "Uteliaimmat", "sv": "De nyfiknaste", "en": "The most curious"},
            basis=Leaderboard.Basis.CHALLENGE,
            challenge=shelves,
            period=Leaderboard.Period.EVER,
            position=2,
        )
    before = _last_month(month, at)
    with transaction.atomic():
        scores.recompute_in([before, *tables.open_tables(at=at)], members)
    LeaderboardTable.objects.update(counted_at=at)
    upkeep.close(before, at=at)


def _last_month(board: Leaderboard, at: dt.datetime) -> LeaderboardTable:
    today = clock.local_date(at, programme.current().time_zone)
    first, end = tables.span(board.period, today.replace(day=1) - dt.timedelta(days=1))
    return LeaderboardTable.objects.create(leaderboard=board, starts_on=first, ends_on=end)
