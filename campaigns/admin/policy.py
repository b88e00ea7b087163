"""What holds for all campaigns together, and for each way of sending."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from campaigns.admin.together_page import together_page
from campaigns.models import ChannelPolicy, SendingPolicy
from loyalty.admin_base import HistoryAdmin, badge


class _FixedRows(HistoryAdmin):
    """Rows that are there from the beginning: edited, neither added nor deleted."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(SendingPolicy)
class SendingPolicyAdmin(_FixedRows):
    """One row: caps, the lasting hold-out, who approves, and what things cost."""

    list_display = ("title", "per_day", "per_week", "per_month", "global_hold_out_percent", "approval_above")
    list_display_links = ("title",)
    readonly_fields = ("worth",)
    fieldsets = (
        (
            _("How often a member is written to"),
            {
                "fields": (("per_day", "per_week", "per_month"),),
                "description": _(
                    "All campaigns and ways together, on the member's own calendar. Empty: no limit. The inbox "
                    "does not count, and neither do campaigns that ignore caps."
                ),
            },
        ),
        (
            _("Held out of everything"),
            {"fields": (("global_hold_out_percent", "global_hold_out_key"), "worth")},
        ),
        (_("Birthdays and anniversaries"), {"fields": ("leap_day",)}),
        (_("Approval"), {"fields": ("approval_above",)}),
        (_("Tracking"), {"fields": ("track_opens",)}),
        (
            _("What it costs and brings"),
            {
                "fields": (("value_of_a_point", "margin_percent"),),
                "description": _("For the expected cost of a campaign, and for its result."),
            },
        ),
    )

    def get_urls(self) -> list[URLPattern]:
        return [self.own_page("together/", self.together_view, "together"), *super().get_urls()]

    def together_view(self, request: HttpRequest) -> HttpResponse:
        return together_page(self, request)

    @admin.display(description=_("measured"))
    def worth(self, policy: SendingPolicy) -> SafeString:
        return format_html(
            '<a class="k-link" href="{}">{}</a>',
            reverse("admin:campaigns_sendingpolicy_together"),
            gettext("What all campaigns together were worth"),
        )

    @admin.display(description=_("policy"))
    def title(self, policy: SendingPolicy) -> str:
        return str(policy)


@admin.register(ChannelPolicy)
class ChannelPolicyAdmin(_FixedRows):
    """Each way of sending: in use or not, its quiet hours, its own caps, what a message costs."""

    list_display = ("way", "state", "quiet_hours", "caps", "cost", "unknown")
    list_display_links = ("way",)
    readonly_fields = ("channel",)
    fieldsets = (
        (None, {"fields": (("channel", "is_active"),)}),
        (
            _("Quiet hours"),
            {
                "fields": (("quiet_from", "quiet_to"),),
                "description": _(
                    "On the member's own clock; may cross midnight. What falls due in them is held until their end."
                ),
            },
        ),
        (
            _("How often"),
            {
                "fields": (("per_day", "per_week", "per_month"),),
                "description": _("By this way, besides what holds for all ways together. Empty: no limit."),
            },
        ),
        (_("Cost and doubt"), {"fields": (("cost", "unknown"),)}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[ChannelPolicy]:
        rows: QuerySet[ChannelPolicy] = super().get_queryset(request)
        return rows

    @admin.display(description=_("way of sending"), ordering="channel")
    def way(self, policy: ChannelPolicy) -> str:
        text = str(policy.get_channel_display())
        return text[:1].upper() + text[1:]

    @admin.display(description=_("state"), ordering="is_active")
    def state(self, policy: ChannelPolicy) -> SafeString:
        return badge(gettext("in use"), "good") if policy.is_active else badge(gettext("not in use"))

    @admin.display(description=_("quiet hours"))
    def quiet_hours(self, policy: ChannelPolicy) -> str:
        if policy.quiet_from is None or policy.quiet_to is None:
            return "–"
        return f"{policy.quiet_from:%H.%M}–{policy.quiet_to:%H.%M}"

    @admin.display(description=_("at most"))
    def caps(self, policy: ChannelPolicy) -> str:
        told = (
            (policy.per_day, gettext("%(count)s a day")),
            (policy.per_week, gettext("%(count)s a week")),
            (policy.per_month, gettext("%(count)s a month")),
        )
        return ", ".join(text % {"count": count} for count, text in told if count is not None) or "–"
