"""The portal's pages about points."""

import csv
import io
import json
import re
from decimal import Decimal

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import translation

from members.consents import set_consent
from members.models import Member
from rewards import ledger, terms
from rewards.ledger import Grant, Why
from rewards.models import EarningRule, OfferActivation, RefundPolicy, RuleRevision, Transfer, Wallet
from rewards.models.ledger import AccountKind
from rewards.refund_parts import Order
from rewards.refunds import refund
from rewards.statement import statement_page
from tests.factories.portal import DAY, NOW, login_for, portal_client, portal_member, purchases

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _now() -> object:
    with time_machine.travel(NOW, tick=False), translation.override("en"):
        yield


@pytest.fixture
def member() -> Member:
    return portal_member()


@pytest.fixture
def portal(member: Member) -> Client:
    return portal_client(member)


def text_of(response: object) -> str:
    """What a reader sees, without tags and with single blanks."""
    content = response.content.decode()  # type: ignore[attr-defined]
    content = re.sub(r"<[^>]+>", " ", content.split("<main", 1)[-1].split("</main>")[0])
    return " ".join(content.replace("&nbsp;", " ").replace("\xa0", " ").split())


def wallet() -> int:
    return Wallet.objects.get(is_default=True).pk


def test_a_visitor_sees_what_the_programme_is(client: Client) -> None:
    response = client.get("/", headers={"accept-language": "en"})
    assert response.status_code == 200
    assert "Join for free" in text_of(response)


def test_pages_about_points_ask_for_the_log_in(client: Client) -> None:
    for path in ("/activity/", "/activity/statement.csv", "/points/expiring/", "/profile/my-data.json"):
        response = client.get(path)
        assert (response.status_code, response["Location"]) == (302, f"/account/login/?next={path}")


def test_staff_without_a_membership_get_a_friendly_page(client: Client) -> None:
    client.force_login(
        login_for("staff@example.com", is_staff=True), backend="django.contrib.auth.backends.ModelBackend"
    )
    response = client.get("/", headers={"accept-language": "en"})
    assert response.status_code == 200
    assert "You are signed in as staff" in text_of(response)


def test_a_new_member_learns_how_points_come(portal: Client) -> None:
    home = text_of(portal.get("/"))
    assert "Your points 0" in home
    assert "1 000 points to Silver" in home
    assert "Your first points are one purchase away" in home
    assert "Nothing has happened yet" in text_of(portal.get("/activity/"))
    assert "Nothing is about to expire" in text_of(portal.get("/points/expiring/"))


def test_home_shows_balance_goal_and_next_expiry(portal: Client, member: Member) -> None:
    purchases(member, "680.00")
    home = text_of(portal.get("/"))
    assert "Your points 680" in home
    assert "320 points to Silver" in home
    assert "680 of 1 000" in home
    assert "680 points valid until 31.10.2028" in home


def test_one_point_is_one_point(portal: Client, member: Member) -> None:
    purchases(member, "999.00")
    assert "1 point to Silver" in text_of(portal.get("/"))


def test_the_top_tier_has_no_goal(portal: Client, member: Member) -> None:
    purchases(member, "5200.00")
    assert "You are at the top: Gold" in text_of(portal.get("/"))


def test_pending_and_debt_are_shown_only_when_there_are_any(portal: Client, member: Member) -> None:
    purchases(member, "50.00")
    assert "Yours to use" not in text_of(portal.get("/"))
    due = NOW + 12 * DAY
    ledger.post_grants(
        [Grant(member.pk, wallet(), 40, NOW, None, Why(note="x"), pending=True, available_at=due)], at=NOW
    )
    spent = ledger.spend(
        member_id=member.pk,
        wallet_id=wallet(),
        points=50,
        kind="redeem",
        to_kind=AccountKind.REDEEMED,
        why=Why(),
        at=NOW,
    )
    assert spent
    earned = Transfer.objects.get(member=member, rule_revision__rule__code="base")
    ledger.reverse(transfer_id=earned.pk, points=30, why=Why(activity_id=earned.activity_id), at=NOW)
    home = text_of(portal.get("/"))
    assert "Yours to use from 3.12.2026 +40" in home
    assert "your next points cover it −30" in home


