"""Cursor pages: stable while rows are added, and as cheap at the end of a list as at its beginning."""

from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import NotFound
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request

from loyalty.api.problems import FieldError, Invalid

if TYPE_CHECKING:
    from rest_framework.views import APIView


class CursorPage(CursorPagination):
    """Newest first. ``limit`` sets the page's size; ``next`` and ``previous`` are addresses to follow as they are."""

    ordering: Any = "-id"
    page_size = 50
    max_page_size = 200
    page_size_query_param = "limit"
    cursor_query_description = _("Where the page begins: taken from `next` or `previous`.")
    page_size_query_description = _("How many results a page holds, 1 to 200.")

    def paginate_queryset(
        self, queryset: QuerySet[Any], request: Request, view: "APIView | None" = None
    ) -> list[Any] | None:
        """The rows of the page; a cursor that no page gave out is refused, not looked up."""
        try:
            return super().paginate_queryset(queryset, request, view)
        except (NotFound, ValidationError, ValueError, OverflowError) as error:
            if self.cursor_query_param not in request.query_params:
                raise
            message = str(_("Take it from “next” or “previous” as it is."))
            raise Invalid(errors=[FieldError(self.cursor_query_param, "invalid", message)]) from error

    def get_page_size(self, request: Request) -> int | None:
        text = request.query_params.get("limit")
        if text is None:
            return self.page_size
        if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= self.max_page_size:
            message = str(_("A whole number from 1 to %(most)s.") % {"most": self.max_page_size})
            raise Invalid(errors=[FieldError("limit", "invalid", message)])
        return int(text)

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """DRF's own says ``nullable``, which OpenAPI 3.1 no longer knows."""
        address = {"type": ["string", "null"], "format": "uri"}
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {"next": address, "previous": address, "results": schema},
        }
