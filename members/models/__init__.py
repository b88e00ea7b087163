"""Who the members are and what they did."""

from members.models.activity import (
    Activity,
    ActivityKind,
    ActivityLine,
    Category,
    Product,
    SalesChannel,
    Store,
)
from members.models.card import FormerCard
from members.models.consent import Consent, ConsentChange
from members.models.member import ExternalId, Member
from members.models.segment import MemberValue, Segment, SegmentChange, SegmentMember
from members.models.signup import SignUp
from members.models.tier import Tier, TierChange, TierHold
from members.models.user import User

__all__ = [
    "Activity",
    "ActivityKind",
    "ActivityLine",
    "Category",
    "Consent",
    "ConsentChange",
    "ExternalId",
    "FormerCard",
    "Member",
    "MemberValue",
    "Product",
    "SalesChannel",
    "Segment",
    "SegmentChange",
    "SegmentMember",
    "SignUp",
    "Store",
    "Tier",
    "TierChange",
    "TierHold",
    "User",
]
