"""A real Chromium against a live server. Without one on this machine the tests here are skipped, in one line.

The browser is the system's, found by name: playwright's own download does not work on closed networks.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
HERE = Path(__file__).parent

# The sync API of playwright runs an event loop in this thread; Django would refuse its ORM beside it.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.browser)
            if CHROMIUM is None:
                item.add_marker(pytest.mark.skip(reason="no Chromium on this machine"))


@pytest.fixture(scope="session")
def browser() -> Iterator["playwright.sync_api.Browser"]:  # type: ignore[name-defined]  # noqa: F821
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=[
                *("--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"),
                *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
                *("--no-first-run", "--no-default-browser-check", "--disable-domain-reliability"),
            ],
        )
        yield chromium
        chromium.close()


@pytest.fixture(scope="session", autouse=True)
def _one_start_for_all(django_db_setup: None, request: pytest.FixtureRequest) -> None:
    """Once playwright's event loop runs, Django hands out other connection objects: give them what tests start from."""
    from django.db import connection

    contents = getattr(connection, "_test_serialized_contents", None)
    if CHROMIUM is not None:
        request.getfixturevalue("browser")
    if contents is not None:
        connection._test_serialized_contents = contents  # type: ignore[attr-defined]


@pytest.fixture(params=["phone", "desktop"])
def viewport(request: pytest.FixtureRequest) -> dict[str, int]:
    """Both widths that every page must look right at."""
    sizes = {"phone": {"width": 390, "height": 844}, "desktop": {"width": 1280, "height": 900}}
    return sizes[request.param]


@pytest.fixture
def page(browser: "playwright.sync_api.Browser") -> Iterator["playwright.sync_api.Page"]:  # type: ignore[name-defined]  # noqa: F821
    """A fresh page in Finnish; a script error or a failed request for one of our files fails the test."""
    context = browser.new_context(locale="fi-FI", timezone_id="Europe/Helsinki")
    context.set_default_timeout(10_000)
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on(
        "response",
        lambda response: (
            problems.append(f"{response.status} {response.url}")
            if "/static/" in response.url and response.status >= 400
            else None
        ),
    )
    yield page
    context.close()
    assert problems == []
