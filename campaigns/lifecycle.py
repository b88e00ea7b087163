"""What a campaign may become, and who may make it so: draft, awaiting approval, scheduled, sending or running, sent.

Every step is taken under the campaign's row lock, which the deciding of its pages holds too: when ``pause`` or
``cancel`` returns, no page is half-way. Called by the admin and the API; ``finish_due`` by the worker.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from campaigns import approval, audience, readiness
from campaigns.models import Campaign, Message, Round, Text, Trigger, Variant
from campaigns.readiness import CampaignRefused
from loyalty.events import bus

__all__ = [
    "CampaignRefused",
    "approve",
    "archive",
    "cancel",
    "clone",
    "finish_due",
    "is_editable",
    "may",
    "pause",
    "progress_of",
    "resume",
    "send_back",
    "start",
    "submit",
]

Kind, Status = Campaign.Kind, Campaign.Status

ALLOWED: Mapping[str, frozenset[str]] = {
    "submit": frozenset({Status.DRAFT}),
    "approve": frozenset({Status.AWAITING}),
    "send_back": frozenset({Status.AWAITING, Status.SCHEDULED, Status.PAUSED}),
    "start": frozenset({Status.SCHEDULED}),
    "pause": frozenset({Status.SCHEDULED, Status.SENDING, Status.RUNNING}),
    "resume": frozenset({Status.PAUSED}),
    "cancel": frozenset(
        {Status.AWAITING, Status.SCHEDULED, Status.SENDING, Status.RUNNING, Status.PAUSED, Status.FAILED}
    ),
    "archive": frozenset({Status.DRAFT, Status.SENT, Status.CANCELLED, Status.FAILED}),
}
"""From which states each step may be taken. Anything may be cloned."""

GOING = (Status.SENDING, Status.RUNNING)
"""The states in which occasions are decided about and messages go out."""


def may(step: str, campaign: Campaign) -> bool:
    """Whether the state of the campaign lets the step be taken: what the admin offers.

    A paused one goes back only when it is a one-off that has not begun, such as one halted over its audience.
    """
    if step == "send_back" and campaign.status == Status.PAUSED:
        has_begun = campaign.kind != Kind.ONE_OFF or campaign.started_at is not None
        return campaign.archived_at is None and not has_begun
    return campaign.archived_at is None and campaign.status in ALLOWED[step]


def is_editable(campaign: Campaign) -> bool:
    """Whether audience, texts and timing may be changed: drafts, and what goes on and on while it is paused."""
    if campaign.archived_at is not None:
        return False
    goes_on = campaign.kind != Kind.ONE_OFF
    return campaign.status == Status.DRAFT or (campaign.status == Status.PAUSED and goes_on)


def submit(*, campaign_id: int, staff_id: int | None, at: dt.datetime) -> Campaign:
    """Make a draft ready to go: it waits for a second person, for its time, or goes at once.

    One that goes to more members at once than the policy lets one person write to awaits approval. Raises
    CampaignRefused with the first thing to mend; nothing is written then.
    """
    with transaction.atomic():
        campaign = _held(campaign_id, "submit")
        readiness.check(campaign, at=at)
        campaign.submitted_by_id, campaign.problem = staff_id, ""
        if _needs_approval(campaign, at=at):
            _ask_for_approval(campaign, at=at)
        else:
            _set_going(campaign, at=at)
    return campaign


def _needs_approval(campaign: Campaign, *, at: dt.datetime) -> bool:
    """Whether somebody else has to agree; an approval of before is void, for what has been changed since."""
    _void_approval(campaign)
    if not approval.goes_to_all(campaign):
        return False
    return approval.is_needed(campaign, size=audience.count(campaign, at=at), policy=approval.policy())


def _void_approval(campaign: Campaign) -> None:
    campaign.approved_by = campaign.approved_at = campaign.approved_for = None


def _ask_for_approval(campaign: Campaign, *, at: dt.datetime) -> None:
    campaign.status = Status.AWAITING
    campaign.save()
    _tell("campaign.submitted", campaign, at=at)


def approve(*, campaign_id: int, staff_id: int, at: dt.datetime) -> Campaign:
    """Let a large campaign go, by another person than the one who submitted it. Raises CampaignRefused."""
    with transaction.atomic():
        campaign = _held(campaign_id, "approve")
        if campaign.submitted_by_id == staff_id:
            raise CampaignRefused(
                "approved_by", _("You submitted this campaign yourself: somebody else has to approve it.")
            )
        readiness.check(campaign, at=at)
        campaign.approved_by_id, campaign.approved_at, campaign.problem = staff_id, at, ""
        campaign.approved_for = audience.count(campaign, at=at)
        _set_going(campaign, at=at)
    return campaign


def send_back(*, campaign_id: int, staff_id: int, at: dt.datetime) -> Campaign:
    """Make a campaign that has not begun a draft again, to be changed, or pause one that has; its approval is void."""
    with transaction.atomic():
        campaign = _held(campaign_id, "send_back")
        goes_on = campaign.kind != Kind.ONE_OFF and campaign.started_at is not None
        campaign.status = Status.PAUSED if goes_on else Status.DRAFT
        campaign.submitted_by = None
        _void_approval(campaign)
        campaign.save()
        _tell("campaign.sent_back", campaign, at=at, staff=staff_id)
    return campaign


def start(*, campaign_id: int, staff_id: int | None, at: dt.datetime) -> Campaign:
    """Send a scheduled campaign at once, not at its time."""
    with transaction.atomic():
        campaign = _held(campaign_id, "start")
        campaign.send_at = None
        campaign.in_member_zone = False
        _set_going(campaign, at=at)
    return campaign


def pause(*, campaign_id: int, staff_id: int | None, at: dt.datetime) -> Campaign:
    """Stop deciding and sending until ``resume``; what was decided stays due."""
    with transaction.atomic():
        campaign = _held(campaign_id, "pause")
        campaign.status = Status.PAUSED
        campaign.save()
        _tell("campaign.paused", campaign, at=at, staff=staff_id)
    return campaign


def resume(*, campaign_id: int, staff_id: int | None, at: dt.datetime) -> Campaign:
    """Go on where ``pause`` stopped. What came up meanwhile is sent within the look-back; nothing older is owed.

    A schedule to many awaits approval again, for it may have been changed. Raises CampaignRefused when what was
    changed while it was paused is not fit to be sent.
    """
    with transaction.atomic():
        campaign = _held(campaign_id, "resume")
        if campaign.kind == Kind.ONE_OFF:
            begun = Round.objects.filter(campaign=campaign).exists()
            campaign.status = Status.SENDING if begun else Status.SCHEDULED
        else:
            readiness.check(campaign, at=at)
            _forgive(campaign, at=at)
            if _needs_approval(campaign, at=at):
                campaign.submitted_by_id, campaign.problem = staff_id, ""
                _ask_for_approval(campaign, at=at)
                return campaign
            campaign.status = Status.RUNNING
            campaign.started_at = campaign.started_at or at
        campaign.problem = ""
        campaign.save()
        _tell("campaign.resumed", campaign, at=at, staff=staff_id)
    return campaign


def _forgive(campaign: Campaign, *, at: dt.datetime) -> None:
    """Let go of what came up while the campaign was paused and lies further back than the look-back."""
    oldest = at - dt.timedelta(days=campaign.look_back_days)
    Trigger.objects.filter(campaign=campaign, due_at__lt=oldest).delete()
    if campaign.looked_at is not None:
        of_dates = campaign.occasion == Campaign.Occasion.SCHEDULE
        campaign.looked_at = max(campaign.looked_at, oldest) if of_dates else at


def cancel(*, campaign_id: int, staff_id: int | None, at: dt.datetime) -> Campaign:
    """End a campaign for good: what is due is not sent, with that reason; what is being handed over goes out."""
    with transaction.atomic():
        campaign = _held(campaign_id, "cancel")
        campaign.status, campaign.ended_at = Status.CANCELLED, at
        campaign.save()
        Trigger.objects.filter(campaign=campaign).delete()
        rounds = Round.objects.filter(campaign=campaign, status=Round.Status.DECIDING)
        rounds.update(status=Round.Status.CANCELLED, reason=Round.Reason.CANCELLED, ended_at=at)
        audience.forget(campaign)
        due = Message.objects.filter(campaign=campaign, status=Message.Status.DUE)
        locked = due.select_for_update(no_key=True).order_by("pk").values("pk")
        due.filter(pk__in=locked).update(
            status=Message.Status.SKIPPED, reason=Message.Reason.CANCELLED, detail=""
        )
        _tell("campaign.cancelled", campaign, at=at, staff=staff_id)
    return campaign


def archive(*, campaign_id: int, staff_id: int | None, at: dt.datetime) -> Campaign:
    """Put a campaign that is over, or a draft, out of the way; its messages and results stay."""
    with transaction.atomic():
        campaign = _held(campaign_id, "archive")
        campaign.archived_at = at
        campaign.save()
        _tell("campaign.archived", campaign, at=at, staff=staff_id)
    return campaign


_NOT_CLONED = frozenset(
    {
        "id", "public_id", "code", "names", "status", "created_at", "submitted_by", "approved_by",
        "approved_at", "approved_for", "started_at", "ended_at", "archived_at", "cloned_from", "looked_at", "problem",
        "winner", "winner_chosen_at", "send_at", "ends_at",
    }
)  # fmt: skip
"""What belongs to the original alone; moments that have gone by would be wrong for a copy."""


def clone(*, campaign_id: int, staff_id: int | None, at: dt.datetime) -> Campaign:
    """A draft like this campaign, with its variants and texts, under a new code."""
    with transaction.atomic():
        original = Campaign.objects.get(pk=campaign_id)
        number, code = _free_code(original.code)
        kept = {
            field.attname: getattr(original, field.attname)
            for field in Campaign._meta.concrete_fields
            if field.name not in _NOT_CLONED
        }
        names = {language: f"{name} ({number})" for language, name in original.names.items()}
        made = Campaign.objects.create(
            **kept, code=code, names=names, status=Status.DRAFT, created_at=at, cloned_from=original
        )
        for variant in original.variants.prefetch_related("texts"):
            copy = Variant.objects.create(
                campaign=made, code=variant.code, name=variant.name, weight=variant.weight
            )
            for text in variant.texts.all():
                columns = [each for each in Text._meta.concrete_fields if each.name not in {"id", "variant"}]
                Text.objects.create(variant=copy, **{each.name: getattr(text, each.name) for each in columns})
        _tell("campaign.cloned", made, at=at, staff=staff_id, original=original.code)
    return made


def _free_code(code: str) -> tuple[int, str]:
    """The next free code after this one: "spring", "spring-2", "spring-3"."""
    stem, dash, number = code.rpartition("-")
    if not (dash and number.isdigit()):
        stem, number = code, "1"
    stem = stem[:44]
    taken = set(Campaign.objects.filter(code__startswith=stem).values_list("code", flat=True))
    next_ = int(number) + 1
    while f"{stem}-{next_}" in taken:
        next_ += 1
    return next_, f"{stem}-{next_}"


def finish_due(*, at: dt.datetime) -> int:
    """Mark as sent what has nothing left to decide or to send, and end what has reached its end; how many.

    What a cancelled campaign heard of while it was being cancelled is dropped.
    """
    Trigger.objects.filter(campaign__status=Status.CANCELLED).delete()
    finished = 0
    for campaign in Campaign.objects.filter(status__in=GOING).order_by("pk"):
        if campaign.status == Status.RUNNING and (campaign.ends_at is None or campaign.ends_at > at):
            continue
        with transaction.atomic():
            held = Campaign.objects.select_for_update(no_key=True).get(pk=campaign.pk)
            if held.status != campaign.status or not _is_done(held):
                continue
            held.status, held.ended_at = Status.SENT, at
            held.save()
            _tell("campaign.finished", held, at=at)
        finished += 1
    return finished


def _is_done(campaign: Campaign) -> bool:
    """Whether no round is open, no occasion waits and no message is due or being handed over."""
    rounds = Round.objects.filter(campaign=OuterRef("pk"))
    waiting = Message.objects.filter(
        campaign=OuterRef("pk"), status__in=[Message.Status.DUE, Message.Status.SENDING]
    )
    begun = Q(Exists(rounds)) | ~Q(kind=Kind.ONE_OFF)
    idle = ~Q(Exists(rounds.filter(status=Round.Status.DECIDING))) & ~Q(Exists(waiting))
    no_triggers = ~Q(Exists(Trigger.objects.filter(campaign=OuterRef("pk"))))
    return Campaign.objects.filter(begun, idle, no_triggers, pk=campaign.pk).exists()


def hold(campaign_id: int) -> Campaign | None:
    """The campaign under its row lock, or None when it is not going (any more). Inside a transaction."""
    campaign = Campaign.objects.select_for_update(no_key=True).get(pk=campaign_id)
    return campaign if campaign.status in GOING else None


def halt(campaign: Campaign, problem: str, *, at: dt.datetime) -> None:
    """Pause a campaign that lacks something, and say what; staff mend it and resume. The caller holds its lock."""
    campaign.status, campaign.problem = Status.PAUSED, problem[:1000]
    campaign.save()
    _tell("campaign.halted", campaign, at=at, problem=problem[:300])


def hold_back(campaign: Campaign, *, size: int, at: dt.datetime) -> None:
    """Ask for approval of a round to ``size`` members that was about to begin. The caller holds the campaign's lock."""
    told = ngettext(
        "The audience has grown to %(count)s member, more than was approved. Nothing was sent.",
        "The audience has grown to %(count)s members, more than was approved. Nothing was sent.",
        size,
    )
    campaign.problem = told % {"count": size}
    _void_approval(campaign)
    _ask_for_approval(campaign, at=at)


