"""The admin's sidebar: what there is to do, in the order of the house, without what one may not see."""

from typing import Any

from django.apps import apps
from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse, reverse_lazy
from django.utils.translation import gettext_lazy as _

from loyalty.events.models import EventFailure

# Groups of (model, icon, label or None for the model's own plural).
GROUPS: list[tuple[Any, list[tuple[str, str, Any]]]] = [
    (
        _("Members"),
        [
            ("members.Member", "groups", None),
            ("members.Segment", "group_work", None),
            ("members.Activity", "shopping_bag", None),
            ("rewards.MovingIn", "move_to_inbox", None),
        ],
    ),
    (
        _("Points"),
        [
            ("rewards.Transfer", "swap_horiz", _("Ledger")),
            ("rewards.Refund", "undo", None),
            ("rewards.Lot", "stacks", None),
            ("rewards.Gift", "redeem", None),
            ("rewards.AdjustmentRequest", "how_to_reg", None),
            ("rewards.BulkAdjustment", "upload_file", None),
            ("rewards.Account", "account_balance_wallet", None),
        ],
    ),
    (
        _("Catalogue"),
        [
            ("rewards.Reward", "featured_seasonal_and_gifts", None),
            ("rewards.Redemption", "redeem", None),
            ("rewards.RewardCategory", "shelves", None),
            ("rewards.Aversion", "alt_route", None),
            ("rewards.VoucherFamily", "confirmation_number", None),
            ("rewards.Voucher", "qr_code_2", None),
            ("rewards.VoucherBatch", "dynamic_feed", None),
            ("rewards.Cause", "volunteer_activism", None),
            ("rewards.Donation", "favorite", None),
            ("rewards.Payout", "payments", None),
            ("rewards.Draw", "casino", None),
            ("rewards.DrawWinner", "trophy", None),
            ("rewards.DrawEntry", "local_activity", None),
        ],
    ),
    (
        _("Challenges"),
        [
            ("rewards.Challenge", "flag", None),
            ("rewards.Badge", "workspace_premium", None),
            ("rewards.ChallengeRound", "directions_run", _("Who is where")),
            ("rewards.StepAward", "emoji_events", None),
            ("rewards.Leaderboard", "leaderboard", None),
            ("rewards.LeaderboardProfile", "face", None),
            ("rewards.ForbiddenWord", "block", None),
        ],
    ),
    (
        _("Referrals"),
        [
            ("referrals.ReferralProgramme", "diversity_3", None),
            ("referrals.Referral", "person_add", None),
            ("referrals.ReferralCode", "qr_code", None),
            ("referrals.SignalWeight", "balance", None),
            ("referrals.DisposableDomain", "delete_sweep", None),
            ("referrals.ChannelSpend", "payments", None),
        ],
    ),
    (
        _("Terms"),
        [
            ("rewards.EarningRule", "rule", None),
            ("rewards.TierTerms", "military_tech", None),
            ("rewards.TierDraft", "stairs", None),
            ("members.TierHold", "front_hand", None),
            ("members.Tier", "label", _("Names of the tiers")),
            ("rewards.ExpiryPolicy", "hourglass_bottom", None),
            ("rewards.RefundPolicy", "assignment_return", None),
            ("rewards.RedemptionTerms", "shopping_cart_checkout", None),
            ("rewards.ExpiryNotice", "notifications", None),
            ("rewards.GiftTerms", "volunteer_activism", None),
            ("rewards.AdjustmentSettings", "supervisor_account", None),
            ("rewards.Wallet", "wallet", None),
            ("rewards.Draft", "edit_note", None),
            ("rewards.Backtest", "science", None),
        ],
    ),
    (
        _("Campaigns"),
        [
            ("campaigns.Campaign", "campaign", None),
            ("campaigns.Message", "mail", None),
            ("campaigns.Suppression", "unsubscribe", None),
            ("campaigns.Feedback", "mark_email_read", None),
            ("campaigns.SendingPolicy", "policy", None),
            ("campaigns.ChannelPolicy", "tune", None),
        ],
    ),
    (_("Figures"), [("analytics.DailyFigures", "monitoring", None)]),
    (
        _("Partners"),
        [
            ("loyalty.Partner", "storefront", None),
            ("loyalty.ApiKey", "key", None),
            ("members.Store", "pin_drop", None),
            ("members.SalesChannel", "alt_route", None),
            ("members.Product", "inventory_2", None),
            ("members.ActivityKind", "category", None),
        ],
    ),
    (
        _("Workings"),
        [
            ("loyalty.Run", "history", None),
            ("loyalty.EventFailure", "report", None),
            ("loyalty.Event", "bolt", None),
            ("django_celery_beat.PeriodicTask", "schedule", _("Schedule")),
            ("loyalty.Programme", "settings", None),
        ],
    ),
    (
        _("Access"),
        [
            ("members.User", "manage_accounts", None),
            ("auth.Group", "shield_person", None),
            ("axes.AccessAttempt", "lock_person", _("Failed log-ins")),
            ("axes.AccessLog", "login", _("Log-ins")),
        ],
    ),
]


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """The sidebar for this staff member."""
    groups = [
        {
            "items": [
                {
                    "title": _("Dashboard"),
                    "icon": "space_dashboard",
                    "link": reverse_lazy("admin:index"),
                    "active": request.path == reverse("admin:index"),
                }
            ]
        }
    ]
    for title, entries in GROUPS:
        items = [item for entry in entries if (item := _item(request, *entry))]
        if items:
            groups.append({"title": title, "separator": True, "collapsible": False, "items": items})  # type: ignore[dict-item]
    return groups


def _item(request: HttpRequest, label: str, icon: str, title: Any) -> dict[str, Any] | None:
    """The link to a model's list; None when it is not in the admin or not for this person."""
    model = apps.get_model(label)
    model_admin = admin.site._registry.get(model)
    if model_admin is None or not model_admin.has_view_or_change_permission(request):
        return None
    opts = model._meta
    link = reverse(f"admin:{opts.app_label}_{opts.model_name}_changelist")
    item: dict[str, Any] = {
        "title": title or _Capitalised(opts.verbose_name_plural),
        "icon": icon,
        "link": link,
        "active": request.path.startswith(link),
    }
    if model is EventFailure and (
        parked := EventFailure.objects.filter(status=EventFailure.Status.PARKED).count()
    ):
        item |= {"badge": str(parked), "badge_variant": "danger"}
    return item


class _Capitalised:
    """A model's name as a heading, translated when it is shown."""

    def __init__(self, text: Any) -> None:
        self.text = text

    def __str__(self) -> str:
        text = str(self.text)
        return text[:1].upper() + text[1:]
