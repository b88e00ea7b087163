"""Keeping how activities were judged, and telling "why these points" from it."""

import json
from collections.abc import Sequence

from django.db import connection

from rewards.rules import Verdict


def save(judged: Sequence[tuple[int, int, Sequence[Verdict]]]) -> None:
    """Write the judgements of activities: (activity id, id of the tier held before, verdicts); one statement."""
    if not judged:
        return
    rows = [
        (activity_id, tier_id, json.dumps([_kept(verdict) for verdict in verdicts]))
        for activity_id, tier_id, verdicts in judged
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO rewards_judgement (activity_id, tier_id, verdicts) "
            "SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::jsonb[])",
            [list(column) for column in zip(*rows, strict=True)],
        )


def _kept(verdict: Verdict) -> dict[str, object]:
    return {
        "revision": verdict.rule.revision_id,
        "wanted": verdict.wanted,
        "granted": verdict.granted,
        "limit": verdict.limit,
    }
