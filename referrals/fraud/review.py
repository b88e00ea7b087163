"""What staff do about held referrals: look, approve, reject with a note; and a member's appeal, once.

Nothing is lost silently: a held referral waits for a decision, however long, a rejected one can be appealed once by
either side and is then looked at anew. Each decision is a step of the referral with who decided and why. Called by the
admin, the portal and the API.
"""

import datetime as dt
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from django.db import transaction
from django.db.models import F, QuerySet
from django.utils.translation import gettext as _

from members.models import Member
from referrals import states
from referrals.fraud import wording
from referrals.models import Referral
from referrals.states import Reason, State, StepRefused

LONGEST_APPEAL, LONGEST_NOTE = 1000, 500


class ReviewRefused(ValueError):
    """The decision or appeal cannot be taken; ``code`` is stable, the text says why and may be shown."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Waiting:
    """A held referral with why it is held, the weightiest reason first, and since when."""

    referral: Referral
    reasons: Sequence[str]
    since: dt.datetime
    is_appeal: bool


# --- The queue ----------------------------------------------------------------------------------------------------


def held() -> QuerySet[Referral]:
    """The referrals that wait for a decision, appeals first, then the oldest first."""
    return (
        Referral.objects.filter(state=State.HELD)
        .select_related("referrer", "friend", "terms__programme")
        .prefetch_related("signals", "steps")
        .order_by(F("appealed_at").asc(nulls_last=True), "pk")
    )


def queue(*, first: int = 0, most: int = 50) -> list[Waiting]:
    """A page of what waits for a decision, with the reasons. A few statements, however many."""
    return [_waiting(referral) for referral in held()[first : first + most]]


def how_many() -> int:
    """How many wait for a decision."""
    return Referral.objects.filter(state=State.HELD).count()


def reasons_of(referral: Referral) -> list[str]:
    """What was found on a referral, in words for staff, the weightiest first."""
    return [wording.reason(signal) for signal in referral.signals.all()]


def _waiting(referral: Referral) -> Waiting:
    since = max(
        (step.at for step in referral.steps.all() if step.state == State.HELD), default=referral.joined_at
    )
    return Waiting(referral, reasons_of(referral), since, referral.appealed_at is not None)


# --- Decisions ----------------------------------------------------------------------------------------------------


def approve(*, referral_id: int, staff_id: int, at: dt.datetime, note: str = "") -> None:
    """Let a held referral go on: it is settled when its waiting is over, and not held again.

    Raises ReviewRefused: ``not-held`` (somebody else decided meanwhile), ``own``.
    """
    with _held(referral_id, staff_id) as referral:
        reason = Reason.APPEAL if referral.appealed_at else ""
        if referral.due_at is None:
            referral.due_at = at
        states.move(
            referral,
            State.WAITING,
            at=at,
            reason=reason,
            note=note[:LONGEST_NOTE],
            staff_id=staff_id,
            activity_id=referral.activity_id,
        )


def reject(*, referral_id: int, staff_id: int, at: dt.datetime, note: str) -> None:
    """End a held referral: neither side gets anything. The note says why, for staff and for an appeal.

    Raises ReviewRefused: ``not-held``, ``own``, ``note`` (there is none).
    """
    if not note.strip():
        raise ReviewRefused("note", _("Say why, for whoever looks at it next."))
    with _held(referral_id, staff_id) as referral:
        states.move(
            referral,
            State.REJECTED,
            at=at,
            reason=Reason.FRAUD,
            note=note.strip()[:LONGEST_NOTE],
            staff_id=staff_id,
            activity_id=referral.activity_id,
        )


def hold(*, referral_id: int, staff_id: int, at: dt.datetime, note: str) -> None:
    """Hold a referral that waits, on a suspicion of staff's own. Raises ReviewRefused: ``not-waiting``, ``own``."""
    with transaction.atomic():
        referral = _locked(referral_id)
        _refuse_own(referral, staff_id)
        try:
            states.move(
                referral,
                State.HELD,
                at=at,
                reason=Reason.STAFF,
                note=note.strip()[:LONGEST_NOTE],
                staff_id=staff_id,
            )
        except StepRefused as refusal:
            raise ReviewRefused("not-waiting", _("Only a referral that waits can be held.")) from refusal


def appeal(*, referral_id: int, member: Member, text: str, at: dt.datetime) -> None:
    """Ask staff to look at a rejected referral again, once; it is being checked from then on.

    Raises ReviewRefused: ``unknown`` (not the member's), ``not-rejected``, ``again``, ``text`` (none, or too long).
    """
    text = text.strip()
    if not text or len(text) > LONGEST_APPEAL:
        message = _("Tell us in a few words, %(most)s characters at most, why we should look again.")
        raise ReviewRefused("text", message % {"most": LONGEST_APPEAL})
    with transaction.atomic():
        referral = _locked(referral_id)
        if member.pk not in (referral.referrer_id, referral.friend_id):
            raise ReviewRefused("unknown", _("There is no such invitation of yours."))
        if referral.appealed_at is not None:
            raise ReviewRefused(
                "again", _("You have asked us already. A decision can be looked at again once.")
            )
        if referral.state != State.REJECTED:
            raise ReviewRefused("not-rejected", _("Nothing was decided against this invitation."))
        referral.appeal, referral.appealed_at = text, at
        states.move(referral, State.HELD, at=at, reason=Reason.APPEAL, activity_id=referral.activity_id)


def may_appeal(referral: Referral) -> bool:
    """Whether a member may still ask staff to look again."""
    return referral.state == State.REJECTED and referral.appealed_at is None


@contextmanager
def _held(referral_id: int, staff_id: int) -> Iterator[Referral]:
    """A held referral, its row locked: of two decisions at once the second finds it decided. Raises ReviewRefused."""
    with transaction.atomic():
        referral = _locked(referral_id)
        _refuse_own(referral, staff_id)
        if referral.state != State.HELD:
            raise ReviewRefused("not-held", _("This one does not wait for a decision any more."))
        yield referral


def _locked(referral_id: int) -> Referral:
    referral = next(iter(states.lock([referral_id])), None)
    if referral is None:
        raise ReviewRefused("unknown", _("There is no such referral."))
    return referral


def _refuse_own(referral: Referral, staff_id: int) -> None:
    """Nobody decides about what they would get something for themselves."""
    sides = (referral.referrer_id, referral.friend_id)
    if Member.objects.filter(pk__in=sides, user=staff_id).exists():
        raise ReviewRefused("own", _("You are a part of this referral: somebody else has to decide."))
