"""The groups a new installation begins with, so that nobody ticks a hundred rights before the first day of work.

Once made, a group is staff's own: no release takes a right from it or slips one in. What a later release would give
a new installation is listed, and granted only when somebody says so: ``manage.py staff_groups``.
"""

from collections.abc import Collection
from typing import Any, TextIO

import structlog
from django.contrib.auth.models import Group, Permission
from django.db import transaction

logger = structlog.get_logger("kantis.members")

_LOOK = {
    "members": ("member", "activity", "activityline", "tier", "tierchange", "tierhold", "consent", "consentchange",
                "externalid", "store", "saleschannel", "product", "category", "activitykind", "segment"),
    "rewards": ("transfer", "lot", "account", "allocation", "wallet", "earningrule", "rulerevision", "tierterms",
                "tierlevel", "tierdraft", "expirypolicy", "draft", "backtest", "refund",
                "refundline", "refundpolicy", "gift", "giftterms", "expirynotice",
                "reward", "rewardcategory", "rewardstock", "aversion",
                "redemption", "redemptionstep", "redemptionterms",
                "voucherfamily", "voucherbatch", "voucher", "voucheruse", "voucherstep",
                "challenge", "challengestep", "challengeround", "stepaward", "badge",
                "leaderboard", "leaderboardprofile", "forbiddenword",
                "cause", "donation", "payout", "draw", "drawprize", "drawentry", "drawwinner"),
    "referrals": ("referral", "referralcode", "referralprogramme", "signalweight", "disposabledomain", "channelspend"),
    "campaigns": ("campaign", "message", "suppression", "feedback", "sendingpolicy", "channelpolicy"),
    "analytics": ("dailyfigures",),
    "loyalty": ("partner", "run"),
}  # fmt: skip
_EVERYBODY = tuple(f"{app}.view_{model}" for app, models in _LOOK.items() for model in models)

GROUPS: dict[str, tuple[str, ...]] = {
    "Support": (
        *_EVERYBODY,
        "members.add_member",
        "members.change_member",
        "members.change_consent",
        "members.erase_member",
        "rewards.add_refund",
        "rewards.change_refund",
        "rewards.adjust_points",
        "rewards.view_adjustmentrequest",
        "rewards.fulfil_redemption",
        "rewards.cancel_redemption",
        "rewards.hand_over_prize",
        "rewards.redeem_for_member",
        "rewards.change_leaderboardprofile",
        "rewards.delete_leaderboardprofile",
        "rewards.add_forbiddenword",
        "rewards.change_voucher",
        "members.set_tier",
        "campaigns.settle_message",
        "campaigns.change_suppression",
        "referrals.change_referral",
    ),
    "Marketing": (
        *_EVERYBODY,
        "rewards.add_earningrule",
        "rewards.change_earningrule",
        "rewards.add_tierterms",
        "rewards.add_tierdraft",
        "rewards.change_tierdraft",
        "rewards.add_expirypolicy",
        "rewards.add_refundpolicy",
        "rewards.add_giftterms",
        "rewards.add_expirynotice",
        "rewards.change_expirynotice",
        "rewards.add_redemptionterms",
        "rewards.add_draft",
        "rewards.change_draft",
        "rewards.publish_draft",
        "rewards.add_backtest",
        *(f"rewards.{may}_{model}" for model in ("cause", "draw") for may in ("add", "change")),
        "rewards.hold_draw",
        "rewards.hand_over_prize",
        *(
            f"rewards.{may}_{model}"
            for model in ("challenge", "challengestep")
            for may in ("add", "change", "delete")
        ),
        "rewards.add_badge",
        "rewards.change_badge",
        "rewards.add_leaderboard",
        "rewards.change_leaderboard",
        "rewards.change_leaderboardprofile",
        "rewards.delete_leaderboardprofile",
        *(f"rewards.{may}_forbiddenword" for may in ("add", "change", "delete")),
        "rewards.change_wallet",
        *(
            f"rewards.{act}_{model}"
            for model in ("reward", "rewardcategory", "aversion", "aversionkind")
            for act in ("add", "change")
        ),
        "rewards.add_voucherfamily",
        "rewards.change_voucherfamily",
        "rewards.change_voucher",
        "rewards.export_codes",
        "rewards.view_aversionkind",
        "rewards.delete_aversionkind",
        "members.change_tier",
        "members.add_segment",
        "members.change_segment",
        "members.add_activitykind",
        "members.change_activitykind",
        "members.change_store",
        "members.change_saleschannel",
        "members.change_product",
        "campaigns.add_campaign",
        "campaigns.change_campaign",
        "campaigns.send_campaign",
        "campaigns.approve_campaign",
        "campaigns.change_sendingpolicy",
        "campaigns.change_channelpolicy",
        "campaigns.settle_message",
        "campaigns.change_suppression",
        "referrals.add_referralprogramme",
        "referrals.change_referralprogramme",
        "referrals.change_referral",
        "referrals.change_signalweight",
        *(f"referrals.{act}_disposabledomain" for act in ("add", "change", "delete")),
        *(f"referrals.{act}_channelspend" for act in ("add", "change", "delete")),
    ),
    "Finance": (
        *_EVERYBODY,
        "rewards.add_payout",
        "rewards.change_payout",
        "rewards.adjust_points",
        "rewards.decide_adjustments",
        "rewards.view_adjustmentrequest",
        "rewards.view_adjustmentsettings",
        "rewards.add_refund",
        "rewards.change_refund",
    ),
}