def _held(campaign_id: int, step: str) -> Campaign:
    campaign = Campaign.objects.select_for_update(no_key=True).get(pk=campaign_id)
    if not may(step, campaign):
        state = _("archived") if campaign.archived_at else campaign.get_status_display()
        raise CampaignRefused("status", _("This cannot be done now: the campaign is %s.") % state)
    return campaign


def _set_going(campaign: Campaign, *, at: dt.datetime) -> None:
    """One-off: scheduled, and taken up by the next tick once it is time. Otherwise it runs from now on."""
    one_off = campaign.kind == Kind.ONE_OFF
    campaign.status = Status.SCHEDULED if one_off else Status.RUNNING
    if not one_off:
        campaign.started_at = campaign.started_at or at
    campaign.save()
    _tell("campaign.scheduled" if one_off else "campaign.started", campaign, at=at)


def _tell(name: str, campaign: Campaign, /, *, at: dt.datetime, **facts: Any) -> None:
    bus.announce(name, at=at, campaign=str(campaign.public_id), code=campaign.code, **facts)


# --- How far it has come ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Progress:
    """How far a campaign has come. ``counts`` are messages by status; ``audience`` the members its rounds began with.

    ``percent`` is the share of the audience about whom all is said; None for what has no rounds.
    """

    audience: int | None
    decided: int
    failed: int
    counts: Mapping[str, int]
    percent: int | None


