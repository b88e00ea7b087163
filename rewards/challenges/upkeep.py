"""The regular work on challenges: rounds that begin with a new week or month, and vouchers that are owed.

What was done does not wait for it: a round begins with the first activity that counts. It makes the round visible to
those who have joined in and done nothing yet.
"""

import datetime as dt

from django.db import connection, transaction
from django.db.models import Q

from loyalty.runs.record import RunRecorder
from rewards.challenges import goals, prizes, terms
from rewards.models import Challenge, Participation, StepAward

BATCH = 500


def begin_rounds(*, at: dt.datetime) -> int:
    """Begin this week's or month's round for all who have joined in; how many began. One statement a time zone."""
    begun = 0
    current = Challenge.objects.filter(
        Q(ends_at=None) | Q(ends_at__gt=at),
        is_active=True,
        by_choice=True,
        starts_at__lte=at,
        recurs__in=goals.SCHEDULED,
    )
    for known in terms.known(current.values_list("pk", flat=True)).values():
        zones = Participation.objects.filter(challenge=known.challenge).values_list("time_zone", flat=True)
        for zone in sorted(set(zones.distinct().order_by())):
            number = goals.number_at(known.goal, at, zone)
            begun += _begin(known.id, zone, number, *goals.period(known.goal, number, zone))
    return begun


_BEGIN = """
INSERT INTO rewards_challengeround (challenge_id, member_id, number, starts_at, ends_at, progress)
SELECT p.challenge_id, p.member_id, %s, %s, %s, 0 FROM rewards_participation p
WHERE p.challenge_id = %s AND p.time_zone = %s AND p.left_at IS NULL
  AND NOT EXISTS (SELECT 1 FROM rewards_challengeround r
                  WHERE r.challenge_id = p.challenge_id AND r.member_id = p.member_id AND r.number = %s)
ON CONFLICT (challenge_id, member_id, number) DO NOTHING
"""


def _begin(challenge_id: int, zone: str, number: int, starts_at: dt.datetime, ends_at: dt.datetime) -> int:
    with connection.cursor() as cursor:
        cursor.execute(_BEGIN, [number, starts_at, ends_at, challenge_id, zone, number])
        return cursor.rowcount


def owed() -> bool:
    """Whether vouchers wait for codes, so that a quiet tick costs one look."""
    return _owed().exists()


def _owed():  # type: ignore[no-untyped-def]
    return StepAward.objects.filter(voucher_state=StepAward.VoucherState.OWED, withdrawn_at=None)


def give_owed(*, at: dt.datetime, run: RunRecorder) -> None:
    """Issue the vouchers that are owed, oldest first, each in a transaction of its own; no further where codes lack."""
    empty = set[int]()
    for award_id in list(_owed().order_by("pk").values_list("pk", flat=True)[:BATCH]):
        with transaction.atomic():
            award = (
                _owed()
                .select_for_update(of=("self",), skip_locked=True)
                .select_related("step", "round")
                .filter(pk=award_id)
                .first()
            )
            if award is None or award.step.voucher_family_id in empty:
                continue
            if prizes.give_owed(award, at=at):
                run.progress(done=1)
            else:
                empty.add(award.step.voucher_family_id or 0)
                run.progress(skipped=1)
