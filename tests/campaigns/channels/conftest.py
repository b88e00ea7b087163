from collections.abc import Iterator

import pytest
from pytest_django import Settings

from tests.campaigns.channels.http_sink import HttpSink, http_running


@pytest.fixture
def http(settings: Settings) -> Iterator[HttpSink]:
    """Another house's HTTP server; we wait for it half a second at most."""
    settings.OUTGOING_TIMEOUT = 0.5
    with http_running() as sink:
        yield sink


@pytest.fixture
def nobody_there() -> str:
    """An address at which nothing listens any more."""
    with http_running() as sink:
        return sink.url
