"""What the settings give to all: a Redis of each test worker's own, and logs without people's data."""

import logging
import os

from django.conf import settings


def test_the_settings_use_the_redis_of_this_worker() -> None:
    assert os.environ["REDIS_URL"] == settings.REDIS_URL
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    if worker and settings.REDIS_URL.startswith("unix:"):
        assert settings.REDIS_URL.endswith(f"db={1 + int(worker.removeprefix('gw'))}")


def test_a_traceback_in_the_logs_tells_no_values() -> None:
    [console] = [each for each in logging.getLogger().handlers if each.get_name() == "console"]
    secret = "aino" + "@example.com"
    try:
        raise RuntimeError(len(secret))
    except RuntimeError as error:
        info = (type(error), error, error.__traceback__)
    record = logging.LogRecord("kantis", logging.ERROR, __file__, 1, "failed", None, info)
    text = console.format(record)
    assert "RuntimeError: 16" in text
    assert secret not in text
