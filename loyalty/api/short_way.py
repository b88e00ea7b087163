"""The short way for API requests: past everything that only pages for people need.

An API request has a key, no session, no cookie, no form and no page: of the middleware, those before this one in the
settings (security headers, logs, metrics) serve it too, those after it do not. Language is by ``Accept-Language``.
"""

from collections.abc import Callable

from django.conf import settings
from django.core.handlers.exception import convert_exception_to_response
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.template.response import SimpleTemplateResponse
from django.urls import ResolverMatch, resolve
from django.utils import translation

from loyalty.api.language import accepted

Answer = Callable[[HttpRequest], HttpResponseBase]

PREFIX = "/api/v1/"
PAGES = ("/api/v1/docs", "/api/v1/schema")
"""Under the prefix, but read in a browser: they go the long way."""


class ApiShortWay:
    """Middleware that answers API requests by calling their view at once."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response
        self.view = convert_exception_to_response(_call_view)

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        path = request.path_info
        if not path.startswith(PREFIX) or path.startswith(PAGES):
            return self.get_response(request)
        return self.view(request)


def _call_view(request: HttpRequest) -> HttpResponseBase:
    """Resolve and call the view, in the language that the request accepts."""
    code = accepted(request.headers.get("Accept-Language", ""))
    translation.activate(code)
    request.LANGUAGE_CODE = code  # type: ignore[attr-defined]
    match = request.resolver_match = _resolved(request.path_info)
    response: HttpResponseBase = match.func(request, *match.args, **match.kwargs)
    if isinstance(response, SimpleTemplateResponse):
        response = response.render()
    response.headers.setdefault("Content-Language", translation.get_language() or code)
    if isinstance(response, HttpResponse):
        response.headers.setdefault("Content-Length", str(len(response.content)))
    return response


_plain: dict[tuple[str, str], ResolverMatch] = {}
"""What addresses without a parameter lead to, by the URLconf and the path: as many as there are such routes."""


def _resolved(path: str) -> ResolverMatch:
    """The view of an address. To look through all routes costs as much as a statement, so plain ones are kept."""
    place = (settings.ROOT_URLCONF, path)
    if (known := _plain.get(place)) is not None:
        return known
    match = resolve(path)
    if not match.captured_kwargs and not match.args:
        _plain[place] = match
    return match
