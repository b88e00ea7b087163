"""Vouchers in the admin: made in a form that sees contradictions, followed, found by any spelling, cancelled."""

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import translation

from rewards.models import Voucher, VoucherBatch, VoucherFamily
from rewards.vouchers import batches, codes, families, using
from rewards.vouchers.using import Asked
from tests.factories.members import NOON, UserFactory
from tests.factories.members import member as enrolled
from tests.factories.partners import PartnerFactory
from tests.factories.vouchers import voucher, voucher_family

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _english(settings: Any) -> Any:
    settings.LANGUAGE_CODE = "en"
    with translation.override("en"):
        yield


@pytest.fixture
def boss() -> Client:
    client = Client(headers={"accept-language": "en"})
    client.force_login(UserFactory(is_staff=True, is_superuser=True))
    return client


def url(name: str, *args: object) -> str:
    return reverse(f"admin:rewards_{name}", args=args)


def filled(**facts: object) -> dict[str, object]:
    """A good form of five euros off; ``facts`` replace fields."""
    given = {
        "code": "five-off", "names_fi": "Viisi euroa", "names_en": "Five euros", "kind": "amount", "value": "5.00",
        "source": "generated", "uses": "1", "minimum_purchase": "0", "is_active": "on", "prefix": "kahvi",
        "departments": "", "categories": "", "skus": "", "valid_from_0": "", "valid_from_1": "", "valid_to_0": "",
        "valid_to_1": "", "valid_days": "30", "uses_per_member": "", "at_most": "", "shared_code": "", "partner": "",
    }  # fmt: skip
    return given | facts


def test_a_kind_of_voucher_is_made_in_the_form(boss: Client) -> None:
    assert boss.get(url("voucherfamily_add")).status_code == 200
    answer = boss.post(url("voucherfamily_add"), filled(skus="coffee, bun"))
    assert answer.status_code == 302
    made = VoucherFamily.objects.get()
    assert (made.prefix, made.skus, made.valid_days) == ("KAHVI", ["coffee", "bun"], 30)
    assert boss.get(url("voucherfamily_changelist")).status_code == 200
    assert boss.get(url("voucherfamily_change", made.pk)).status_code == 200


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"value": "0"}, "value"),
        ({"kind": "percent", "value": "101"}, "value"),
        ({"kind": "product", "value": "0"}, "skus"),
        ({"at_most": "3.00"}, "at_most"),
        ({"in_parts": "on", "uses": "2"}, "in_parts"),
        ({"uses_per_member": "1"}, "uses_per_member"),
        ({"source": "shared"}, "shared_code"),
        ({"source": "shared", "shared_code": "KESÄ!"}, "shared_code"),
        ({"prefix": "K-1"}, "prefix"),
    ],
)
def test_what_does_not_go_together_is_said_at_its_field(
    boss: Client, change: dict[str, object], field: str
) -> None:
    answer = boss.post(url("voucherfamily_add"), filled(**change))
    assert answer.status_code == 200
    assert field in answer.context["adminform"].form.errors
    assert not VoucherFamily.objects.exists()


def test_a_shared_code_is_made_with_its_kind_and_follows_it(boss: Client) -> None:
    shared = {"source": "shared", "shared_code": "kesa 2026", "uses": "100", "uses_per_member": "1"}
    assert boss.post(url("voucherfamily_add"), filled(**shared)).status_code == 302
    row = Voucher.objects.get()
    assert (row.code, row.uses_left, row.state) == ("KESA2026", 100, "active")
    change = filled(**shared, value="7.00") | {"uses": "50"}
    assert boss.post(url("voucherfamily_change", row.family_id), change).status_code == 302
    row.refresh_from_db()
    assert (row.value, row.uses, row.uses_left) == (7, 50, 50)
    again = boss.post(url("voucherfamily_add"), filled(**shared, code="other"))
    assert "shared_code" in again.context["adminform"].form.errors


def test_what_issued_vouchers_rest_on_stays(boss: Client) -> None:
    boss.post(url("voucherfamily_add"), filled())
    family = VoucherFamily.objects.get()
    voucher(family)
    assert families.is_used(family)
    boss.post(
        url("voucherfamily_change", family.pk), filled(kind="percent", minimum_purchase="99", value="9.00")
    )
    family.refresh_from_db()
    assert (family.kind, family.minimum_purchase, family.value) == ("amount", 0, 9)
    assert Voucher.objects.get().value == 5


def test_the_preview_issues_nothing(boss: Client) -> None:
    family = voucher_family(valid_days=30, minimum_purchase="20.00")
    text = boss.get(url("voucherfamily_preview", family.pk)).content.decode()
    assert "<svg" in text
    assert "On paper" in text
    assert not Voucher.objects.exists()


