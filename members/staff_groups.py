"""The groups a new installation begins with, so that nobody ticks a hundred rights before the first day of work."""

from typing import Any

from django.contrib.auth.models import Group, Permission

_LOOK = {
    "members": ("member", "activity", "activityline", "tier", "tierchange", "tierhold", "consent", "consentchange",
                "externalid", "store", "saleschannel", "product", "category", "activitykind"),
    "rewards": ("transfer", "lot", "account", "allocation", "wallet", "earningrule", "rulerevision", "tierterms",
                "tierlevel", "tierdraft", "expirypolicy", "draft", "backtest", "refund",
                "refundline", "refundpolicy", "reward", "rewardcategory", "rewardstock", "aversion",
                "redemption", "redemptionstep", "redemptionterms",
                "voucherfamily", "voucherbatch", "voucher", "voucheruse", "voucherstep",
                "challenge", "challengestep", "challengeround", "stepaward", "badge"),
    "referrals": ("referral", "referralcode"),
    "campaigns": ("campaign", "message"),
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
        "rewards.add_refund",
        "rewards.change_refund",
        "rewards.adjust_points",
        "rewards.fulfil_redemption",
        "rewards.cancel_redemption",
        "rewards.redeem_for_member",
        "rewards.change_voucher",
        "members.set_tier",
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
        "rewards.add_redemptionterms",
        "rewards.add_draft",
        "rewards.change_draft",
        "rewards.publish_draft",
        "rewards.add_backtest",
        *(
            f"rewards.{may}_{model}"
            for model in ("challenge", "challengestep")
            for may in ("add", "change", "delete")
        ),
        "rewards.add_badge",
        "rewards.change_badge",
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
        "members.add_activitykind",
        "members.change_activitykind",
        "members.change_store",
        "members.change_saleschannel",
        "members.change_product",
        "campaigns.change_campaign",
    ),
    "Finance": (
        *_EVERYBODY,
        "rewards.adjust_points",
        "rewards.decide_adjustments",
        "rewards.view_adjustmentrequest",
        "rewards.view_adjustmentsettings",
        "rewards.add_refund",
        "rewards.change_refund",
        "rewards.view_gift",
        "rewards.view_giftterms",
    ),
}


def create_groups(**_signal: Any) -> None:
    """Create the groups that are missing, each with its rights. A group that exists is staff's own and stays as it is.

    Connected to ``post_migrate`` of the uppermost app, when the permissions of all apps exist.
    """
    existing = set(Group.objects.filter(name__in=GROUPS).values_list("name", flat=True))
    missing = [name for name in GROUPS if name not in existing]
    if not missing:
        return
    by_label = {
        f"{permission.content_type.app_label}.{permission.codename}": permission
        for permission in Permission.objects.select_related("content_type")
    }
    for name in missing:
        group = Group.objects.create(name=name)
        group.permissions.set(by_label[label] for label in GROUPS[name] if label in by_label)
