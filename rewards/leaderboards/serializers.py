"""The shapes of leaderboards in the API. Nobody is named but by nickname."""

import datetime as dt
from collections.abc import Iterable
from typing import Any

from rest_framework import serializers

from loyalty.api.parsing import StrictSerializer
from rewards.leaderboards.nicknames import LONGEST, SHORTEST
from rewards.leaderboards.reading import Line, Shown
from rewards.leaderboards.tables import BEGINNING
from rewards.models import Leaderboard, LeaderboardProfile, LeaderboardTable


class LeaderboardSerializer(serializers.Serializer[Any]):
    """A leaderboard."""

    id = serializers.UUIDField()
    leaderboard = serializers.CharField(help_text="Its code.")
    name = serializers.CharField()
    basis = serializers.ChoiceField(choices=Leaderboard.Basis.choices, help_text="What is compared.")
    challenge = serializers.CharField(allow_null=True, help_text="The challenge's code.")
    period = serializers.ChoiceField(choices=Leaderboard.Period.choices)


class LeaderboardsSerializer(serializers.Serializer[Any]):
    results = LeaderboardSerializer(many=True)


class TableSerializer(serializers.Serializer[Any]):
    """A period of a leaderboard."""

    starts_on = serializers.DateField(allow_null=True, help_text="Its first day; null: from the beginning.")
    ends_on = serializers.DateField(allow_null=True, help_text="Its last day; null: without an end.")
    is_final = serializers.BooleanField(help_text="Whether no score moves any more.")


class LineSerializer(serializers.Serializer[Any]):
    """A place. Those of one score share a rank (1, 1, 3)."""

    rank = serializers.IntegerField()
    nickname = serializers.CharField()
    score = serializers.DecimalField(
        max_digits=20, decimal_places=2, help_text="Points, or progress in the challenge's measure."
    )
    text = serializers.CharField(help_text="The score in words.")


class LeaderboardTableSerializer(LeaderboardSerializer):
    """A leaderboard with one of its tables; null where it has none yet."""

    table = TableSerializer(allow_null=True)
    members = serializers.IntegerField(help_text="How many have a place.")
    top = LineSerializer(many=True)
    mine = LineSerializer(allow_null=True, help_text="The place of the member who was asked for.")
    around = LineSerializer(many=True, help_text="That place with its neighbours.")
    tables = TableSerializer(many=True, help_text="The periods there are, the latest first.")


class NewNicknameSerializer(StrictSerializer):
    """The nickname that a member wants to be seen under."""

    nickname = serializers.CharField(max_length=100, help_text=f"{SHORTEST} to {LONGEST} characters.")


class NicknameSerializer(serializers.Serializer[Any]):
    """How a member is seen on leaderboards; null: not at all."""

    nickname = serializers.CharField(allow_null=True)
    joined_at = serializers.DateTimeField(allow_null=True)


def board_answer(board: Leaderboard) -> dict[str, Any]:
    return {
        "id": str(board.public_id),
        "leaderboard": board.code,
        "name": board.name,
        "basis": board.basis,
        "challenge": board.challenge.code if board.challenge else None,
        "period": board.period,
    }


def table_answer(table: LeaderboardTable) -> dict[str, Any]:
    return {
        "starts_on": None if table.starts_on == BEGINNING else table.starts_on,
        "ends_on": table.ends_on and table.ends_on - dt.timedelta(days=1),
        "is_final": table.closed_at is not None,
    }


def shown_answer(
    board: Leaderboard, shown: Shown | None, tables: Iterable[LeaderboardTable]
) -> dict[str, Any]:
    return {
        **board_answer(board),
        "table": table_answer(shown.table) if shown else None,
        "members": shown.total if shown else 0,
        "top": [_line(line) for line in shown.top] if shown else [],
        "mine": _line(shown.mine) if shown and shown.mine else None,
        "around": [_line(line) for line in shown.around] if shown else [],
        "tables": [table_answer(table) for table in tables],
    }


def _line(line: Line) -> dict[str, Any]:
    return {
        "rank": line.rank,
        "nickname": line.nickname,
        "score": f"{line.amount:.2f}",
        "text": line.text,
    }


def nickname_answer(profile: LeaderboardProfile | None) -> dict[str, Any]:
    return {
        "nickname": profile.nickname if profile else None,
        "joined_at": profile.joined_at if profile else None,
    }
