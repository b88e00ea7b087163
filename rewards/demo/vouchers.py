"""The demo's vouchers: a gift card used in parts, money and shares off, cinema codes, one code for everybody.

Called by the seeding of the demo, after the catalogue; what is there already stays as it is.
"""

import datetime as dt
from decimal import Decimal
from typing import Any

from loyalty.partners.models import Partner
from rewards.demo.wares import CAFE, GROCER
from rewards.models import Voucher, VoucherFamily
from rewards.vouchers import batches, codes, families, issuing, using
from rewards.vouchers.using import Asked
from rewards.vouchers.worth import Purchase

DAY = dt.timedelta(days=1)
CINEMA_CODES = 40

_KINDS: dict[str, dict[str, Any]] = {
    "gift-card-20": {
        "names": {"fi": "Lahjakortti 20 €", "sv": "Presentkort 20 €", "en": "Gift card 20 €"},
        "kind": "amount", "value": Decimal("20.00"), "in_parts": True, "valid_days": 365, "prefix": "LAHJA",
    },
    "five-off": {
        "names": {"fi": "Viisi euroa ostoksista", "sv": "Fem euro på köpet", "en": "Five euros off"},
        "kind": "amount", "value": Decimal("5.00"), "minimum_purchase": Decimal("30.00"), "valid_days": 30,
        "partner": GROCER.slug,
    },
    "coffee-tenth": {
        "names": {"fi": "Kymmenys kahvilasta", "sv": "Tio procent på kaféet", "en": "Ten per cent at the café"},
        "kind": "percent", "value": Decimal("10.00"), "at_most": Decimal("4.00"), "valid_days": 60, "prefix": "KAHVI",
        "partner": CAFE.slug,
    },
    "cinema": {
        "names": {"fi": "Elokuvalippu", "sv": "Biobiljett", "en": "Cinema ticket"},
        "kind": "amount", "value": Decimal("12.00"), "source": "pool", "valid_days": 180,
    },
    "everybody": {
        "names": {"fi": "Kanta-asiakaspäivät", "sv": "Stamkunddagarna", "en": "Members' days"},
        "kind": "percent", "value": Decimal("15.00"), "at_most": Decimal("15.00"), "source": "shared", "uses": None,
        "uses_per_member": 1, "minimum_purchase": Decimal("20.00"),
    },
}  # fmt: skip


def issue_vouchers(*, demo_member_id: int, staff_id: int, at: dt.datetime) -> None:
    """Kinds of vouchers, codes in the cinema's pool, and some for the demo's member: new, begun and used."""
    kinds = {code: _kind(code, facts) for code, facts in _KINDS.items()}
    families.share(family_id=kinds["everybody"].pk, code="KANTIS15", at=at, staff_id=staff_id)
    if not Voucher.objects.filter(family=kinds["cinema"]).exists():
        rows = "".join(f"{codes.grouped(codes.new_code('LEFFA'))}\n" for _number in range(CINEMA_CODES))
        asked = batches.ask_for_import(
            family_id=kinds["cinema"].pk, data=f"code\n{rows}".encode(), staff_id=staff_id, at=at
        )
        batches.work(batch_id=asked.pk, at=at)
    for number, (code, days_ago) in enumerate(
        [("gift-card-20", 20), ("five-off", 25), ("five-off", 2), ("coffee-tenth", 5), ("cinema", 1)]
    ):
        issuing.issue(
            family_id=kinds[code].pk,
            member_id=demo_member_id,
            at=at - days_ago * DAY,
            occasion=f"demo:voucher:{number}",
            source="demo",
        )
    _use("demo:voucher:0", Decimal("7.40"), at=at - 6 * DAY)
    _use("demo:voucher:1", Decimal("41.15"), at=at - 12 * DAY)


def _kind(code: str, facts: dict[str, Any]) -> VoucherFamily:
    partner = Partner.objects.get(slug=facts["partner"]) if "partner" in facts else None
    return VoucherFamily.objects.get_or_create(code=code, defaults={**facts, "partner": partner})[0]


def _use(occasion: str, total: Decimal, *, at: dt.datetime) -> None:
    """A purchase at the grocer's on which the member used the voucher."""
    given = Voucher.objects.get(occasion=occasion)
    till = Partner.objects.get(slug=GROCER.slug)
    sale = Asked(code=given.code, partner_id=till.pk, checkout=f"demo {occasion}", purchase=Purchase(total))
    using.redeem(sale, at=at)
