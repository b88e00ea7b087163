"""The admin site: unfold's looks, and the portal's log-in in front, so that limits and the second factor apply."""

from allauth.account.decorators import secure_admin_login
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from unfold.sites import UnfoldAdminSite


class KantisAdminSite(UnfoldAdminSite):
    """Staff only. Whoever is logged in but not staff is refused, and told so, instead of asked again."""

    @method_decorator(secure_admin_login)
    def login(self, request: HttpRequest, extra_context: dict[str, object] | None = None) -> HttpResponse:
        response: HttpResponse = super().login(request, extra_context)
        return response
