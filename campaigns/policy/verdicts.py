"""The verdict about one candidate: sent, held out, or not sent and why. Pure: facts and rules in, a verdict out."""

import datetime as dt
import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from campaigns.models import ChannelCode, Message
from campaigns.policy import caps
from campaigns.policy.facts import Facts
from campaigns.policy.quiet import held_until, zone_of
from campaigns.policy.rules import Rules, Way

Arm, Reason, Status = Message.Arm, Message.Reason, Message.Status


@dataclass(slots=True)
class Verdict:
    """What to write down. ``displaces`` are the messages that give way to it; ``day``, where it counts towards caps, is
    that of ``due_at`` on the member's calendar."""

    status: str
    channel: str
    language: str
    due_at: dt.datetime
    reason: str = ""
    detail: str = ""
    arm: str = ""
    variant_id: int | None = None
    points: int = 0
    displaces: tuple[caps.Counted, ...] = ()
    day: dt.date | None = None


def verdict(facts: Facts, rules: Rules, *, at: dt.datetime, counted: Sequence[caps.Counted] = ()) -> Verdict:
    """The first thing against it, in the order of the policy; else the side of the experiment that they stand on.

    ``counted`` is what counts towards the member's caps by now, whatever was decided just before included.
    """
    member_id = facts.candidate.member_id
    due_at = max(facts.candidate.due_at, at)
    is_tried_later = rules.waits_until is not None and not rules.assignment.is_in_test(member_id)
    if rules.waits_until is not None and is_tried_later:
        due_at = max(due_at, rules.waits_until)
    if objection := _objection(facts, rules, due_at):
        return Verdict(Status.SKIPPED, rules.first_channel, facts.language, due_at, objection)
    way, reason, detail = way_to(facts, rules)
    if way is None:
        return Verdict(Status.SKIPPED, rules.first_channel, facts.language, due_at, reason, detail)
    language = way.languages.get(facts.language) or next(iter(way.languages.values()))
    held = held_until(due_at, time_zone=facts.time_zone, quiet_from=way.quiet_from, quiet_to=way.quiet_to)
    result = Verdict(Status.DUE, way.channel, language, held, reason)
    if held != due_at:
        result.reason = Reason.QUIET_HOURS
    if way.is_counted:
        result.day = held.astimezone(zone_of(facts.time_zone)).date()
        limits = way.limits if facts.per_week is None else _with_own(way.limits, facts.per_week)
        room = caps.room_for(result.day, priority=rules.priority, limits=limits, counted=counted)
        if room is None:
            result.status, result.reason, result.day = Status.SKIPPED, Reason.CAPPED, None
            return result
        result.displaces = room
    return _on_their_side(result, facts, rules, waits=is_tried_later)


def _objection(facts: Facts, rules: Rules, due_at: dt.datetime) -> str:
    """What is against writing to them at all, whichever way."""
    if facts.candidate.settled:
        return facts.candidate.settled
    if not facts.is_member:
        return Reason.NOT_A_MEMBER
    if rules.consent and facts.paused_until is not None:
        today = due_at.astimezone(zone_of(facts.time_zone)).date()
        return Reason.ON_PAUSE if today < facts.paused_until else ""
    return ""


def way_to(facts: Facts, rules: Rules) -> tuple[Way | None, str, str]:
    """The way that reaches them, and why it is the portal's inbox and not e-mail; else the reason why none does.

    What they prefer comes first, where the campaign has it. Every way's own obstacle goes into the detail.
    """
    obstacles: dict[str, str] = {}
    for way in _in_order(facts, rules):
        obstacle = _obstacle(way, facts, rules)
        if not obstacle:
            told = obstacles.get(ChannelCode.EMAIL, "") if way.channel == ChannelCode.INBOX else ""
            return way, told, ""
        obstacles[way.channel] = obstacle
    reasons = set(obstacles.values())
    reason = reasons.pop() if len(reasons) == 1 else Reason.NO_CHANNEL
    if reason not in {Reason.SUPPRESSED, Reason.NO_TEXT}:
        reason = Reason.NO_CHANNEL
    return None, reason, ", ".join(f"{channel}: {obstacle}" for channel, obstacle in obstacles.items())


def _in_order(facts: Facts, rules: Rules) -> Iterator[Way]:
    preferred = rules.ways.get(facts.preferred_channel)
    if preferred is not None:
        yield preferred
    for way in rules.ways.values():
        if way is not preferred:
            yield way


def _obstacle(way: Way, facts: Facts, rules: Rules) -> str:
    """Why this way does not reach them, or an empty text.

    The portal's inbox takes no consent: members go there to look. The webhook's other side writes by ways of its own,
    to whoever agreed to any.
    """
    channel = way.channel
    if rules.consent and channel != ChannelCode.INBOX:
        agreed = facts.consents if channel == ChannelCode.WEBHOOK else channel in facts.consents
        if not agreed:
            return Reason.NO_CONSENT
    if not _has_address(channel, facts):
        return Reason.NO_ADDRESS
    if channel in facts.suppressed:
        return Reason.SUPPRESSED
    return "" if way.languages else Reason.NO_TEXT


def _has_address(channel: str, facts: Facts) -> bool:
    if channel == ChannelCode.EMAIL:
        return bool(facts.email)
    if channel == ChannelCode.SMS:
        return bool(facts.phone)
    return facts.has_browser if channel == ChannelCode.PUSH else True


@functools.lru_cache(maxsize=1_000)
def _with_own(limits: tuple[caps.Limit, ...], per_week: int) -> tuple[caps.Limit, ...]:
    """The programme's limits and the member's own."""
    return caps.narrow_first((*limits, caps.Limit(caps.Window.WEEK, per_week)))


def _on_their_side(result: Verdict, facts: Facts, rules: Rules, *, waits: bool) -> Verdict:
    """Held out or written to; nobody gives way to a message that is held out, and it counts for nothing."""
    member_id = facts.candidate.member_id
    result.arm = rules.assignment.arm_of(member_id)
    if result.arm == Arm.TREATED:
        points = facts.candidate.points
        result.points = rules.points if points is None else points
        result.variant_id = None if waits else rules.assignment.variant_of(member_id)
        return result
    result.status, result.displaces, result.day = Status.HELD_OUT, (), None
    result.reason = Reason.GLOBAL_HOLD_OUT if result.arm == Arm.GLOBAL else Reason.HOLD_OUT
    return result