def test_every_line_has_its_reason(portal: Client, member: Member) -> None:
    purchases(member, "1200.00", "42.50", first_at=NOW - 3 * DAY)
    page = text_of(portal.get("/activity/"))
    assert "Kamppi 18.11.2026 15:30 · 42.50 € +52 points Base points +42 Tier bonus +10" in page
    assert "November 2026" in page


def test_a_taken_back_point_stands_beside_what_it_undoes(portal: Client, member: Member) -> None:
    purchases(member, "40.00")
    earned = Transfer.objects.get(member=member)
    ledger.reverse(transfer_id=earned.pk, points=15, why=Why(), at=NOW)
    page = text_of(portal.get("/activity/"))
    assert "Undone in part" in page
    assert "+25 points Base points +40 Points taken back (21.11.2026) −15" in page


def test_a_purchase_without_points_is_shown_too(portal: Client, member: Member) -> None:
    purchases(member, "0.50")
    assert "0 points This gave no points." in text_of(portal.get("/activity/"))


def test_receipt_lines_need_consent(portal: Client, member: Member) -> None:
    purchases(member, "8.90")
    assert "Kahvi" not in text_of(portal.get("/activity/"))
    set_consent(member_id=member.pk, purpose="purchase_lines", granted=True, source="portal", at=NOW)
    page = text_of(portal.get("/activity/"))
    assert "Receipt, 1 line" in page
    assert "Kahvi 1 8.90 €" in page


def test_filters_work_by_address(portal: Client, member: Member) -> None:
    purchases(member, "10.00", first_at=NOW - 400 * DAY, store="Turku")
    purchases(member, "60.00", store="Kamppi")
    ledger.spend(
        member_id=member.pk,
        wallet_id=wallet(),
        points=20,
        kind="redeem",
        to_kind=AccountKind.REDEEMED,
        why=Why(),
        at=NOW,
    )
    earned, spent = (text_of(portal.get("/activity/", {"kind": kind})) for kind in ("earned", "spent"))
    assert ("Kamppi" in earned, "Points used" in earned) == (True, False)
    assert ("Kamppi" in spent, "Points used" in spent) == (False, True)
    assert "Nothing here with these choices" in text_of(portal.get("/activity/", {"kind": "expired"}))
    assert "Turku" not in text_of(portal.get("/activity/", {"period": "90d"}))
    last_year = text_of(portal.get("/activity/", {"period": "lastyear"}))
    assert ("Turku" in last_year, "Kamppi" in last_year) == (True, False)
    assert "Kamppi" in text_of(portal.get("/activity/", {"kind": "nonsense", "period": "'--"}))


def test_pages_follow_each_other_without_a_gap_or_a_repeat(member: Member) -> None:
    purchases(member, *["7.00"] * 33)
    ledger.spend(
        member_id=member.pk,
        wallet_id=wallet(),
        points=20,
        kind="redeem",
        to_kind=AccountKind.REDEEMED,
        why=Why(),
        at=NOW,
    )
    seen, cursor = [], ""
    while True:
        page = statement_page(member, cursor=cursor, size=10)
        seen += [
            (entry.activity.external_id if entry.activity else "spent", entry.points)
            for entry in page.entries
        ]
        if not (cursor := page.cursor):
            break
    expected = [("spent", -20)] + [(f"{member.pk}-{number}", 7) for number in reversed(range(33))]
    assert seen == expected


def test_show_more_answers_htmx_with_the_next_entries_alone(portal: Client, member: Member) -> None:
    purchases(member, *["7.00"] * 25)
    first = portal.get("/activity/").content.decode()
    cursor = re.search(r"cursor=([^\"]+)\"", first)
    assert cursor
    more = portal.get(f"/activity/?cursor={cursor[1]}", headers={"HX-Request": "true"})
    content = more.content.decode()
    assert "<html" not in content
    assert content.count('class="statement__item"') == 5
    assert "HX-Request" in more["Vary"]
    filtered = portal.get("/activity/?kind=earned", headers={"HX-Request": "true"}).content.decode()
    assert filtered.strip().startswith('<section class="card" id="statement"')


