"""Every error of the API as RFC 9457 ``application/problem+json``, whoever raised it.

Domain modules subclass :class:`Problem` for what a partner may do wrong; Django's, DRF's and the database's own errors
are turned into problems here. ``errors`` names the fields: ``lines[2].quantity``.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from http import HTTPStatus
from typing import Any

import structlog
from django.conf import settings
from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.db import DataError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.utils.translation import gettext_lazy as _
from django.views import defaults
from rest_framework import exceptions
from rest_framework.response import Response

logger = structlog.get_logger("kantis.api")

CONTENT_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 5


@dataclass(frozen=True)
class FieldError:
    """What is wrong with one field of the request."""

    field: str
    code: str
    message: str


class Problem(Exception):
    """A refusal that the partner is told of. Subclasses set the status, a stable code and a title.

    ``extra`` members are added to the answer's top level, for example ``id`` of a duplicate.
    """

    status: int = 400
    code: str = "invalid-request"
    title: Any = _("The request is not valid.")

    def __init__(
        self,
        detail: Any = "",
        *,
        errors: Iterable[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})
        self.extra = extra

    def __str__(self) -> str:
        return f"{self.code}: {self.detail or self.title}"

    def body(self) -> dict[str, Any]:
        """The members of the answer; also the ``problem`` of one item of a batch."""
        body: dict[str, Any] = {
            "type": type_uri(self.code),
            "title": str(self.title),
            "status": self.status,
            "code": self.code,
        }
        if self.detail:
            body["detail"] = str(self.detail)
        if self.errors:
            body["errors"] = [asdict(error) for error in self.errors]
        return body | self.extra


class Malformed(Problem):
    code, title = "malformed", _("The body is not the JSON that was expected.")


class UnknownField(Problem):
    code, title = "unknown-field", _("The body has fields that this address does not know.")


class Invalid(Problem):
    status, code, title = 422, "invalid", _("Some values are not valid.")


class Unauthenticated(Problem):
    status, code, title = 401, "unauthenticated", _("A valid API key is needed.")


class Forbidden(Problem):
    status, code, title = 403, "forbidden", _("This key may not do that.")


class NotFound(Problem):
    status, code, title = 404, "not-found", _("There is nothing at this address.")


class MethodNotAllowed(Problem):
    status, code, title = 405, "method-not-allowed", _("This address does not take that method.")


class NotAcceptable(Problem):
    status, code, title = 406, "not-acceptable", _("The answer is JSON only.")


class Conflict(Problem):
    status, code, title = 409, "conflict", _("This contradicts what is recorded already.")


class TooLarge(Problem):
    status, code, title = 413, "too-large", _("The body is too large.")


class UnsupportedMediaType(Problem):
    status, code, title = 415, "unsupported-media-type", _("The body must be application/json.")


class Throttled(Problem):
    status, code, title = 429, "throttled", _("Too many requests with this key.")


class Failed(Problem):
    status, code, title = 500, "failed", _("Something went wrong on our side.")


class Unavailable(Problem):
    status, code, title = 503, "unavailable", _("The service is not available just now; try again.")


_BY_STATUS: dict[int, type[Problem]] = {
    kind.status: kind
    for kind in (
        Problem,
        Unauthenticated,
        Forbidden,
        NotFound,
        MethodNotAllowed,
        NotAcceptable,
        Conflict,
        TooLarge,
        UnsupportedMediaType,
        Invalid,
        Throttled,
        Failed,
        Unavailable,
    )
}


def type_uri(code: str) -> str:
    """The problem's type, an address of this installation."""
    return f"{settings.PUBLIC_URL}/api/v1/problems/{code}"


def exception_handler(error: Exception, context: Mapping[str, Any]) -> Response | None:
    """DRF's hook: the problem for what a view raised, or None for a bug (which Django logs and answers with 500)."""
    problem = problem_of(error)
    if problem is None:
        return None
    if problem.status >= 500:
        logger.error("request_not_served", code=problem.code, error=str(error))
    return Response(
        _with_instance(problem.body()),
        status=problem.status,
        headers=problem.headers,
        content_type=CONTENT_TYPE,
    )


