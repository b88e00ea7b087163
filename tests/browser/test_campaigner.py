"""A marketer in a real browser: makes a win-back with two variants and a hold-out, sees it in Finnish, sends it,
watches it go out and reads what it came to. A member reads it, follows its link, and stops such messages by one click.
"""

import datetime as dt
import email
import email.policy
import urllib.parse
import urllib.request
import uuid
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from campaigns import tasks
from campaigns.experiments.assignment import share_of
from campaigns.models import Campaign, Click, Feedback, Message
from loyalty import clock
from loyalty.ids import new_public_id
from members.consents import has_consent, set_consent
from members.models import Member, Segment
from members.segments.refresh import refresh
from tests.browser.walking import (
    DESKTOP,
    PHONE,
    log_in,
    log_in_staff,
    looks_right,
    portal_faults,
)
from tests.factories.members import member
from tests.factories.portal import DAY, NOW, PASSWORD, portal_member, purchases
from tests.factories.staff import staff

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)

BETWEEN_MAILS = b"-" * 79
OTHERS = 11


@pytest.fixture
def mails(tmp_path: Path, settings: Any, live_server: Any) -> Path:
    """Where e-mails lie as files, as in the demo."""
    settings.EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    settings.EMAIL_FILE_PATH = str(tmp_path)
    settings.PUBLIC_URL = live_server.url
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    return tmp_path


@pytest.fixture(autouse=True)
def _no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock stands, and the test itself does what the worker's ticks do."""
    monkeypatch.setattr(clock, "now", lambda: NOW)
    monkeypatch.setattr(tasks.decide, "delay", lambda: None)


@pytest.fixture
def aino() -> Member:
    """Bought often, and not for seventy days; eleven others as well, of whom two do not agree to e-mail."""
    aino = portal_member(language="fi")
    others = [member(email=f"m{number}@example.com", language="fi") for number in range(OTHERS)]
    for each in (aino, *others):
        purchases(each, "12.00", "8.00", "21.00", first_at=NOW - 70 * DAY)
    for each in (aino, *others[2:]):
        set_consent(
            member_id=each.pk,
            purpose="marketing",
            channel="email",
            granted=True,
            source="portal",
            at=NOW - 60 * DAY,
        )
    refresh(segment_id=Segment.objects.get(code="slipping-away").pk, at=NOW)
    return aino


@pytest.fixture
def inside(page: Any, live_server: Any, mails: Path) -> Any:
    """The page of a marketer, with the rights of that group and no others, in English."""
    page.said = []  # what the browser complains about, such as what the content policy forbids
    page.on("console", lambda line: page.said.append(line.text) if line.type == "error" else None)
    page.set_viewport_size(DESKTOP)
    return log_in_staff(page, live_server.url, staff(group="Marketing"))


def press(page: Any, name: str) -> None:
    """Reach a button or a link by keyboard alone, and press it."""
    for _step in range(120):
        page.keyboard.press("Tab")
        if name in page.evaluate("document.activeElement.innerText || ''").strip():
            page.keyboard.press("Enter")
            return
    raise AssertionError(f"“{name}” is not reached by keyboard")


def go_on(page: Any, to: str) -> None:
    """Save the step; the next one is there."""
    press(page, "Save and continue")
    page.wait_for_url(f"**/{to}/**")


def drawn(campaign: Campaign, aino: Member) -> None:
    """Let the draw of the hold-out be one in which Aino gets variant B, and some are held out."""
    ids = list(Member.objects.values_list("pk", flat=True))

    def suits(key: uuid.UUID) -> bool:
        held_out = [share_of(f"{key}:hold-out", each) < 0.25 for each in ids]
        return (
            2 <= sum(held_out) <= 4
            and not held_out[ids.index(aino.pk)]
            and share_of(f"{key}:variant", aino.pk) >= 0.5
        )

    campaign.public_id = next(key for key in iter(new_public_id, None) if suits(key))
    campaign.save()


