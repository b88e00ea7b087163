"""The admin's own Content-Security-Policy: its Alpine needs ``unsafe-eval``, its widgets inline styles."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse


class AdminCSPMiddleware:
    """Widens the policy (``ADMIN_CSP``) for answers under the admin's address, and for them only.

    Stands below ``csp.middleware.CSPMiddleware``, which turns the mark left here into the header.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if request.path.startswith(reverse("admin:index")):
            response._csp_replace = settings.ADMIN_CSP  # type: ignore[attr-defined]
        return response
