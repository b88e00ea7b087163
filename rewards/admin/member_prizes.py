"""Redemptions, vouchers and challenges on a member's timeline in the admin."""

from collections.abc import Iterable
from datetime import datetime

from django.urls import reverse
from django.utils.translation import gettext

from members import timeline
from members.models import Member
from rewards.challenges.wording import badge_text
from rewards.models import Participation, Redemption, RedemptionStep, StepAward, VoucherStep
from rewards.vouchers import wording
from rewards.wording import number

State, Step = Redemption.State, VoucherStep.Kind
_REDEMPTION_ICONS = {
    State.RESERVED: "schedule",
    State.ISSUED: "redeem",
    State.FULFILLED: "check_circle",
    State.CANCELLED: "undo",
    State.EXPIRED: "timer_off",
}


def _redemptions(member: Member, before: datetime | None, size: int) -> Iterable[timeline.Entry]:
    """Each change of a redemption's state."""
    rows = RedemptionStep.objects.filter(redemption__member=member)
    if before is not None:
        rows = rows.filter(at__lte=before)
    for row in rows.select_related("redemption__reward", "partner", "staff").order_by("-at", "-id")[:size]:
        reward, state = row.redemption.reward, State(row.to_state)
        points = gettext("%(points)s points") % {"points": number(row.redemption.points)}
        yield timeline.Entry(
            at=row.at,
            kind="redemption",
            icon=_REDEMPTION_ICONS[state],
            title=gettext("%(reward)s: %(state)s")
            % {
                "reward": reward.name or reward.code if reward is not None else gettext("Points redeemed"),
                "state": state.label,
            },
            detail=" · ".join(part for part in (points, row.note) if part),
            by=" · ".join(str(part) for part in (row.get_via_display(), row.partner, row.staff) if part),
            permission="rewards.view_redemption",
            url=reverse("admin:rewards_redemption_change", args=[row.redemption_id]),
            tone="warn" if state in (State.CANCELLED, State.EXPIRED) else "",
            order=row.pk,
        )


_VOUCHER_ICONS = {
    Step.ISSUED: "confirmation_number",
    Step.REDEEMED: "point_of_sale",
    Step.ROLLED_BACK: "undo",
    Step.CANCELLED: "block",
    Step.EXPIRED: "timer_off",
}
"""Locks for a checkout are the till's business: the voucher's own page has them."""


def _vouchers(member: Member, before: datetime | None, size: int) -> Iterable[timeline.Entry]:
    rows = VoucherStep.objects.filter(voucher__member=member, kind__in=_VOUCHER_ICONS)
    if before is not None:
        rows = rows.filter(at__lte=before)
    for row in rows.select_related("voucher__family", "partner", "staff").order_by("-at", "-id")[:size]:
        family, kind = row.voucher.family, Step(row.kind)
        money = wording.money_text(row.amount) if kind in (Step.REDEEMED, Step.ROLLED_BACK) else ""
        yield timeline.Entry(
            at=row.at,
            kind="voucher",
            icon=_VOUCHER_ICONS[kind],
            title=gettext("Voucher “%(name)s”: %(what)s")
            % {"name": family.name or family.code, "what": kind.label},
            detail=" · ".join(part for part in (money, row.note) if part),
            by=" · ".join(str(part) for part in (row.partner, row.staff) if part),
            permission="rewards.view_voucher",
            url=reverse("admin:rewards_voucher_change", args=[row.voucher_id]),
            tone="warn" if kind in (Step.CANCELLED, Step.EXPIRED) else "",
            order=row.pk,
        )


def _joined(member: Member, before: datetime | None, size: int) -> Iterable[timeline.Entry]:
    rows = Participation.objects.filter(member=member).select_related("challenge")
    if before is not None:
        rows = rows.filter(joined_at__lte=before)
    for row in rows.order_by("-joined_at", "-id")[:size]:
        yield timeline.Entry(
            at=row.joined_at,
            kind="challenge",
            icon="flag",
            title=gettext("Takes part in “%(challenge)s”") % {"challenge": row.challenge},
            permission="rewards.view_challenge",
            url=reverse("admin:rewards_challenge_change", args=[row.challenge_id]),
            order=row.pk,
        )


def _steps_reached(member: Member, before: datetime | None, size: int) -> Iterable[timeline.Entry]:
    """Steps of challenges with what they brought; those that refunds undid say so."""
    rows = StepAward.objects.filter(round__member=member)
    if before is not None:
        rows = rows.filter(reached_at__lte=before)
    rows = rows.select_related("round__challenge", "step__badge")
    for row in rows.order_by("-reached_at", "-id")[:size]:
        challenge, badge = row.round.challenge, row.step.badge
        gained = [
            gettext("%(points)s points") % {"points": number(row.points)} if row.points else "",
            badge_text(str(badge), row.step.badge_level, badge.levels) if badge is not None else "",
            gettext("undone by a refund") if row.withdrawn_at else "",
        ]
        yield timeline.Entry(
            at=row.reached_at,
            kind="challenge",
            icon="emoji_events",
            title=gettext("Step %(step)s of “%(challenge)s” reached")
            % {"step": f"{row.step.target.normalize():f}", "challenge": challenge},
            detail=" · ".join(part for part in gained if part),
            permission="rewards.view_challenge",
            url=reverse("admin:rewards_challenge_change", args=[challenge.pk]),
            tone="warn" if row.withdrawn_at else "good",
            order=row.pk,
        )


timeline.add_source("rewards.redemptions", _redemptions)
timeline.add_source("rewards.vouchers", _vouchers)
timeline.add_source("rewards.challenges", _joined)
timeline.add_source("rewards.challenge_steps", _steps_reached)
