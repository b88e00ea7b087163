"""The shapes of draws in the API and in the portal's files. No member is ever named: entries have numbers."""

from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from loyalty.translated import in_language
from rewards.draws import lottery
from rewards.draws.queries import ShownDraw
from rewards.models import Draw

PUBLIC_STATES = [(str(state), state.label) for state in Draw.State if state != Draw.State.DRAFT]


class PrizeSerializer(serializers.Serializer[Any]):
    position = serializers.IntegerField(help_text=_("Prizes are drawn in this order."))
    name = serializers.CharField()
    quantity = serializers.IntegerField()
    points = serializers.IntegerField()


class DrawWinnerSerializer(serializers.Serializer[Any]):
    position = serializers.IntegerField(help_text=_("The order in which the winners were drawn."))
    prize = serializers.IntegerField(help_text=_("The position of the prize."))
    number = serializers.IntegerField(help_text=_("The number of the entry."))


class DrawSerializer(serializers.Serializer[Any]):
    """A draw with all that is needed to recompute its winners once it is held."""

    id = serializers.UUIDField()
    code = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField(allow_blank=True)
    rules = serializers.CharField(allow_blank=True)
    state = serializers.ChoiceField(choices=PUBLIC_STATES)
    opens_at = serializers.DateTimeField()
    closes_at = serializers.DateTimeField()
    draws_at = serializers.DateTimeField(allow_null=True, help_text=_("Null: as soon as it closes."))
    entries_per_member = serializers.IntegerField(allow_null=True)
    entries = serializers.IntegerField()
    chances = serializers.IntegerField()
    prizes = PrizeSerializer(many=True)
    algorithm = serializers.CharField()
    commitment = serializers.CharField(help_text=_("SHA-256 of the seed, published when the draw opened."))
    list_digest = serializers.CharField(
        allow_null=True, help_text=_("SHA-256 of the list of entries, published when the draw closed.")
    )
    seed = serializers.CharField(allow_null=True, help_text=_("In hexadecimal, once the draw is held."))
    drawn_at = serializers.DateTimeField(allow_null=True)
    entries_url = serializers.URLField(allow_null=True, help_text=_("The list as CSV, for everybody."))
    winners = DrawWinnerSerializer(many=True)


class DrawsSerializer(serializers.Serializer[Any]):
    results = DrawSerializer(many=True)


class TicketSerializer(serializers.Serializer[Any]):
    """A line of the list of entries."""

    number = serializers.IntegerField()
    holder = serializers.IntegerField(help_text=_("The lowest number of the same member."))
    chances = serializers.IntegerField()


class EntriesSerializer(serializers.Serializer[Any]):
    list_digest = serializers.CharField(help_text=_("SHA-256 of the list as CSV."))
    results = TicketSerializer(many=True)


def draw_answer(shown: ShownDraw) -> dict[str, Any]:
    """A draw as a dictionary; texts in the active language."""
    draw = shown.draw
    csv = settings.PUBLIC_URL + reverse("draw-entries", args=[draw.public_id]) if shown.is_published else None
    return {
        "id": str(draw.public_id),
        "code": draw.code,
        "name": shown.name,
        "description": shown.description,
        "rules": shown.rules,
        "state": draw.state,
        "opens_at": draw.opens_at,
        "closes_at": draw.closes_at,
        "draws_at": draw.draws_at,
        "entries_per_member": draw.entries_per_member,
        "entries": shown.odds.entries,
        "chances": shown.odds.chances,
        "prizes": [
            {
                "position": prize.position,
                "name": in_language(prize.names),
                "quantity": prize.quantity,
                "points": prize.points,
            }
            for prize in shown.prizes
        ],
        "algorithm": lottery.ALGORITHM,
        "commitment": draw.commitment,
        "list_digest": draw.list_digest or None,
        "seed": shown.seed or None,
        "drawn_at": draw.drawn_at,
        "entries_url": csv,
        "winners": [
            {"position": each.position, "prize": each.prize.position, "number": each.entry.number}
            for each in shown.winners
        ],
    }
