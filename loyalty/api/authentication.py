"""Who calls the API and what they may do: a bearer key, and the scopes that each view declares.

``request.auth`` is the :class:`ApiKey` with its partner; ``request.user`` is None, for a partner is no person.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import structlog
from django.utils.translation import gettext_lazy as _
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from loyalty import clock
from loyalty.partners import keys
from loyalty.partners.models import ApiKey

if TYPE_CHECKING:
    from rest_framework.views import APIView  # DRF's views import this module


class ApiKeyAuthentication(BaseAuthentication):
    """``Authorization: Bearer kantis_...``; one query."""

    def authenticate(self, request: Request) -> tuple[None, ApiKey] | None:
        scheme, _space, text = get_authorization_header(request).partition(b" ")
        if scheme.lower() != b"bearer":
            return None
        at = clock.now()
        try:
            key = keys.find_key(text.strip().decode("ascii", "replace"), at=at)
        except keys.KeyRefused:
            raise AuthenticationFailed(_("The API key is unknown, expired or revoked.")) from None
        keys.note_use(key, at=at)
        structlog.contextvars.bind_contextvars(partner_id=key.partner_id, api_key=key.prefix)
        return None, key

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="Kantis API"'


class HasScope(BasePermission):
    """The key holds every scope that the view declares in ``required_scopes``; a view that declares none is closed.

    ``required_scopes`` is one scope, several, or a mapping by action or method: ``{"GET": ..., "POST": ...}``.
    """

    message = _("The key lacks the scope for this.")

    def has_permission(self, request: Request, view: "APIView") -> bool:
        if not _is_handled(request, view):
            return True  # DRF answers 405 next; no code of ours runs
        key = request.auth
        if not isinstance(key, ApiKey):
            return False
        needed = scopes_of(view, request.method or "")
        return bool(needed) and needed <= set(key.scopes)


def scopes_of(view: Any, method: str) -> set[str]:
    """The scopes that a view declares for the method; empty when it forgot to."""
    declared: Any = getattr(view, "required_scopes", None)
    if isinstance(declared, Mapping):
        asked = "GET" if method == "HEAD" else method
        declared = declared.get(getattr(view, "action", None)) or declared.get(asked)
    if not declared:
        return set()
    return {str(declared)} if isinstance(declared, str) else {str(scope) for scope in declared}


def _is_handled(request: Request, view: "APIView") -> bool:
    method = (request.method or "").lower()
    return method in view.http_method_names and hasattr(view, method) and method != "options"