def create_groups(*, verbosity: int = 0, stdout: TextIO | None = None, **_signal: Any) -> None:
    """Create the groups that are missing, each with its rights. A group that exists is staff's own and stays as it is.

    Connected to ``post_migrate`` of the uppermost app, when the permissions of all apps exist. Where a group lacks
    rights that a new installation's has, ``migrate`` says so in one line.
    """
    existing = set(Group.objects.filter(name__in=GROUPS).values_list("name", flat=True))
    for name in GROUPS:
        if name not in existing:
            Group.objects.create(name=name).permissions.set(_permissions(GROUPS[name]))
    lacking = missing_rights()
    if lacking and verbosity and stdout is not None:
        stdout.write(
            f"Rights that a new installation gives are missing in: {', '.join(lacking)}. See manage.py staff_groups.\n"
        )


def missing_rights() -> dict[str, list[str]]:
    """The rights that a new installation's group has and the group of that name here lacks, by group.

    Complete groups are left out, and so are those that staff have deleted or renamed.
    """
    held: dict[str, set[str]] = {group.name: set() for group in Group.objects.filter(name__in=GROUPS)}
    rows = Group.objects.filter(name__in=GROUPS, permissions__isnull=False).values_list(
        "name", "permissions__content_type__app_label", "permissions__codename"
    )
    for name, app, codename in rows:
        held[name].add(f"{app}.{codename}")
    return {
        name: lacking
        for name, labels in GROUPS.items()
        if name in held and (lacking := [label for label in labels if label not in held[name]])
    }


def grant_missing(*, groups: Collection[str] = (), rights: Collection[str] = ()) -> dict[str, list[str]]:
    """Give groups the rights they lack, and return what was given; empty ``groups`` or ``rights`` mean all of them.

    Only ever adds, and only what ``missing_rights`` lists: a second call gives nothing.
    """
    given = {
        name: chosen
        for name, lacking in missing_rights().items()
        if (not groups or name in groups)
        and (chosen := [label for label in lacking if not rights or label in rights])
    }
    with transaction.atomic():
        for name, labels in given.items():
            Group.objects.get(name=name).permissions.add(*_permissions(labels))
    for name, labels in given.items():
        logger.info("staff_group_granted", group=name, rights=labels)
    return given


def _permissions(labels: Collection[str]) -> list[Permission]:
    by_label = {
        f"{permission.content_type.app_label}.{permission.codename}": permission
        for permission in Permission.objects.select_related("content_type")
    }
    return [by_label[label] for label in labels if label in by_label]
