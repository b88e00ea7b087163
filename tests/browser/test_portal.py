"""The portal in a real browser: accessible in both schemes, by keyboard, without scripts and without a network."""

from typing import Any

import pytest

from members.consents import set_consent
from members.models import Member
from rewards import ledger
from rewards.ledger import Grant, Why
from rewards.models import Aversion, AversionKind, Wallet
from tests.browser import walking
from tests.browser.walking import SCHEMES
from tests.browser.walking import portal_faults as faults
from tests.factories.campaigns import MessageFactory
from tests.factories.challenges import badge, challenge
from tests.factories.portal import DAY, NOW, PASSWORD, portal_member, purchases
from tests.factories.redemptions import redeemed, reward, voucher_reward

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)

VISITOR_PAGES = (
    "/",
    "/account/login/",
    "/account/signup/",
    "/account/password/reset/",
    "/terms/",
    "/privacy/",
    "/offline/",
)
MEMBER_PAGES = (
    *("/", "/activity/", "/card/", "/points/expiring/", "/messages/", "/invite/", "/offers/"),
    *("/tiers/", "/points/give/"),
    *("/rewards/", "/rewards/mine/", "/rewards/vouchers/", "/challenges/", "/badges/", "/profile/never/"),
    *("/causes/", "/donations/", "/draws/", "/leaderboards/"),
    *("/profile/", "/profile/details/", "/profile/places/", "/profile/consents/", "/profile/security/"),
    *("/account/email/", "/account/password/change/", "/account/2fa/", "/account/2fa/webauthn/"),
    *("/messages/wishes/", "/account/sessions/", "/account/logout/", "/account/reauthenticate/", "/nothing/"),
)


@pytest.fixture(autouse=True)
def _quick_passwords(settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def member() -> Member:
    """Aino, with purchases, receipts, pending points and points taken back."""
    aino = portal_member()
    set_consent(member_id=aino.pk, purpose="purchase_lines", granted=True, source="portal", at=NOW)
    purchases(aino, "1200.00", *["12.50"] * 26)
    wallet = Wallet.objects.get(is_default=True).pk
    why = Why(source="campaigns.message", occasion="test")
    ledger.post_grants(
        [Grant(aino.pk, wallet, 40, NOW, None, why, pending=True, available_at=NOW + 12 * DAY)], at=NOW
    )
    earned = aino.transfers.order_by("-occurred_at").filter(activity__isnull=False)[0]
    ledger.reverse(transfer_id=earned.pk, points=3, why=Why(activity_id=earned.activity_id), at=NOW)
    for channel in ("inbox", "email"):
        MessageFactory(member=aino, channel=channel, status="sent", sent_at=NOW, points=40)
    rewards_of_every_sort(aino)
    return aino


def rewards_of_every_sort(aino: Member) -> None:
    """Something to get, a voucher in hand, a challenge to join with a badge, and a choice of milk."""
    redeemed(aino, voucher_reward(points=10), at=NOW)
    reward(points=20, money="2.50", tags=["new"])
    reward(points=99_000, names={"en": "A weekend away"})
    steps = [{"target": 2, "badge": badge(levels=1)}]
    challenge(steps=steps, starts_at=NOW - DAY, ends_at=NOW + 5 * DAY, by_choice=True)
    challenge(steps=steps, starts_at=NOW - DAY, ends_at=None)
    milk = Aversion.objects.create(code="milk", names={"en": "Milk"})
    for code in ("oat", "whole"):
        AversionKind.objects.create(aversion=milk, code=code, names={"en": code})


def log_in(page: Any, url: str) -> None:
    walking.log_in(page, url, PASSWORD)


def until(page: Any, expression: str) -> None:
    """Wait for an expression to hold; playwright's own way evaluates a string, which our policy forbids."""
    for _attempt in range(100):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(50)
    raise AssertionError(expression)


def test_every_page_is_accessible(
    page: Any, viewport: dict[str, int], live_server: Any, member: Member
) -> None:
    page.set_viewport_size(viewport)
    found = {}

    def look(*paths: str) -> None:
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)
            for path in paths:
                page.goto(live_server.url + path)
                found[f"{scheme} {path}"] = faults(page, colours_only=scheme == "dark")

    look(*VISITOR_PAGES)
    log_in(page, live_server.url)
    look(*MEMBER_PAGES)
    assert {where: what for where, what in found.items() if what} == {}