def problem_of(error: Exception) -> Problem | None:
    """The problem that tells of an exception, or None when it is not the client's nor the surroundings' doing."""
    match error:
        case Problem():
            return error
        case exceptions.ValidationError():
            return Invalid(errors=field_errors(error.detail))
        case exceptions.ParseError():
            return Malformed(error.detail)
        case exceptions.APIException():
            return _of_api_exception(error)
        case Http404():
            return NotFound()
        case PermissionDenied():
            return Forbidden()
        case RequestDataTooBig():
            return TooLarge()
        case DataError():
            return Invalid(_("A value does not fit into its column."))
        case OperationalError() | InterfaceError():
            return Unavailable(headers={"Retry-After": str(RETRY_AFTER_SECONDS)})
    return None


def _of_api_exception(error: exceptions.APIException) -> Problem:
    headers = {}
    if auth_header := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = auth_header
    if (wait := getattr(error, "wait", None)) is not None:
        headers["Retry-After"] = str(int(wait))
    known = _BY_STATUS.get(error.status_code)
    if known is not None:
        return known(_own_detail(error), headers=headers)
    problem = Problem(_own_detail(error), headers=headers)
    problem.status = error.status_code
    problem.code = str(error.default_code).replace("_", "-")
    problem.title = HTTPStatus(error.status_code).phrase
    return problem


def _own_detail(error: exceptions.APIException) -> Any:
    """What the exception says beyond its class's own default, which the title says already."""
    return "" if error.detail == error.default_detail else error.detail


def field_errors(detail: Any) -> tuple[FieldError, ...]:
    """DRF's nested error detail as a flat list with paths such as ``lines[2].quantity``."""
    return tuple(_flatten(detail, ""))


def _flatten(detail: Any, path: str) -> Iterator[FieldError]:
    if isinstance(detail, dict):
        for name, inner in detail.items():
            yield from _flatten(inner, _joined(path, name))
    elif isinstance(detail, list):
        for index, inner in enumerate(detail):
            is_item = isinstance(inner, dict | list)
            yield from _flatten(inner, f"{path}[{index}]" if is_item else path)
    else:
        yield FieldError(path, str(getattr(detail, "code", "invalid")), str(detail))


def _joined(path: str, name: Any) -> str:
    if name == "non_field_errors":
        return path
    if isinstance(name, int):  # DRF 3.16 and later key a list's errors by index
        return f"{path}[{name}]"
    return f"{path}.{name}" if path else str(name)


def _with_instance(body: dict[str, Any]) -> dict[str, Any]:
    request_id = structlog.contextvars.get_contextvars().get("request_id")
    return body | {"instance": f"urn:uuid:{request_id}"} if request_id else body


def _is_api(request: HttpRequest) -> bool:
    return request.path_info.startswith("/api/")


def as_json(problem: Problem) -> JsonResponse:
    """The answer outside DRF's views."""
    return JsonResponse(
        _with_instance(problem.body()),
        status=problem.status,
        headers=problem.headers,
        content_type=CONTENT_TYPE,
    )


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Django's handler400: a problem for the API, a page for people."""
    if _is_api(request):
        return as_json(problem_of(exception) or Problem())
    return defaults.bad_request(request, exception)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Django's handler403."""
    return as_json(Forbidden()) if _is_api(request) else defaults.permission_denied(request, exception)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Django's handler404."""
    return as_json(NotFound()) if _is_api(request) else defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponseBase:
    """Django's handler500."""
    return as_json(Failed()) if _is_api(request) else defaults.server_error(request)


def explain(request: HttpRequest, code: str) -> HttpResponse:
    """What a problem's type means, at the address that the type names."""
    kind = next((kind for kind in _all_kinds() if kind.code == code), None)
    if kind is None:
        raise Http404
    text = f"{kind.code} ({kind.status})\n\n{kind.title}\n"
    return HttpResponse(text, content_type="text/plain; charset=utf-8")


def _all_kinds() -> Iterator[type[Problem]]:
    waiting: list[type[Problem]] = [Problem]
    while waiting:
        kind = waiting.pop()
        yield kind
        waiting += kind.__subclasses__()
