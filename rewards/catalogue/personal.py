"""What the catalogue holds about a member: marked rewards and what they never want. Both go when the member leaves."""

from typing import Any

from members.models import Member
from members.personal_data import Holder
from rewards.models import Favourite, MemberAversion


def _favourites(member: Member) -> list[dict[str, Any]]:
    marked = Favourite.objects.filter(member=member).order_by("pk").select_related("reward")
    return [{"reward": each.reward.name or each.reward.code, "marked_at": each.marked_at} for each in marked]


def _never_wants(member: Member) -> list[dict[str, Any]]:
    said = MemberAversion.objects.filter(member=member).order_by("pk").select_related("kind")
    return [{"kind": str(each.kind), "said_at": each.said_at} for each in said]


def _forget_favourites(member_id: int) -> None:
    Favourite.objects.filter(member_id=member_id).delete()


def _forget_aversions(member_id: int) -> None:
    MemberAversion.objects.filter(member_id=member_id).delete()


FAVOURITES = Holder(key="favourites", copy=_favourites, erase=_forget_favourites)
NEVER_WANTS = Holder(key="never_wants", copy=_never_wants, erase=_forget_aversions)