@pytest.mark.parametrize(
    "cursor",
    ["x", "~~", "2026-11-21T00:00:00+00:00~2~1", "2026-11-21~1~1", f"2026-11-21T00:00:00Z~1~{10**30}"],
)
def test_a_cursor_that_is_not_ours_leads_to_the_beginning(portal: Client, cursor: str) -> None:
    response = portal.get("/activity/", {"cursor": cursor})
    assert (response.status_code, response["Location"]) == (302, "/activity/")


def test_the_csv_holds_every_movement_and_no_formula(portal: Client, member: Member) -> None:
    purchases(member, "42.50", store="=HYPERLINK(evil)")
    ledger.spend(
        member_id=member.pk,
        wallet_id=wallet(),
        points=20,
        kind="redeem",
        to_kind=AccountKind.REDEEMED,
        why=Why(),
        at=NOW,
    )
    response = portal.get("/activity/statement.csv")
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    body = b"".join(response.streaming_content)
    assert not body.startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(io.StringIO(body.decode())))
    assert rows[0] == [
        "Date",
        "Kind",
        "Reason",
        "Points",
        "Place",
        "Total",
        "Currency",
        "Receipt",
        "Valid until",
    ]
    assert rows[1] == [
        "2026-10-22T15:30:00+03:00", "earned", "Base points", "42", "'=HYPERLINK(evil)", "42.50", "EUR",
        f"{member.pk}-0", "2028-10-31",
    ]  # fmt: skip
    assert rows[2][1:4] == ["redeemed", "Points used", "-20"]


def test_a_member_gets_all_their_own_data_and_nobody_elses(portal: Client, member: Member) -> None:
    other = portal_member("toinen@example.com", first_name="Toinen")
    purchases(member, "42.50")
    purchases(other, "99.00")
    response = portal.get("/profile/my-data.json")
    data = json.loads(response.content)
    assert data["profile"]["email"] == "aino@example.com"
    assert data["balance"] == {"available": 42, "pending": 0, "debt": 0}
    assert [row["total"] for row in data["activities"]] == ["42.50"]
    assert [(row["reason"], row["change"]) for row in data["points"]] == [("Base points", 42)]
    assert "toinen" not in response.content.decode().lower()


@pytest.mark.parametrize(
    "path", ["/", "/activity/", "/points/expiring/", "/activity/statement.csv", "/profile/my-data.json"]
)
def test_pages_cost_the_same_for_one_row_and_for_thirty(portal: Client, member: Member, path: str) -> None:
    set_consent(member_id=member.pk, purpose="purchase_lines", granted=True, source="portal", at=NOW)

    def cost() -> int:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            response = portal.get(path)
            if response.streaming:
                b"".join(response.streaming_content)
        return len(captured)

    purchases(member, "7.00")
    cost()
    one = cost()
    purchases(member, *["7.00"] * 29, first_at=NOW - 90 * DAY)
    ledger.reverse(
        transfer_id=Transfer.objects.filter(member=member).order_by("id")[3].pk, points=2, why=Why(), at=NOW
    )
    assert cost() == one
    assert one <= (36 if path.endswith(".json") else 16)  # every floor tells what it holds of the member


def test_times_are_the_members(client: Client) -> None:
    member = portal_member("tokio@example.com", time_zone="Asia/Tokyo")
    purchases(member, "7.00", first_at=NOW - DAY)
    client.force_login(member.user, backend="django.contrib.auth.backends.ModelBackend")
    client.cookies["django_language"] = "fi"
    assert "20.11.2026 klo 21.30 · 7,00 €" in text_of(client.get("/activity/"))
    client.cookies["django_language"] = "sv"
    assert "20.11.2026 kl. 21.30 · 7,00 €" in text_of(client.get("/activity/"))


def test_pages_are_not_kept_by_caches(portal: Client) -> None:
    assert "no-store" in portal.get("/")["Cache-Control"]


