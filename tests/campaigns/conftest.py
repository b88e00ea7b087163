from collections.abc import Iterator

import pytest
from pytest_django import Settings

from tests.campaigns.smtp_sink import Sink, running


@pytest.fixture
def sink(settings: Settings) -> Iterator[Sink]:
    """A real mail server; Django's mail goes to it by SMTP."""
    with running(Sink()) as server:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
        settings.EMAIL_TIMEOUT = 1
        yield server