_PROGRESS = f"""
SELECT 'message', status, count(*) FROM {Message._meta.db_table} WHERE campaign_id = %(id)s GROUP BY status
 UNION ALL
SELECT 'round', what, sum(count)
  FROM {Round._meta.db_table},
       LATERAL (VALUES ('audience', audience), ('failed', failed),
                       ('decided', to_send + held_out + not_sent + failed)) AS figure (what, count)
 WHERE campaign_id = %(id)s AND status <> 'cancelled' GROUP BY what
"""  # noqa: S608  (table names only)


def progress_of(campaign: Campaign) -> Progress:
    """The campaign's figures, in one statement."""
    with connection.cursor() as cursor:
        cursor.execute(_PROGRESS, {"id": campaign.pk})
        rows = cursor.fetchall()
    counts = {status: count for kind, status, count in rows if kind == "message"}
    rounds = {what: int(total) for kind, what, total in rows if kind == "round" and total is not None}
    open_ = counts.get(Message.Status.DUE, 0) + counts.get(Message.Status.SENDING, 0)
    whole = rounds.get("audience")
    percent = None
    if campaign.status == Status.SENT:
        percent = 100
    elif whole is not None:
        said = max(0, rounds.get("decided", 0) - open_)
        percent = min(99, said * 100 // whole) if whole else 0
    return Progress(whole, rounds.get("decided", 0), rounds.get("failed", 0), counts, percent)
