"""Draws in the API: what is open and what was drawn, and the list of entries for whoever checks."""

import uuid

from django.http import HttpResponse
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from loyalty import clock
from loyalty.api.language import LANGUAGE_PARAMETER, SpeakingView
from loyalty.api.pagination import CursorPage
from loyalty.api.problems import Conflict, NotFound
from loyalty.partners.models import Scope
from rewards.draws import lottery, queries
from rewards.draws.holding import tickets_of
from rewards.draws.serializers import DrawSerializer, EntriesSerializer, draw_answer
from rewards.models import Draw

AS = OpenApiParameter(
    "as", enum=["json", "csv"], description="`csv`: the very bytes whose SHA-256 is `list_digest`."
)


class UnknownDraw(NotFound):
    code, title = "unknown-draw", _("There is no such draw.")


class ListNotPublished(Conflict):
    code, title = "entries-not-published", _("The list of entries is published when the draw has closed.")


class LatestFirst(CursorPage):
    ordering = ("-closes_at", "-id")


class DrawsView(SpeakingView, GenericAPIView[Draw]):
    """Draws."""

    required_scopes = Scope.REWARDS_READ
    queryset = Draw.objects.none()
    serializer_class = DrawSerializer
    pagination_class = LatestFirst
    filter_backends = ()

    @extend_schema(
        operation_id="draws_list",
        summary="Read the draws",
        description="All but drafts, the last to close first. `seed` is null until a draw is held.",
        parameters=[LANGUAGE_PARAMETER],
        responses=DrawSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        page = [draw.pk for draw in self.paginate_queryset(queries.public()) or ()]
        found = queries.shown(
            queries.public().filter(pk__in=page).order_by("-closes_at", "-pk"), at=clock.now()
        )
        return self.get_paginated_response([draw_answer(each) for each in found])


class DrawView(SpeakingView):
    """One draw."""

    required_scopes = Scope.REWARDS_READ

    @extend_schema(
        operation_id="draws_read",
        summary="Read a draw",
        parameters=[LANGUAGE_PARAMETER],
        responses=DrawSerializer,
    )
    def get(self, request: Request, public_id: uuid.UUID) -> Response:
        found = queries.shown(queries.public().filter(public_id=public_id), at=clock.now())
        if not found:
            raise UnknownDraw
        return Response(draw_answer(found[0]))


class EntriesView(SpeakingView):
    """The list of entries."""

    required_scopes = Scope.REWARDS_READ

    @extend_schema(
        operation_id="draws_entries",
        summary="Read the list of entries",
        description="Numbers and chances, nobody's name, once the draw has closed; before that 409.",
        parameters=[AS],
        responses={(200, "application/json"): EntriesSerializer, (200, "text/csv"): str},
    )
    def get(self, request: Request, public_id: uuid.UUID) -> Response | HttpResponse:
        draw = queries.public().filter(public_id=public_id).first()
        if draw is None:
            raise UnknownDraw
        if draw.state not in queries.PUBLISHED:
            raise ListNotPublished
        if request.query_params.get("as") == "csv":
            return entries_csv(draw)
        lines = [
            {"number": each.number, "holder": each.holder, "chances": each.chances}
            for each in tickets_of(draw.pk)
        ]
        return Response({"list_digest": draw.list_digest, "results": lines})


def entries_csv(draw: Draw) -> HttpResponse:
    """The list of entries byte for byte as its digest is of."""
    return HttpResponse(
        lottery.list_text(tickets_of(draw.pk)).encode("ascii"),
        content_type="text/csv; charset=us-ascii",
        headers={"Content-Disposition": f'attachment; filename="{draw.code}-entries.csv"'},
    )