def test_a_win_back_is_made_sent_watched_read_and_answered(
    inside: Any, browser: Any, live_server: Any, aino: Member, mails: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page, url = inside, live_server.url
    campaign = make_it(page, url, aino)
    watch_it_go_out(page, campaign)
    by_mail = mail_to(mails, aino.email)
    read_and_follow_it(browser, url, aino)
    stop_with_one_click(browser, by_mail, aino)
    purchases(aino, "30.00", first_at=NOW + dt.timedelta(hours=1))
    monkeypatch.setattr(clock, "now", lambda: NOW + 2 * DAY)
    read_the_result(page, campaign)
    assert page.said == []


# --- The marketer -----------------------------------------------------------------------------------------------------


def make_it(page: Any, url: str, aino: Member) -> Campaign:
    page.goto(f"{url}/admin/campaigns/campaign/add/")
    page.fill("#c-name", "Spring win-back")
    press(page, "Win back now")
    page.wait_for_url("**/who/")
    assert page.locator(".c-big .k-number").inner_text() == str(1 + OTHERS)
    assert page.locator("[aria-labelledby=c-reach] .k-sentence").inner_text() == "Segment is Slipping away."
    campaign = Campaign.objects.get(code="win-back-now")
    drawn(campaign, aino)
    go_on(page, "what")
    write_two_variants(page)
    go_on(page, "when")
    go_on(page, "gift")
    page.fill("#id_hold_out_percent", "25")
    go_on(page, "check")
    read = page.locator("[aria-labelledby=c-reads]").inner_text()
    assert "Segment is Slipping away. By e-mail, otherwise by portal inbox." in read
    assert "B With a question" in read
    assert "25 % are held out." in read
    press(page, "Send now")
    page.wait_for_url("**/change/")
    assert "It begins in a moment." in page.locator("#c-figures").inner_text()
    return campaign


def write_two_variants(page: Any) -> None:
    """A second variant with another subject in Finnish, seen as Aino would get it."""
    press(page, "+ Variant")
    page.locator("input[name=variant-name]").wait_for()
    page.fill("input[name=variant-name]", "With a question")
    page.locator("input[name=show][value=fi]").check(force=True)
    page.fill("#id_fi-subject", "Kahville taas, {{ member.first_name }}?")
    page.fill("#c-as", "Aino")
    page.locator(".c-subject", has_text="Kahville taas, Aino?").wait_for()
    mail = page.frame_locator("iframe.c-mail")
    assert mail.get_by_role("heading", name="Kahville taas, Aino?").is_visible()
    assert mail.get_by_role("link", name="Katso palkinnot").is_visible()
    looks_right(page, "campaign-what")


def watch_it_go_out(page: Any, campaign: Campaign) -> None:
    """The page tells by itself how far it is, and in the end shows its new state."""
    tasks._decide(at=NOW)
    held_out = campaign.messages.filter(status="held_out").count()
    page.locator("#c-state", has_text="sending").wait_for()
    assert tiles(page) == {
        "Due": str(12 - held_out),
        "Sent": "0",
        "Not sent": "0",
        "Held out": str(held_out),
    }
    tasks.send_messages()
    page.locator("#c-state", has_text="sent").wait_for()
    assert tiles(page) == {"Sent": str(12 - held_out), "Not sent": "0", "Held out": str(held_out)}
    assert "12 of 12 members decided about" in page.locator("#c-figures").inner_text()


def tiles(page: Any) -> dict[str, str]:
    lines = page.locator("#c-figures .c-tiles .k-tile").all_inner_texts()
    return {name: count for name, _line, count in (line.partition("\n") for line in lines)}


def read_the_result(page: Any, campaign: Campaign) -> None:
    press(page, "Results")
    page.wait_for_url("**/results/")
    with page.expect_navigation():
        page.get_by_role("button", name="Compute now").click()
    assert "Not enough yet" in page.locator(".k-verdict h3").inner_text()
    sides = page.locator("section", has_text="Side by side").last.locator("tbody tr")
    assert [name.strip() for name in sides.locator("th").all_inner_texts()] == [
        *("Variant A", "Variant B With a question", "Held out"),
    ]
    assert sides.nth(1).locator("td").nth(4).inner_text() == "1"  # Aino came back
    assert sides.nth(2).locator("td").nth(4).inner_text() == "0"
    looks_right(page, "campaign-results")


# --- The member -------------------------------------------------------------------------------------------------------


def mail_to(folder: Path, address: str) -> EmailMessage:
    """The only e-mail to this address among the files."""
    found = [
        parsed
        for file in folder.iterdir()
        for raw in file.read_bytes().split(BETWEEN_MAILS)
        if raw.strip()
        and (parsed := email.message_from_bytes(raw.strip(), policy=email.policy.default))["To"] == address
    ]
    assert len(found) == 1
    return found[0]


def read_and_follow_it(browser: Any, url: str, aino: Member) -> None:
    """In the inbox of the portal, on a phone, in her language."""
    context = browser.new_context(viewport=PHONE)
    page = context.new_page()
    log_in(page, url, PASSWORD)
    page.goto(f"{url}/messages/")
    first = page.locator("article.message").first
    assert first.get_by_role("heading", name="Kahville taas, Aino?").is_visible()
    assert "Lähetetty sinulle sähköpostilla" in first.inner_text()
    first.get_by_role("link", name="Katso palkinnot").click()
    page.wait_for_url(lambda address: "/messages/" not in address)
    assert page.locator("main h1").first.is_visible()
    message = Message.objects.get(campaign__code="win-back-now", member=aino)
    assert message.clicked_at == NOW
    assert Click.objects.filter(message=message).count() == 1
    context.close()


def stop_with_one_click(browser: Any, mail: EmailMessage, aino: Member) -> None:
    """As a mail program does it by the headers of RFC 8058; then the link in the text says so, and takes it back."""
    assert mail["Subject"] == "Kahville taas, Aino?"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    address = str(mail["List-Unsubscribe"]).strip("<>")
    plain = mail.get_body(("plain",))
    assert plain is not None
    assert address in plain.get_content()
    posted = urllib.parse.urlencode({"List-Unsubscribe": "One-Click"}).encode()
    with urllib.request.urlopen(address, data=posted, timeout=20) as answer:
        assert (answer.status, answer.url) == (200, address)
    assert not has_consent(aino.pk, "marketing", "email")
    assert Feedback.objects.get(kind="unsubscribe").message.member_id == aino.pk

    context = browser.new_context(viewport=PHONE, locale="fi-FI")
    page = context.new_page()
    page.goto(address)
    assert page.locator("html").get_attribute("lang") == "fi"
    looks_right(page, "campaign-unsubscribed", portal_faults)
    page.locator("form[action$='/undo/'] button").click()
    page.wait_for_load_state()
    assert has_consent(aino.pk, "marketing", "email")
    page.goto(address)
    page.locator("main form button").first.click()
    page.wait_for_load_state()
    assert not has_consent(aino.pk, "marketing", "email")
    context.close()
