"""The language of an answer's texts: ``?language=``, else the ``Accept-Language`` header, else English.

The programme's own language is its members'; who reads the API's refusals is a partner's developer.
"""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import translation
from django.utils.translation import gettext_lazy as _
from django.utils.translation.trans_real import get_supported_language_variant, parse_accept_lang_header
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request
from rest_framework.views import APIView

from loyalty.api.problems import FieldError, Invalid

CODES = tuple(code for code, _name in settings.LANGUAGES)
LANGUAGE_PARAMETER = OpenApiParameter(
    "language",
    enum=CODES,
    description="The language of texts and names. Default: `Accept-Language`, else English.",
)
DEFAULT = "en"


def english_by_default(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Middleware behind Django's own: under ``/api/`` neither a cookie nor the programme's language counts."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        if request.path_info.startswith("/api/"):
            code = accepted(request.headers.get("Accept-Language", ""))
            translation.activate(code)
            request.LANGUAGE_CODE = code  # type: ignore[attr-defined]
        return get_response(request)

    return middleware


def accepted(header: str) -> str:
    """The first of our languages that an ``Accept-Language`` header asks for; English when it asks for none."""
    for wanted, _priority in parse_accept_lang_header(header.lower()):
        if wanted == "*":
            break
        try:
            return get_supported_language_variant(wanted)
        except LookupError:
            continue
    return DEFAULT


class SpeakingView(APIView):
    """A view whose answer has texts for people."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if (code := request.query_params.get("language")) is not None:
            if code not in CODES:
                message = str(_("One of %(codes)s.") % {"codes": ", ".join(CODES)})
                raise Invalid(errors=[FieldError("language", "invalid_choice", message)])
            translation.activate(code)  # the locale middleware sets it anew for each request
