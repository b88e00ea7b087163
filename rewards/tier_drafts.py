"""New tier terms as a draft: who would move is shown first; publishing makes the terms, and a worker moves the members.

A draft may bring new tiers, between any two others or below them all: its levels are listed in order, a new one by its
code and names. Publishing creates the tier and lets the ranks follow; nobody has to clean anything by hand. Terms that
begin later move nobody before their time: the sweep (``rewards.move_tiers``) finds them when they are due.
"""

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from itertools import pairwise
from typing import Any

from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext as _

from loyalty.runs.record import RunRecorder
from members.models import Member, Tier
from rewards import revisions, terms, tier_review
from rewards.models import TierDraft
from rewards.revisions import NewLevel, RevisionRefused, TierPolicy
from rewards.terms import Level, Terms, TierRules

Status = TierDraft.Status
BATCH = 500
SAMPLES = 10
"""So many members of each move are named in a preview."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftLevel:
    """A level of a draft: of a tier there is (``code`` alone), or of one to be made (with its names)."""

    code: str
    threshold: int
    multiplier: Decimal = Decimal(1)
    names: Mapping[str, str] = field(default_factory=dict)
    birthday_points: int | None = None
    benefits: Sequence[Mapping[str, str]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTerms:
    """What a draft says."""

    policy: TierPolicy
    levels: tuple[DraftLevel, ...]

    def content(self) -> dict[str, Any]:
        """As it is kept in the draft."""
        policy = {
            name: str(value) if isinstance(value, str) else value
            for name, value in asdict(self.policy).items()
        }
        levels = [asdict(level) | {"multiplier": str(level.multiplier)} for level in self.levels]
        return {"policy": policy, "levels": levels}

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> "NewTerms":
        levels = tuple(
            DraftLevel(**{**level, "multiplier": Decimal(level["multiplier"])})
            for level in content.get("levels", ())
        )
        return cls(policy=TierPolicy(**content.get("policy", {})), levels=levels)

    @classmethod
    def like(cls, rules: TierRules) -> "NewTerms":
        """Terms as those in force, to begin a draft with."""
        policy = TierPolicy(
            basis=rules.basis,
            window=rules.window_kind,
            window_days=rules.window.days,
            keep=rules.keep,
            keep_length=rules.keep_length,
            downgrade=rules.downgrade,
            grace_days=rules.grace_days,
        )
        levels = tuple(
            DraftLevel(
                code=level.code,
                threshold=level.threshold,
                multiplier=level.multiplier,
                names=level.names,
                birthday_points=level.birthday_points,
                benefits=level.benefits,
            )
            for level in rules.levels
        )
        return cls(policy=policy, levels=levels)


def check(new: NewTerms) -> None:
    """Raise RevisionRefused for terms that could not be put in force."""
    thresholds = [level.threshold for level in new.levels]
    if not thresholds or thresholds[0] != 0:
        raise RevisionRefused("levels", _("The lowest tier has to take 0 points."))
    if any(lower >= higher for lower, higher in pairwise(thresholds)):
        raise RevisionRefused("levels", _("Each tier has to take more points than the one below it."))
    if any(level.multiplier < 1 for level in new.levels):
        raise RevisionRefused("levels", _("A multiplier is 1 or more."))
    codes = [level.code for level in new.levels]
    if len(set(codes)) < len(codes):
        raise RevisionRefused("levels", _("A tier can stand in the list only once."))
    known = set(Tier.objects.filter(code__in=codes).values_list("code", flat=True))
    for level in new.levels:
        if level.code not in known and not any(text.strip() for text in level.names.values()):
            raise RevisionRefused("levels", _("Give the new tier “%(code)s” a name.") % {"code": level.code})


# --- Looking ahead ----------------------------------------------------------------------------------------------------


def rules_of(new: NewTerms, *, valid_from: dt.datetime) -> TierRules:
    """The draft as rules to judge by. Tiers still to be made have ids below zero."""
    known = {tier.code: tier for tier in Tier.objects.all()}
    levels = []
    for rank, level in enumerate(new.levels):
        tier = known.get(level.code)
        levels.append(
            Level(
                tier_id=tier.pk if tier else -1 - rank,
                code=level.code,
                names=tier.names if tier else dict(level.names),
                rank=rank,
                threshold=level.threshold,
                multiplier=level.multiplier,
                birthday_points=level.birthday_points,
                benefits=tuple(dict(texts) for texts in level.benefits),
            )
        )
    policy = new.policy
    return TierRules(
        valid_from=valid_from,
        window=dt.timedelta(days=policy.window_days),
        levels=tuple(levels),
        basis=policy.basis,
        window_kind=policy.window,
        keep=policy.keep,
        keep_length=policy.keep_length,
        downgrade=policy.downgrade,
        grace_days=policy.grace_days,
    )


def preview(*, draft_id: int, at: dt.datetime, run: RunRecorder | None = None) -> dict[str, Any]:
    """Count who would move if the draft came into force at ``at``, name some of them, and keep that with the draft.

    Reads members batch by batch; changes nothing but the draft's preview.
    """
    draft = TierDraft.objects.get(pk=draft_id)
    new = NewTerms.of(draft.content)
    check(new)
    rules, known = rules_of(new, valid_from=at), terms.current()
    codes = {tier_id: code for tier_id, (code, _names) in known.tier_names.items()}
    moves: Counter[tuple[str, str]] = Counter()
    before: Counter[str] = Counter()
    after: Counter[str] = Counter()
    samples: dict[tuple[str, str], list[dict[str, Any]]] = {}
    last = 0
    while members := tier_review.members_after(last, BATCH):
        for each in tier_review.judge(members, rules, known, at=at):
            source, target = codes[each.state.held.tier_id], each.decision.level.code
            before[source] += 1
            after[target] += 1
            if source != target:
                moves[source, target] += 1
                named = samples.setdefault((source, target), [])
                if len(named) < SAMPLES:
                    named.append({"member": each.state.member_id, "amount": int(each.amount)})
        last = members[-1]
        if run is not None:
            run.progress(done=len(members))
    found = {
        "members": before.total(),
        "moving": moves.total(),
        "before": dict(before),
        "after": dict(after),
        "moves": [
            {"from": source, "to": target, "count": count, "samples": samples[source, target]}
            for (source, target), count in sorted(moves.items())
        ],
    }
    TierDraft.objects.filter(pk=draft_id).update(preview=found, previewed_at=at)
    return found


def unseen_drafts() -> list[int]:
    """Drafts whose preview is missing, oldest first."""
    unseen = TierDraft.objects.filter(status=Status.DRAFT, previewed_at=None).order_by("pk")
    return list(unseen.values_list("pk", flat=True))


def look_ahead(*, draft_id: int, at: dt.datetime, run: RunRecorder | None = None) -> None:
    """Make the preview; where the draft cannot be put in force, that is its preview, so that nobody asks for ever."""
    try:
        preview(draft_id=draft_id, at=at, run=run)
    except RevisionRefused as refused:
        TierDraft.objects.filter(pk=draft_id).update(preview={"problem": str(refused)}, previewed_at=at)


def change(*, draft_id: int, name: str, new: NewTerms, valid_from: dt.datetime | None) -> bool:
    """Rewrite a draft that is not published yet; its preview is to be made again. False when it was published."""
    check(new)
    changed = TierDraft.objects.filter(pk=draft_id, status=Status.DRAFT).update(
        name=name, content=new.content(), valid_from=valid_from, preview=None, previewed_at=None
    )
    return bool(changed)


# --- Publishing -------------------------------------------------------------------------------------------------------


def publish(*, draft_id: int, at: dt.datetime) -> TierDraft:
    """Make the draft's terms, and the tiers they bring, in force from its date on (default: now).

    Once: a draft published already is returned as it is. The members are moved afterwards by :func:`move_members`.
    Raises RevisionRefused where the terms cannot be put in force.
    """
    with transaction.atomic():
        draft = TierDraft.objects.select_for_update().get(pk=draft_id)
        if draft.status != Status.DRAFT:
            return draft
        new = NewTerms.of(draft.content)
        check(new)
        tier_ids = _tiers_of(new)
        levels = [
            NewLevel(
                tier_id=tier_ids[level.code],
                threshold=level.threshold,
                multiplier=level.multiplier,
                birthday_points=level.birthday_points,
                benefits=level.benefits,
            )
            for level in new.levels
        ]
        draft.terms = revisions.revise_tiers(
            levels=levels, policy=new.policy, at=at, valid_from=draft.valid_from
        )
        draft.valid_from, draft.status = draft.terms.valid_from, Status.PUBLISHED
        draft.save(update_fields=["terms", "valid_from", "status"])
        return draft


def _tiers_of(new: NewTerms) -> dict[str, int]:
    """The ids of the draft's tiers; those that do not exist yet are made, above all others until the ranks follow."""
    found = dict(Tier.objects.select_for_update().values_list("code", "pk"))
    rank = Tier.objects.aggregate(highest=Max("rank"))["highest"] or 0
    for level in new.levels:
        if level.code not in found:
            rank += 1
            found[level.code] = Tier.objects.create(code=level.code, names=dict(level.names), rank=rank).pk
    return found


