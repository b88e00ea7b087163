"""Being on the leaderboards: taking a nickname, changing it, leaving; and what staff do about nicknames.

Who has no nickname is neither shown nor counted. Called by the portal, the API, the admin and the handlers.
"""

import datetime as dt
from typing import Any

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from loyalty.events import bus
from members.models import Member
from members.personal_data import Holder
from rewards.leaderboards import scores
from rewards.leaderboards.nicknames import NicknameRefused, cleaned, key_of, known_words
from rewards.models import LeaderboardProfile, LeaderboardScore


class NotOnLeaderboards(LookupError):
    """The member has no nickname."""


def take_nickname(*, member_id: int, nickname: str, at: dt.datetime) -> LeaderboardProfile:
    """Show the member under this nickname from now on, with what they have done so far; the same again changes nothing.

    Raises NicknameRefused (its letters, a forbidden word, or taken: of two at once the unique key lets one in). The
    scores are counted here for a page that shows them at once, and again when ``leaderboard.joined`` is heard of, for
    what was recorded in between.
    """
    text = cleaned(nickname, words=known_words())
    with transaction.atomic():
        member = Member.objects.select_for_update(of=("self",), no_key=True).get(pk=member_id)
        if member.status != Member.Status.ACTIVE:
            raise NicknameRefused("no-member", _("Only members of the programme can be on leaderboards."))
        profile = LeaderboardProfile.objects.filter(pk=member_id).first()
        if profile is not None and profile.nickname == text:
            return profile
        is_new = profile is None
        profile = profile or LeaderboardProfile(member_id=member_id, joined_at=at)
        _store(profile, text)
        if is_new:
            scores.recompute(member_ids=[member_id], at=at)
            bus.announce("leaderboard.joined", member_id=member_id, at=at)
    return profile


def leave(*, member_id: int, at: dt.datetime) -> bool:
    """Take the member off all leaderboards, past tables included; whether they were on them."""
    with transaction.atomic():
        gone = _remove(member_id)
        if gone:
            bus.announce("leaderboard.left", member_id=member_id, at=at)
        return gone


def forget(member_id: int) -> None:
    """Remove what tells how a member was called here, staff's log included; part of erasing the member."""
    with transaction.atomic():
        _remove(member_id)
        kind = ContentType.objects.get_for_model(LeaderboardProfile)
        log = LogEntry.objects.filter(content_type=kind, object_id=str(member_id))
        log.update(object_repr="", change_message="")


def _remove(member_id: int) -> bool:
    scores.remove(member_id=member_id)
    gone, _by_model = LeaderboardProfile.objects.filter(pk=member_id).delete()
    return bool(gone)


def copy_of(member: Member) -> Any:
    """The nickname and the places' scores, for the member's own copy of their data."""
    profile = LeaderboardProfile.objects.filter(pk=member.pk).first()
    if profile is None:
        return None
    rows = LeaderboardScore.objects.filter(profile=profile).select_related("table__leaderboard")
    return {
        "nickname": profile.nickname,
        "joined_at": profile.joined_at,
        "scores": [
            {"leaderboard": row.table.leaderboard.code, "from": row.table.starts_on, "score": row.score}
            for row in rows.order_by("table__starts_on", "pk")
        ],
    }


def rename(*, member_id: int, nickname: str, at: dt.datetime) -> LeaderboardProfile:
    """Give a member another nickname, as staff; the member's page tells of it.

    Raises NicknameRefused and NotOnLeaderboards.
    """
    text = cleaned(nickname, words=known_words())
    with transaction.atomic():
        profile = LeaderboardProfile.objects.select_for_update(of=("self",)).filter(pk=member_id).first()
        if profile is None:
            raise NotOnLeaderboards
        if profile.nickname != text:
            profile.renamed_by_staff_at = at
            _store(profile, text, by_staff=True)
            bus.announce("leaderboard.renamed", member_id=member_id, at=at)
    return profile


HOLDER = Holder(key="leaderboards", copy=copy_of, erase=forget)


def _store(profile: LeaderboardProfile, nickname: str, *, by_staff: bool = False) -> None:
    profile.nickname, profile.key = nickname, key_of(nickname)
    if not by_staff:
        profile.renamed_by_staff_at = None
    try:
        with transaction.atomic():
            profile.save()
    except IntegrityError:
        text = _("Somebody has this nickname already, or one that reads the same. Choose another one.")
        raise NicknameRefused("taken", text) from None
