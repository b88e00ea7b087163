"""The hour of the catalogue's tests, and the language of what they compare."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _noon_in_english(settings: object) -> Iterator[None]:
    import time_machine
    from django.core.cache import cache
    from django.utils import translation

    from tests.factories.members import NOON

    settings.LANGUAGE_CODE = "en"  # type: ignore[attr-defined]
    cache.clear()
    with time_machine.travel(NOON, tick=False), translation.override("en"):
        yield