def test_filters_and_more_entries_are_announced_and_keep_the_focus(
    page: Any, live_server: Any, member: Member
) -> None:
    log_in(page, live_server.url)
    page.goto(live_server.url + "/activity/")
    assert page.locator(".statement__item").count() == 20
    page.locator("#more a").press("Enter")
    until(page, "document.querySelectorAll('.statement__item').length > 20")
    until(page, "document.querySelector('[data-live]').textContent !== ''")
    assert page.evaluate("document.activeElement.className") == "entry__title"
    page.locator("input[name=kind][value=earned]").check(force=True)
    page.wait_for_url("**/activity/?kind=earned&period=")
    assert page.evaluate("document.activeElement.value") == "earned"
    page.go_back()
    page.locator(".statement__item").nth(19).wait_for()
    assert page.locator("input[name=kind][value='']").is_checked()


def test_the_link_to_invite_with_is_copied_or_else_selected(
    page: Any, live_server: Any, member: Member
) -> None:
    log_in(page, live_server.url)
    page.goto(live_server.url + "/invite/")
    link = page.locator("#invite-link").inner_text()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator("[data-copy]").click()
    until(page, "document.querySelector('[data-live]').textContent !== ''")
    assert page.evaluate("navigator.clipboard.readText()") == link
    page.reload()
    page.evaluate("void (navigator.clipboard.writeText = () => Promise.reject(new Error('refused')))")
    page.locator("[data-copy]").click()
    until(page, "String(getSelection()) !== ''")
    assert page.evaluate("String(getSelection())").strip() == link


def test_the_portal_works_without_scripts(browser: Any, live_server: Any, member: Member) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    log_in(page, live_server.url)
    page.goto(live_server.url + "/activity/")
    page.locator("#more a").click()
    page.wait_for_load_state()
    assert page.locator(".statement__item").count() == 9
    page.locator("input[name=kind][value=adjusted]").check(force=True)
    page.locator(".filters button").click()
    page.wait_for_url("**/activity/?kind=adjusted&period=")
    assert page.locator(".statement__item").count() == 1
    page.goto(live_server.url + "/profile/consents/")
    page.locator("input[name=consent-marketing-email]").check()
    page.locator("main form button").first.click()
    page.wait_for_load_state()
    assert page.locator("input[name=consent-marketing-email]").is_checked()
    context.close()


def test_the_card_opens_without_a_network_and_leaves_with_the_log_out(
    browser: Any, live_server: Any, member: Member
) -> None:
    context = browser.new_context()
    page = context.new_page()
    log_in(page, live_server.url)
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    until(page, "caches.match('/card/').then((found) => Boolean(found))")
    context.set_offline(True)
    page.goto(live_server.url + "/card/")
    number = member.card_number
    assert f"{number[:4]} {number[4:8]}" in page.locator(".membercard__number").inner_text()
    assert page.locator("[data-offline]").is_visible()
    assert (
        page.evaluate("getComputedStyle(document.querySelector('.membercard')).borderTopLeftRadius") != "0px"
    )
    page.goto(live_server.url + "/activity/")
    assert page.locator(".plainpage a[href='/card/']").is_visible()
    context.set_offline(False)
    page.goto(live_server.url + "/profile/")
    page.locator("form[action='/account/logout/'] button").click()
    page.wait_for_url(live_server.url + "/")
    until(page, "caches.match('/card/').then((found) => !found)")
    context.close()


def test_the_main_way_is_walked_by_keyboard(page: Any, live_server: Any, member: Member) -> None:
    log_in(page, live_server.url)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    reached = []
    while "/card/" not in reached and len(reached) < 3:  # a new message is told of before the card
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.getAttribute('href')"))
    assert reached[-1] == "/card/"
    page.keyboard.press("Enter")
    page.wait_for_url("**/card/")