def test_codes_are_asked_for_followed_downloaded_and_cancelled(boss: Client) -> None:
    family = voucher_family()
    answer = boss.post(url("voucherfamily_make", family.pk), {"count": "12"})
    batch = VoucherBatch.objects.get()
    assert answer["Location"] == url("voucherbatch_change", batch.pk)
    assert 'http-equiv="refresh"' in boss.get(answer["Location"]).content.decode()
    batches.work(batch_id=batch.pk, at=NOON)
    text = boss.get(answer["Location"]).content.decode()
    assert 'value="100"' in text
    assert boss.get(url("voucherbatch_changelist")).status_code == 200
    csv = b"".join(boss.get(url("voucherbatch_codes", batch.pk, "csv")))  # type: ignore[arg-type]
    assert csv.count(b"\r\n") == 13
    assert boss.get(url("voucherbatch_codes", batch.pk, "exe")).status_code == 404
    assert boss.post(url("voucherbatch_cancel", batch.pk), {"reason": ""}).status_code == 200
    assert Voucher.objects.filter(state="active").count() == 12
    assert boss.post(url("voucherbatch_cancel", batch.pk), {"reason": "misprint"}).status_code == 302
    assert Voucher.objects.filter(state="cancelled").count() == 12


def test_a_file_is_uploaded_and_its_bad_rows_are_shown(boss: Client) -> None:
    family = voucher_family(source="pool")
    bad = SimpleUploadedFile("codes.csv", b"number\n1\n")
    assert "file" in boss.post(url("voucherfamily_import", family.pk), {"file": bad}).context["form"].errors
    good = SimpleUploadedFile("codes.csv", b"code\nABC-1\nABC 1\n")
    answer = boss.post(url("voucherfamily_import", family.pk), {"file": good})
    batches.work(batch_id=VoucherBatch.objects.get().pk, at=NOON)
    text = boss.get(answer["Location"]).content.decode()
    assert "stands in the file twice" in text
    assert boss.post(url("voucherfamily_make", family.pk), {"count": "5"}).status_code == 200
    assert VoucherBatch.objects.count() == 1


def test_a_code_is_found_by_any_spelling_and_by_its_member(boss: Client) -> None:
    aino = enrolled(email="aino@example.com")
    mine, _other = voucher(member=aino), voucher()
    for spelling in (
        codes.grouped(mine.code).lower(),
        f" {mine.code} ",
        "AINO@example.com",
        aino.card_number,
    ):
        found = boss.get(url("voucher_changelist"), {"q": spelling}).context["cl"].result_list
        assert list(found) == [mine], spelling
    assert list(boss.get(url("voucher_changelist"), {"q": "!"}).context["cl"].result_list) == []


def test_a_voucher_shows_its_history_and_is_cancelled_with_a_reason(boss: Client) -> None:
    given, used = voucher(), voucher()
    shop = PartnerFactory(name="Kahvila")
    using.redeem(_asked(used, shop.pk), at=NOON)
    assert "Kahvila" in boss.get(url("voucher_change", used.pk)).content.decode()
    boss.post(url("voucher_cancel", used.pk), {"reason": "why not"})
    used.refresh_from_db()
    assert used.state == "used"
    boss.post(url("voucher_cancel", given.pk), {"reason": ""})
    given.refresh_from_db()
    assert given.state == "active"
    boss.post(url("voucher_cancel", given.pk), {"reason": "sent to a wrong address"})
    given.refresh_from_db()
    assert given.state == "cancelled"
    assert "sent to a wrong address" in boss.get(url("voucher_change", given.pk)).content.decode()


def test_staff_without_the_right_do_none_of_it() -> None:
    given, family = voucher(), voucher_family()
    client = Client()
    client.force_login(UserFactory(is_staff=True))
    for answer in (
        client.get(url("voucher_change", given.pk)),
        client.post(url("voucher_cancel", given.pk), {"reason": "x"}),
        client.get(url("voucherfamily_preview", family.pk)),
        client.post(url("voucherfamily_make", family.pk), {"count": "5"}),
        client.post(url("voucherfamily_import", family.pk)),
    ):
        assert answer.status_code == 403
    given.refresh_from_db()
    assert given.state == "active"
    assert not VoucherBatch.objects.exists()


def _asked(given: Voucher, partner_id: int) -> Asked:
    from decimal import Decimal

    from rewards.vouchers.worth import Purchase

    return Asked(code=given.code, partner_id=partner_id, checkout="r-1", purchase=Purchase(Decimal(20)))
