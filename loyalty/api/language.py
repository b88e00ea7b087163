"""The language of an answer's texts: ``?language=`` before the ``Accept-Language`` header."""

from typing import Any

from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request
from rest_framework.views import APIView

from loyalty.api.problems import FieldError, Invalid

CODES = tuple(code for code, _name in settings.LANGUAGES)
LANGUAGE_PARAMETER = OpenApiParameter(
    "language", enum=CODES, description="The language of texts and names. Default: `Accept-Language`."
)


class SpeakingView(APIView):
    """A view whose answer has texts for people."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if (code := request.query_params.get("language")) is not None:
            if code not in CODES:
                message = str(_("One of %(codes)s.") % {"codes": ", ".join(CODES)})
                raise Invalid(errors=[FieldError("language", "invalid_choice", message)])
            translation.activate(code)  # the locale middleware sets it anew for each request