def test_the_focus_is_never_hidden_under_a_bar(page: Any, live_server: Any, member: Member) -> None:
    page.set_viewport_size({"width": 390, "height": 700})
    log_in(page, live_server.url)
    page.goto(live_server.url + "/profile/consents/")
    hidden = []
    for _step in range(40):
        page.keyboard.press("Tab")
        covered = page.evaluate(
            """() => {
                const focused = document.activeElement, box = focused.getBoundingClientRect();
                if (focused === document.body || focused.closest('.tabs, .topbar, .skip') || !box.width) return "";
                const top = document.querySelector('.topbar').getBoundingClientRect().bottom;
                const bottom = document.querySelector('.tabs').getBoundingClientRect().top;
                return box.bottom <= top || box.top >= bottom ? focused.outerHTML : "";
            }"""
        )
        if covered:
            hidden.append(covered)
    assert hidden == []


def confirm_it_is_me(page: Any) -> None:
    """Give the password once more when the log-in's settings ask for it."""
    if "/reauthenticate/" in page.url:
        page.fill("#id_password", PASSWORD)
        page.locator("form.form button[type=submit]").click()
        page.wait_for_load_state()


def test_a_passkey_is_added_and_signs_in(browser: Any, live_server: Any, member: Member) -> None:
    context = browser.new_context()
    page = context.new_page()
    devices = context.new_cdp_session(page)
    devices.send("WebAuthn.enable")
    device = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    devices.send("WebAuthn.addVirtualAuthenticator", {"options": device})
    log_in(page, live_server.url)
    page.goto(live_server.url + "/account/2fa/webauthn/add/")
    confirm_it_is_me(page)
    page.check("#id_passwordless")
    page.locator("#mfa_webauthn_add").click()
    page.wait_for_url(lambda url: "/add/" not in url)
    page.goto(live_server.url + "/account/2fa/webauthn/")
    assert page.locator(".badge--brand").inner_text()
    page.goto(live_server.url + "/account/logout/")
    page.locator("main form button").click()
    page.wait_for_url(live_server.url + "/")
    page.goto(live_server.url + "/account/login/")
    page.locator("#passkey_login").click()
    page.wait_for_url(live_server.url + "/")
    assert page.locator(".hero").is_visible()
    context.close()


def test_an_authenticator_app_is_set_up_and_asked_for(browser: Any, live_server: Any, member: Member) -> None:
    from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time

    def code(secret: str) -> str:
        return format_hotp_value(hotp_value(secret, next(iter(yield_hotp_counters_from_time()))))

    context = browser.new_context()
    page = context.new_page()
    log_in(page, live_server.url)
    page.goto(live_server.url + "/account/2fa/totp/activate/")
    confirm_it_is_me(page)
    secret = page.locator("#authenticator_secret").input_value()
    assert page.locator(".qrbox img").evaluate("image => image.naturalWidth") > 0
    assert faults(page) == []
    page.fill("#id_code", code(secret))
    page.locator("form.form button[type=submit]").click()
    page.wait_for_url("**/recovery-codes/**")
    assert faults(page) == []
    page.goto(live_server.url + "/account/logout/")
    page.locator("main form button").click()
    page.wait_for_url(live_server.url + "/")
    page.goto(live_server.url + "/account/login/")
    page.fill("#id_login", "aino@example.com")
    page.fill("#id_password", PASSWORD)
    page.press("#id_password", "Enter")
    page.wait_for_url("**/2fa/authenticate/")
    assert faults(page) == []
    context.close()


def test_a_member_leaves_after_logging_in_afresh(page: Any, live_server: Any, member: Member) -> None:
    log_in(page, live_server.url)
    walking.speak_english(page, live_server.url)
    page.goto(live_server.url + "/profile/")
    page.get_by_role("link", name="Leave the programme").click()
    page.wait_for_url("**/account/reauthenticate/**")
    confirm_it_is_me(page)
    page.wait_for_url("**/profile/leave/")
    assert faults(page) == []
    page.get_by_label("Yes, I want to leave").check()
    page.get_by_role("button", name="Leave and erase my data").click()
    page.get_by_text("You have left the programme.").wait_for()
    member.refresh_from_db()
    assert (member.status, member.email, member.user) == ("erased", "", None)
