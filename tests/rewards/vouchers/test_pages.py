"""The member's vouchers in the portal, and the pictures of codes."""

import itertools
import re
from decimal import Decimal
from xml.etree import ElementTree

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import translation

from loyalty import clock
from members.models import Member
from rewards.models import Voucher
from rewards.vouchers import drawing, issuing, queries, wording
from tests.factories.members import NOON, UserFactory
from tests.factories.members import member as enrolled
from tests.factories.vouchers import pooled, voucher, voucher_family

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _english_noon(settings: object, monkeypatch: pytest.MonkeyPatch) -> object:
    settings.LANGUAGE_CODE = "en"  # type: ignore[attr-defined]
    monkeypatch.setattr(clock, "now", lambda: NOON)
    with translation.override("en"):
        yield


@pytest.fixture
def aino() -> Member:
    return enrolled(user=UserFactory())


@pytest.fixture
def page(aino: Member) -> Client:
    client = Client(headers={"accept-language": "en"})
    client.force_login(aino.user)
    return client


def test_a_member_shows_the_code_in_four_ways(page: Client, aino: Member) -> None:
    given = voucher(voucher_family(valid_days=30, value="5.00"), member=aino)
    code = queries.shown_code(given)
    text = page.get(reverse("my-voucher", args=[given.public_id])).content.decode()
    assert f'data-copy="{code}"' in text
    assert re.search(rf'id="voucher-code-{given.public_id}"[^>]*>{code}<', text)
    assert text.count("<svg role=") >= 1
    assert 'class="barcode"' in text
    assert "Good until" in text


def test_a_used_or_cancelled_voucher_shows_no_code_to_scan(page: Client, aino: Member) -> None:
    given = voucher(member=aino)
    issuing.withdraw(voucher_id=given.pk, at=NOON, note="lost")
    text = page.get(reverse("my-voucher", args=[given.public_id])).content.decode()
    assert "barcode" not in text
    assert "Cancelled" in text


def test_nobody_sees_another_members_voucher(page: Client) -> None:
    given = voucher(member=enrolled())
    assert page.get(reverse("my-voucher", args=[given.public_id])).status_code == 404
    assert given.code not in page.get(reverse("my-vouchers")).content.decode()


def test_the_list_costs_the_same_for_two_and_twenty(
    page: Client, aino: Member, django_assert_max_num_queries: object
) -> None:
    for _number in range(2):
        voucher(member=aino)
    page.get(reverse("my-vouchers"))
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as few:
        page.get(reverse("my-vouchers"))
    for _number in range(18):
        voucher(member=aino)
    with CaptureQueriesContext(connection) as many:
        page.get(reverse("my-vouchers"))
    assert len(few) == len(many)


def test_the_pictures_are_sound_svg_that_says_what_it_is() -> None:
    for picture in (drawing.qr_svg("KAHVI23", label='a "code"'), drawing.barcode_svg("KAHVI23", label="x")):
        root = ElementTree.fromstring(picture)
        assert root.attrib["role"] == "img"
    assert 'aria-label="a &quot;code&quot;"' in drawing.qr_svg("KAHVI23", label='a "code"')
    assert 'aria-hidden="true"' in drawing.barcode_svg("KAHVI23")


def test_a_bar_code_holds_what_code_128_says() -> None:
    root = ElementTree.fromstring(drawing.barcode_svg("HI23"))
    bars = [rect.attrib for rect in root if rect.attrib.get("fill") != "#fff"]
    edges = [edge for bar in bars for edge in (float(bar["x"]), float(bar["x"]) + float(bar["width"]))]
    widths = [round((end - start) / drawing._BAR_WIDTH) for start, end in itertools.pairwise(edges)]
    assert widths[:6] == [2, 1, 1, 2, 1, 4]  # start, set B
    assert widths[-7:] == [2, 3, 3, 1, 1, 1, 2]  # stop
    assert all(sum(widths[place : place + 6]) == 11 for place in range(0, len(widths) - 7, 6))


def test_pool_codes_are_scanned_in_their_own_spelling() -> None:
    [stored] = pooled(voucher_family(source="pool"), "AB12", spelling="ab-12")
    assert queries.scanned_text(stored) == "ab-12"
    assert queries.by_code(" AB 1-2 ") == Voucher.objects.get()


def test_vouchers_are_put_into_words() -> None:
    family = voucher_family(kind="percent", value="12.5", at_most="20.00", minimum_purchase="30.00")
    family.refresh_from_db()
    with translation.override("fi"):
        assert wording.worth(family).startswith("12,5 %")
        assert "20,00\N{NO-BREAK SPACE}€" in wording.worth(family)
        assert "30,00\N{NO-BREAK SPACE}€" in wording.conditions(family)[0]
    coffee = voucher_family(kind="product", value=Decimal(0), skus=["coffee"])
    assert wording.worth(coffee) == "one product for nothing"
