"""Personal offers: rules that count for a member only once they have activated them.

Called by the portal and the API. What an activated offer then gives is judged like every rule (``rewards.rules``).
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.utils.translation import gettext as _

from loyalty.conditions import Condition
from loyalty.conditions.tree import AllOf
from loyalty.translated import in_language
from members.activities import NewActivity
from members.models import Member
from rewards import facts, terms
from rewards.facts import Asked
from rewards.models import OfferActivation, RuleRevision
from rewards.terms import Rule, Terms
from rewards.usage import Usage
from rewards.wording import what_it_gives, when_it_gives

_OF_MEMBER = ("tier",)


class OfferNotFound(Exception):
    """No such offer is open to the member at that moment: unknown, not begun, ended, or for others."""

    def __str__(self) -> str:
        return _("This offer is not open to this member now.")


@dataclass(frozen=True, slots=True)
class Offer:
    """An offer as a member sees it, in the active language. ``left``: points still to be had in the cap's period."""

    code: str
    name: str
    gives: str
    when: str
    until: dt.datetime | None
    activated_at: dt.datetime | None
    cap_per_activity: int | None
    cap_per_member: int | None
    cap_period: str
    left: int | None

    @property
    def is_active(self) -> bool:
        return self.activated_at is not None


def offers_for(member: Member, *, at: dt.datetime) -> list[Offer]:
    """The offers open to a member, those to activate first, then by their end. A constant number of statements."""
    known = terms.current()
    open_ = _open_to(member, known, at=at)
    if not open_:
        return []
    revisions = RuleRevision.objects.select_related("rule", "wallet").in_bulk(
        [rule.revision_id for rule in open_]
    )
    activated = dict(
        OfferActivation.objects.filter(member=member, rule__in=[rule.rule_id for rule in open_]).values_list(
            "rule_id", "activated_at"
        )
    )
    asked = _something(member, at=at)
    usage = Usage(known, [asked], lock=False)
    offers = [
        _offer(rule, revisions[rule.revision_id], activated.get(rule.rule_id), usage, asked) for rule in open_
    ]
    far = dt.datetime.max.replace(tzinfo=dt.UTC)
    return sorted(offers, key=lambda offer: (offer.is_active, offer.until or far, offer.name))


def activate(*, member: Member, code: str, at: dt.datetime) -> Offer:
    """Activate an offer for a member from ``at`` on; again changes nothing. Raises OfferNotFound.

    Of two activations at once the constraint keeps one; both callers are answered with it.
    """
    for rule in _open_to(member, terms.current(), at=at):
        if rule.code == code:
            OfferActivation.objects.get_or_create(
                rule_id=rule.rule_id, member=member, defaults={"activated_at": at}
            )
            return next(offer for offer in offers_for(member, at=at) if offer.code == code)
    raise OfferNotFound


def _offer(
    rule: Rule, revision: RuleRevision, activated_at: dt.datetime | None, usage: Usage, asked: NewActivity
) -> Offer:
    left = None
    if rule.cap_per_member is not None:
        left = max(rule.cap_per_member - usage.used(rule, asked).points, 0)
    return Offer(
        code=rule.code,
        name=in_language(rule.names) or rule.code,
        gives=what_it_gives(revision),
        when=when_it_gives(revision) if rule.condition else "",
        until=rule.valid_to,
        activated_at=activated_at,
        cap_per_activity=rule.cap_per_activity,
        cap_per_member=rule.cap_per_member,
        cap_period=rule.cap_period,
        left=left,
    )


def _open_to(member: Member, known: Terms, *, at: dt.datetime) -> list[Rule]:
    """The offers in force whose conditions about the member hold; those about a purchase come with the purchase."""
    offered = [rule for rule in known.rules_at(at) if rule.needs_activation]
    if not offered:
        return []
    (more,) = facts.gather([Asked(None, _something(member, at=at))], terms=known)
    held = {"tier": member.tier.code, "member": more.get("member", {})}
    return [rule for rule in offered if all(part.matches(held, at=at) for part in _about_member(rule))]


def _about_member(rule: Rule) -> Sequence[Condition]:
    """The parts of the rule's condition that ask of nothing but the member."""
    if rule.condition is None:
        return ()
    node = rule.condition.node
    children = node.children if isinstance(node, AllOf) else (node,)
    parts = [Condition(rule.condition.subject, child) for child in children]
    return [
        part
        for part in parts
        if all(name in _OF_MEMBER or name.startswith("member.") for name in part.fact_names)
    ]


def _something(member: Member, *, at: dt.datetime) -> NewActivity:
    """An activity of the member at that moment, to ask with: limits are asked for by activity."""
    return NewActivity(0, member.pk, "", "", at, "", Decimal(0))
