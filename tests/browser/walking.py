"""How the walks in a browser log in, post like a till, and judge what they see."""

import json
import os
import re
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from allauth.account.models import EmailAddress
from axe_playwright_python.sync_playwright import Axe
from django.core import mail
from django.core.cache import cache

from members.models import User

PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1280, "height": 900}
SCHEMES = ("light", "dark")
STAFF_PASSWORD = "correct horse battery"
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
COLOURS = {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}
"""What can differ between light and dark; a page is judged by all rules in one scheme, and by these in the other."""

_SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def speak_english(page: Any, url: str) -> None:
    page.context.add_cookies([{"name": "django_language", "value": "en", "url": url}])


def log_in_staff(page: Any, url: str, boss: User) -> Any:
    """Through the admin's door, by password; the page then stands on the dashboard, in English."""
    cache.clear()
    EmailAddress.objects.create(user=boss, email=boss.email, primary=True, verified=True)
    speak_english(page, url)
    page.goto(f"{url}/admin/")
    page.fill("input[name=login]", boss.email)
    page.fill("input[name=password]", STAFF_PASSWORD)
    page.press("input[name=password]", "Enter")
    page.wait_for_url(f"{url}/admin/")
    return page


def log_in(page: Any, url: str, password: str, email: str = "aino@example.com") -> None:
    """Through the portal's door."""
    page.goto(url + "/account/login/")
    page.fill("#id_login", email)
    page.fill("#id_password", password)
    page.press("#id_password", "Enter")
    page.wait_for_url(url + "/")


def link_in_last_mail(url: str) -> str:
    """The path of the first link to this site in the last e-mail."""
    found = re.search(re.escape(url) + r"(/\S+)", str(mail.outbox[-1].body))
    assert found, mail.outbox[-1].body
    return found[1]


def post_purchase(url: str, key: str, number: str, **facts: Any) -> dict[str, Any]:
    """One purchase over HTTP, as a till or curl sends it. The answer's JSON."""
    return post(
        url,
        key,
        "activities",
        {"external_id": number, "kind": "purchase", "currency": "EUR", **facts},
        once=number,
    )


def post(url: str, key: str, path: str, body: dict[str, Any], *, once: str) -> dict[str, Any]:
    """A till's request over HTTP: a key, JSON, no cookies; ``once`` is its Idempotency-Key. The answer's JSON."""
    request = urllib.request.Request(
        f"{url}/api/v1/{path}",
        data=json.dumps(body).encode(),
        headers={
            "Authorization": f"Bearer {key}",
            "Content-Type": "application/json",
            "Idempotency-Key": once,
        },
    )
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            found: dict[str, Any] = json.load(answer)
            return found
    except urllib.error.HTTPError as refused:
        raise AssertionError(refused.read().decode()) from refused


def admin_faults(page: Any, *, colours_only: bool = False) -> list[str]:
    """What axe finds in our own parts of an admin page (unfold's frame around them is not ours to mend)."""
    options = COLOURS if colours_only else None
    return _found(Axe().run(page, context="#content-main", options=options)) + _scrolls(page)


def portal_faults(page: Any, *, colours_only: bool = False) -> list[str]:
    """What axe finds on a page of the portal."""
    return _found(Axe().run(page, options=COLOURS if colours_only else RULES)) + _scrolls(page)


def _found(results: Any) -> list[str]:
    return [
        f"{rule['id']}: {node['html']}" for rule in results.response["violations"] for node in rule["nodes"]
    ]


def _scrolls(page: Any) -> list[str]:
    wide = page.evaluate(_SIDEWAYS)
    return [f"scrolls sideways by {wide}"] if wide > 0 else []


def looks_right(page: Any, name: str, faults: Any = admin_faults) -> None:
    """No fault on a phone and on a desktop, light and dark; then the page is as it was."""
    before = page.viewport_size
    found = {}
    for size in (PHONE, DESKTOP):
        page.set_viewport_size(size)
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)
            page.wait_for_timeout(200)  # colours change by a transition
            picture(page, f"{name}-{size['width']}-{scheme}")
            found[f"{name} {size['width']} {scheme}"] = faults(page, colours_only=scheme == "dark")
    page.set_viewport_size(before)
    page.emulate_media(color_scheme=None)
    assert {where: what for where, what in found.items() if what} == {}


def picture(page: Any, name: str) -> None:
    """For eyes: kept where KANTIS_PICTURES says."""
    if folder := os.environ.get("KANTIS_PICTURES"):
        page.screenshot(path=str(Path(folder) / f"{name}.png"), full_page=True)
