"""Whom a failed log-in is counted against. django-axes asks; allauth names people by e-mail address."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest


def person_of(request: HttpRequest | None, credentials: Mapping[str, Any] | None = None) -> str | None:
    """The e-mail address that somebody tried to log in with, in lower case, whether or not it is known."""
    given = credentials or {}
    posted = request.POST if request is not None else {}
    name = given.get("email") or given.get("username") or posted.get("login")
    return str(name).strip().lower()[:255] if name else None
