"""How much a referral looks like fraud: its signals found, weighed as staff say, and kept with what they rest on."""

import datetime as dt
from collections.abc import Mapping, Sequence

from django.db import connection, transaction

from referrals.fraud import facts, marks
from referrals.fraud.signals import Found, signals
from referrals.models import Signal, SignalWeight

_SCORES = """
UPDATE referrals_referral SET score = scored.score
FROM unnest(%s::bigint[], %s::int[]) AS scored(id, score)
WHERE referrals_referral.id = scored.id AND referrals_referral.score <> scored.score
"""


def assess(referral_ids: Sequence[int], at: dt.datetime) -> dict[int, int]:
    """The score of each referral as things stand at ``at``: the weights of its signals added up; kept with them.

    As many statements for one referral as for a thousand. A signal found again keeps the weight and the moment it was
    first found with; one that is found no more is removed, and so is one whose weight is 0 now. The caller has locked
    the referrals' rows.
    """
    ids = sorted(set(referral_ids))
    if not ids:
        return {}
    with transaction.atomic():
        marks.note_contacts(facts.parties_of(ids), at)
        known = facts.load(ids)
        weights = dict(SignalWeight.objects.filter(weight__gt=0).values_list("kind", "weight"))
        found = {
            id_: [each for each in signals(of_one) if each.kind in weights] for id_, of_one in known.items()
        }
        scores = _keep(found, weights, at=at)
        with connection.cursor() as cursor:
            cursor.execute(_SCORES, [list(scores), list(scores.values())])
    return scores


def _keep(
    found: Mapping[int, Sequence[Found]], weights: Mapping[str, int], *, at: dt.datetime
) -> dict[int, int]:
    """Write the signals of referrals in place of those they had; their scores."""
    before = {(row.referral_id, row.kind): row for row in Signal.objects.filter(referral__in=found)}
    rows: list[Signal] = []
    scores = dict.fromkeys(found, 0)
    for referral_id, signals_ in found.items():
        for each in signals_:
            known = before.pop((referral_id, each.kind), None)
            weight = known.weight if known else weights[each.kind]
            scores[referral_id] += weight
            rows.append(
                Signal(
                    referral_id=referral_id,
                    kind=each.kind,
                    weight=weight,
                    facts=dict(each.facts),
                    found_at=at,
                )
            )
    Signal.objects.filter(pk__in=[row.pk for row in before.values()]).delete()
    Signal.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["referral", "kind"], update_fields=["facts"]
    )
    return scores
