"""Reads about redemptions that serve more than one caller: the portal, the API, the admin."""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from loyalty.partners.models import Partner
from members.models import Member
from rewards.models import Redemption, RedemptionTerms, Voucher
from rewards.redemption.ending import may_cancel
from rewards.vouchers import codes
from rewards.vouchers.queries import shown_code, state_at

State = Redemption.State


class Standing(StrEnum):
    """How a redemption looks to its member."""

    ACTIVE = "active"
    USED = "used"
    ENDED = "ended"


STANDING_NAMES = {
    Standing.ACTIVE: _("Active"),
    Standing.USED: _("Used"),
    Standing.ENDED: _("Expired or cancelled"),
}


@dataclass(frozen=True, slots=True)
class Mine:
    """A redemption as its member sees it; ``code`` is what to show, "" when there is nothing (any more) to show."""

    row: Redemption
    name: str
    standing: Standing
    state_text: str
    code: str
    raw_code: str
    until: dt.datetime | None
    may_cancel: bool

    @property
    def last_moment(self) -> dt.datetime | None:
        """The last moment at which it is good; its date is the “until” that people read."""
        return self.until - dt.timedelta(microseconds=1) if self.until else None


def full(rows: QuerySet[Redemption]) -> QuerySet[Redemption]:
    """With all that their pages and answers show."""
    return rows.select_related("reward", "voucher__family", "donation__cause", "partner", "member")


def of_member(member: Member) -> QuerySet[Redemption]:
    """The member's redemptions, newest first."""
    return full(Redemption.objects.filter(member=member)).order_by("-pk")


def mine(rows: Iterable[Redemption], *, at: dt.datetime) -> list[Mine]:
    """Redemptions as their member sees them; one statement (the terms) for any number."""
    known = list(RedemptionTerms.objects.order_by("-valid_from"))
    return [_mine(row, known, at=at) for row in rows]


def _mine(row: Redemption, known: Sequence[RedemptionTerms], *, at: dt.datetime) -> Mine:
    voucher: Voucher | None = getattr(row, "voucher", None)
    standing, text, until = _standing(row, voucher, at)
    code = raw = ""
    if standing == Standing.ACTIVE:
        code, raw = code_of(row)
    rules = next((each for each in known if each.valid_from <= row.redeemed_at), None)
    is_open = standing == Standing.ACTIVE and rules is not None and may_cancel(row, at=at, rules=rules)
    return Mine(row, name_of(row), standing, text, code, raw, until, is_open)


def _standing(
    row: Redemption, voucher: Voucher | None, at: dt.datetime
) -> tuple[Standing, str, dt.datetime | None]:
    text = str(row.get_state_display())
    if row.state in (State.CANCELLED, State.EXPIRED):
        return Standing.ENDED, text, None
    if voucher is not None:
        state = state_at(voucher, at)
        if state in (Voucher.State.EXPIRED, Voucher.State.CANCELLED):
            return Standing.ENDED, str(state.label), voucher.expires_at
        standing = Standing.ACTIVE if state == Voucher.State.ACTIVE else Standing.USED
        return standing, str(state.label), voucher.expires_at
    if row.state == State.RESERVED:
        if row.collect_by is not None and row.collect_by <= at:
            return Standing.ENDED, str(State.EXPIRED.label), row.collect_by
        return Standing.ACTIVE, text, row.collect_by
    return Standing.USED, text, None


def code_of(row: Redemption) -> tuple[str, str]:
    """The code that is shown for it, in groups and as scanners read it; empty when it has none."""
    voucher: Voucher | None = getattr(row, "voucher", None)
    if voucher is not None:
        return shown_code(voucher), voucher.code
    return (codes.grouped(row.code), row.code) if row.code else ("", "")


def name_of(row: Redemption) -> str:
    """What was redeemed, in the active language."""
    if row.reward is not None:
        return row.reward.name
    donation = getattr(row, "donation", None)
    return donation.cause.name if donation is not None else str(_("Points used as money"))


def with_code(text: str) -> QuerySet[Redemption]:
    """The redemption with that code (its own or its voucher's), however it was typed."""
    code = codes.canonical(text)
    if not code:
        return Redemption.objects.none()
    return Redemption.objects.filter(Q(code=code) | Q(voucher__code=code))


def seen_by(partner: Partner) -> QuerySet[Redemption]:
    """What a partner may see: what it placed, and what is had at its counter."""
    return Redemption.objects.filter(Q(partner=partner) | Q(reward__partner=partner))


def handed_over_by(partner: Partner) -> QuerySet[Redemption]:
    """What a partner may hand over: of its own rewards, and of the programme's own to whoever shows the code."""
    return Redemption.objects.filter(
        Q(partner=partner) | Q(reward__partner=partner) | Q(reward__partner=None, code__isnull=False)
    )