# --- Refunds and explanations -----------------------------------------------------------------------------------------


def test_every_activity_explains_itself(portal: Client, member: Member) -> None:
    purchases(member, "42.50")
    page = text_of(portal.get("/activity/"))

    assert "Why these points Base points revision 1 42 points: 1 point for each full 1 EUR" in page
    assert "No points, because the tier held then, Bronze, gives no extra." in page


def test_a_refund_stands_beside_what_it_undoes(portal: Client, member: Member) -> None:
    purchases(member, "42.50")
    set_consent(
        member_id=member.pk, purpose="purchase_lines", channel="any", granted=True, source="portal", at=NOW
    )
    activity = member.activities.get()
    refund(activity_id=activity.pk, external_id="f-1", order=Order(amount=Decimal("2.50")), at=NOW)
    refund(activity_id=activity.pk, external_id="f-2", order=Order(everything=True), at=NOW)
    page = text_of(portal.get("/activity/"))

    assert (
        "Base points +42 Returned 2.50 € (21.11.2026) −2 Returned 40.00 € (21.11.2026): 1 × Kahvi −40" in page
    )
    assert "Undone" in page


def test_a_held_refund_says_that_it_waits(portal: Client, member: Member) -> None:
    RefundPolicy.objects.create(valid_from=NOW - 400 * DAY, spent="hold")
    purchases(member, "42.50")
    ledger.spend(
        member_id=member.pk, wallet_id=wallet(), points=40, kind=Transfer.Kind.REDEEM, to_kind=AccountKind.REDEEMED,
        why=Why(), at=NOW,
    )  # fmt: skip
    refund(activity_id=member.activities.get().pk, external_id="f-1", order=Order(everything=True), at=NOW)

    assert "Returned 42.50 € (21.11.2026) – customer service decides about the points 0" in text_of(
        portal.get("/activity/")
    )


# --- Personal offers --------------------------------------------------------------------------------------------------


def offer(code: str = "autumn", **facts: object) -> None:
    rule = EarningRule.objects.create(code=code, names={"en": code.capitalize()})
    terms_of = {
        "number": 1,
        "valid_from": NOW - DAY,
        "effect": "fixed",
        "points": 50,
        "needs_activation": True,
    }
    RuleRevision.objects.create(rule=rule, wallet_id=wallet(), **terms_of | facts)
    terms.revised()


def test_without_offers_the_page_says_what_to_expect(portal: Client) -> None:
    assert "No offers just now" in text_of(portal.get("/offers/"))
    assert "offer" not in text_of(portal.get("/")).lower()


def test_an_offer_is_activated_in_the_portal(portal: Client, member: Member) -> None:
    offer(valid_to=NOW + DAY, cap_per_member=100)
    assert "An offer waits for you Activate it to get it: Autumn" in text_of(portal.get("/"))
    assert "Autumn 50 points At most 100 points a month. until 22.11.2026 14:30 Activate" in text_of(
        portal.get("/offers/")
    )
    done = portal.post("/offers/activate/", {"offer": "autumn"}, follow=True)

    assert "Activated: Autumn. It counts from your next purchase on." in text_of(done)
    assert "At most 100 points a month. 100 points are still to be had." in text_of(done)
    assert OfferActivation.objects.get().member == member
    assert "offer" not in text_of(portal.get("/")).lower()


def test_an_offer_that_ended_is_not_activated(portal: Client) -> None:
    offer(valid_to=NOW)
    page = portal.post("/offers/activate/", {"offer": "autumn"}, follow=True)
    assert "This offer has ended or is not for you." in text_of(page)
    assert not OfferActivation.objects.exists()


def test_looking_does_not_activate(portal: Client) -> None:
    offer()
    assert portal.get("/offers/activate/", {"offer": "autumn"}).status_code == 405
    assert not OfferActivation.objects.exists()


def test_offers_ask_for_the_log_in(client: Client) -> None:
    assert client.get("/offers/").status_code == 302
    assert client.post("/offers/activate/", {"offer": "autumn"}).status_code == 302
