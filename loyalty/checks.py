"""Misconfiguration, told by ``manage.py check`` before anybody meets it. Ids: kantis.E001 and following, kantis.W...

Those tagged ``database`` run with ``migrate`` and ``check --database default``.
"""

import zoneinfo
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.core.checks import Warning as Advice
from django.db import DatabaseError

from loyalty import embedded
from loyalty.models import Programme

SHORTEST_TOKEN = 20


@register()
def settings_are_complete(**_kwargs: Any) -> list[CheckMessage]:
    """What no deployment can do without."""
    found: list[CheckMessage] = []
    if not settings.EMAIL_URL and not settings.KANTIS_ANYMAIL:
        found.append(
            Error(
                "EMAIL_URL is not set: nobody could sign up.",
                hint="smtp+tls://user:password@host:587, or KANTIS_ANYMAIL for a mail service",
                id="kantis.E001",
            )
        )
    if not settings.PUBLIC_URL.startswith(("http://", "https://")):
        found.append(
            Error("PUBLIC_URL is not an address.", hint="https://loyalty.example.com", id="kantis.E002")
        )
    if settings.PUBLIC_URL.endswith("/"):
        found.append(Error("PUBLIC_URL ends with a slash.", hint="Leave it out.", id="kantis.E003"))
    if not settings.ALLOWED_HOSTS:
        found.append(Error("ALLOWED_HOSTS is empty: every request would be refused.", id="kantis.E004"))
    return found


@register(Tags.security, deploy=True)
def production_is_safe(**_kwargs: Any) -> list[CheckMessage]:
    """What only ``check --deploy`` tells."""
    found: list[CheckMessage] = []
    if settings.DEMO:
        found.append(Error("KANTIS_DEMO is set: its secrets are public.", id="kantis.E005"))
    if embedded.in_use():
        found.append(Error("DATABASE_URL and REDIS_URL must name servers of your own.", id="kantis.E006"))
    if not settings.METRICS_TOKEN:
        found.append(Advice("METRICS_TOKEN is not set: /metrics is closed.", id="kantis.W001"))
    elif len(settings.METRICS_TOKEN) < SHORTEST_TOKEN:
        found.append(Advice(f"METRICS_TOKEN is shorter than {SHORTEST_TOKEN} characters.", id="kantis.W002"))
    if settings.PUBLIC_URL.startswith("http://"):
        found.append(Advice("PUBLIC_URL is not https.", id="kantis.W003"))
    return found


@register(Tags.database)
def programme_is_sound(databases: Sequence[str] | None = None, **_kwargs: Any) -> list[CheckMessage]:
    """The programme's row names a currency and a time zone that exist."""
    if not databases:
        return []
    try:
        programme = Programme.objects.first()
    except DatabaseError:  # not migrated yet
        return []
    if programme is None:
        return []
    found: list[CheckMessage] = []
    if programme.time_zone not in zoneinfo.available_timezones():
        found.append(
            Error(f"The programme's time zone {programme.time_zone!r} is unknown.", id="kantis.E007")
        )
    if len(programme.base_currency) != 3 or not programme.base_currency.isupper():
        found.append(
            Error(f"The base currency {programme.base_currency!r} is no ISO code.", id="kantis.E008")
        )
    if programme.default_language not in dict(settings.LANGUAGES):
        found.append(Error(f"The language {programme.default_language!r} is unknown.", id="kantis.E009"))
    return found