def due_drafts(*, at: dt.datetime) -> list[int]:
    """Published drafts whose terms have begun and whose members are not all moved yet, oldest first."""
    due = TierDraft.objects.filter(status=Status.PUBLISHED, valid_from__lte=at).order_by("valid_from", "pk")
    return list(due.values_list("pk", flat=True))


def move_members(*, draft_id: int, at: dt.datetime, run: RunRecorder | None = None) -> int:
    """Judge every member by the terms in force, batch by batch; how many moved. A repeat does no harm.

    What is left behind by a worker that died is done by the next: the draft counts as moved only at the end.
    """
    moved, last = 0, 0
    if run is not None:
        run.row.total = Member.objects.exclude(status=Member.Status.ERASED).count()
        TierDraft.objects.filter(pk=draft_id).update(run_id=run.row.pk)
    while (batch := tier_review.review(at=at, after_member_id=last, limit=BATCH)).last_member_id is not None:
        moved, last = moved + batch.changed, batch.last_member_id
        if run is not None:
            run.detail["moved"] = moved
            run.progress(done=batch.reviewed)
    TierDraft.objects.filter(pk=draft_id, status=Status.PUBLISHED).update(status=Status.MOVED)
    return moved


def name_of(code: str, new: NewTerms, known: Terms) -> Mapping[str, str]:
    """The names of a tier of the draft or of the programme."""
    mine = dict(known.tier_names.values())
    return mine.get(code) or next((level.names for level in new.levels if level.code == code), {"en": code})
