"""Keeping how activities were judged, and telling "why these points" from it."""

import json
from collections.abc import Sequence

from loyalty.prepared import write_later
from rewards.rules import Verdict

_INSERT = """
INSERT INTO rewards_judgement (activity_id, tier_id, verdicts)
SELECT activity_id, tier_id, verdicts
FROM json_to_recordset(%s::json) AS judged(activity_id bigint, tier_id bigint, verdicts jsonb)
"""


def save(judged: Sequence[tuple[int, int, Sequence[Verdict]]]) -> None:
    """Write the judgements of activities: (activity id, id of the tier held before, verdicts)."""
    if not judged:
        return
    rows = [
        {"activity_id": activity_id, "tier_id": tier_id, "verdicts": [_kept(verdict) for verdict in verdicts]}
        for activity_id, tier_id, verdicts in judged
    ]
    write_later(_INSERT, [json.dumps(rows)])


def _kept(verdict: Verdict) -> dict[str, object]:
    return {
        "revision": verdict.rule.revision_id,
        "wanted": verdict.wanted,
        "granted": verdict.granted,
        "limit": verdict.limit,
    }
