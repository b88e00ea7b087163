"""Vouchers in words, for the portal and the admin: what one is worth, and under what conditions."""

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal

from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _

from loyalty import programme
from loyalty.templatetags.portal import money
from members.models import Product
from rewards.models import VoucherFamily

Kind = VoucherFamily.Kind


def worth(family: VoucherFamily, value: Decimal | None = None) -> str:
    """What a voucher takes off: “5,00 € off”. ``value``: of one issued earlier, default the family's."""
    amount = family.value if value is None else value
    if family.kind == Kind.PERCENT:
        percent = number_format(amount.normalize() if amount % 1 else int(amount))
        if family.at_most is not None:
            return _("%(percent)s %% off, at most %(amount)s") % {
                "percent": percent,
                "amount": money_text(family.at_most),
            }
        return _("%(percent)s %% off") % {"percent": percent}
    if family.kind == Kind.PRODUCT:
        if amount:
            return _("one product for nothing, worth up to %(amount)s") % {"amount": money_text(amount)}
        return _("one product for nothing")
    return _("%(amount)s off") % {"amount": money_text(amount)}


def until(expires_at: dt.datetime | None) -> str:
    """The last day on which it is good, with the hour where it does not end with the day; "" when it has no end."""
    if expires_at is None:
        return ""
    end = timezone.localtime(expires_at)
    if end.time() == dt.time.min:
        return date_format(end - dt.timedelta(seconds=1), "SHORT_DATE_FORMAT")
    return date_format(end, "SHORT_DATETIME_FORMAT")


def conditions(family: VoucherFamily) -> list[str]:
    """What has to be so for it to count, a sentence each; empty when nothing has."""
    return list(_conditions(family))


def _conditions(family: VoucherFamily) -> Iterator[str]:
    if family.minimum_purchase:
        yield _("For purchases of at least %(amount)s.") % {"amount": money_text(family.minimum_purchase)}
    if things := [*family.departments, *family.categories, *_products(family)]:
        yield _("For: %(things)s.") % {"things": ", ".join(things)}
    if family.partner is not None:
        yield _("At %(partner)s.") % {"partner": family.partner.name}
    if family.in_parts:
        yield _("What a purchase does not use up stays on it.")


def _products(family: VoucherFamily) -> list[str]:
    """The products by name; by SKU where none has been sold under a name yet."""
    if not family.skus:
        return []
    sold = Product.objects.filter(sku__in=family.skus).exclude(name="").order_by("-pk")
    if family.partner_id is not None:
        sold = sold.filter(partner=family.partner_id)
    names = dict(sold.values_list("sku", "name"))
    return list(dict.fromkeys(names.get(sku, sku) for sku in family.skus))


def money_text(amount: Decimal) -> str:
    """Money in the base currency, as people write it."""
    return money(amount, programme.current().base_currency)
