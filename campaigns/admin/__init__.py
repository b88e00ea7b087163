"""Campaigns in the admin: what is said in each language and how it reads; every message and what became of it."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext, override
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateFilter, RelatedDropdownFilter

from campaigns.models import Campaign, Message
from campaigns.wording import greeting
from loyalty.admin_base import ExportMixin, HistoryAdmin, ReadOnlyAdmin, badge
from loyalty.translated import LANGUAGES
from members import admin_parts, timeline
from members.admin import member_link
from members.admin_scoped import MemberScopedAdmin
from members.models import Member
from members.search import search

_REWARDS = {"fi": "Cappuccino ja korvapuusti", "sv": "Cappuccino och kanelbulle", "en": "Cappuccino and bun"}
_NAMES = {"fi": "Aino", "sv": "Linnea", "en": "Alex"}
_TONES = {
    Message.Status.SENT: "good",
    Message.Status.FAILED: "bad",
    Message.Status.UNKNOWN: "warn",
    Message.Status.SKIPPED: "note",
}


@admin.register(Campaign)
class CampaignAdmin(HistoryAdmin):
    """A greeting or a message on an occasion: its words, its points, and whether it goes out."""

    list_display = ("name", "occasion", "is_active", "bonus_points")
    multiline_texts = ("bodies",)
    change_form_outer_after_template = "admin/campaigns/preview.html"
    fieldsets = (
        (None, {"fields": (("code", "occasion"), "names", "is_active")}),
        (
            _("Gift"),
            {
                "fields": ("bonus_points", "look_back_days"),
                "description": _("A tier whose terms name birthday points gives those instead."),
            },
        ),
        (_("Message"), {"fields": ("subjects", "bodies")}),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("code", "occasion") if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        campaign = self.get_object(request, object_id)
        extra = dict(extra_context or {})
        if campaign is not None:
            extra["previews"] = [_preview(campaign, language) for language in LANGUAGES]
        return super().change_view(request, object_id, form_url, extra)


def _preview(campaign: Campaign, language: str) -> dict[str, Any]:
    """The saved message as a member of that language would get it, once with and once without a first name."""
    about = {"points": campaign.bonus_points, "reward": ""}
    if campaign.occasion == "affordable":
        about = {"points": 320, "reward": _REWARDS[language]}
    with override(language):
        subject, body = greeting(
            campaign, language=language, first_name=_NAMES.get(language, "Alex"), **about
        )
        nameless, _body = greeting(campaign, language=language, first_name="", **about)
    return {"language": language, "subject": subject, "body": body, "nameless": nameless}


@admin.register(Message)
class MessageAdmin(MemberScopedAdmin, ExportMixin, ReadOnlyAdmin):
    """Who was told what, by which way, and if not, why not."""

    member_tab = "messages"
    list_display = (
        "created_at",
        "member_name",
        "campaign",
        "state",
        "reason",
        "channel",
        "language",
        "points",
        "sent_at",
    )
    list_select_related = ("member", "campaign")
    list_filter = (
        ("status", ChoicesDropdownFilter),
        ("reason", ChoicesDropdownFilter),
        ("channel", ChoicesDropdownFilter),
        ("campaign", RelatedDropdownFilter),
        ("created_at", RangeDateFilter),
    )
    search_fields = ("id",)
    search_help_text = _("A member's name, e-mail, phone or card number")
    ordering = ("-id",)
    readonly_fields = ("member_name", "state")
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("member_name", "campaign"),
                    ("state", "reason"),
                    ("detail", "attempts"),
                    ("channel", "language"),
                    ("occasion", "points"),
                    ("created_at", "due_at"),
                    ("claimed_at", "sent_at"),
                    "read_at",
                )
            },
        ),
        (_("Message"), {"fields": ("subject", "body")}),
    )
    export_columns = (
        (_("number"), lambda row: row.pk),
        (_("created at"), lambda row: row.created_at),
        (_("card number"), lambda row: row.member.card_number),
        (_("campaign"), lambda row: row.campaign.code),
        (_("occasion"), lambda row: row.occasion),
        (_("channel"), lambda row: row.channel),
        (_("language"), lambda row: row.language),
        (_("status"), lambda row: row.status),
        (_("reason"), lambda row: row.reason),
        (_("points given"), lambda row: row.points),
        (_("sent at"), lambda row: row.sent_at),
    )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Message], search_term: str
    ) -> tuple[QuerySet[Message], bool]:
        if wanted := search_term.strip():
            return queryset.filter(
                member__in=search(Member.objects.all(), wanted).order_by().values("pk")
            ), False
        return queryset, False

    @admin.display(description=_("member"))
    def member_name(self, message: Message) -> SafeString:
        return member_link(message.member)

    @admin.display(description=_("status"), ordering="status")
    def state(self, message: Message) -> SafeString:
        return badge(message.get_status_display(), _TONES.get(Message.Status(message.status), ""))


def _messages(member: Member, before: datetime | None, size: int) -> Iterable[timeline.Entry]:
    """The member's messages for the timeline."""
    rows = Message.objects.filter(member=member).select_related("campaign")
    if before is not None:
        rows = rows.filter(created_at__lte=before)
    for row in rows.order_by("-created_at", "-id")[:size]:
        parts = [
            row.get_status_display(),
            row.get_reason_display() if row.reason else "",
            row.get_channel_display(),
        ]
        yield timeline.Entry(
            at=row.created_at,
            kind="message",
            icon="mail" if row.channel == Message.Channel.EMAIL else "inbox",
            title=row.subject or gettext("Message"),
            detail=" · ".join(str(part) for part in parts if part),
            by=str(row.campaign),
            permission="campaigns.view_message",
            url=reverse("admin:campaigns_message_change", args=[row.pk]),
            tone="warn" if row.status in {Message.Status.FAILED, Message.Status.UNKNOWN} else "",
            order=row.pk,
        )


def _messages_url(member: Member) -> str:
    return f"{reverse('admin:campaigns_message_changelist')}?member__id__exact={member.pk}"


timeline.add_source("campaigns.messages", _messages)
admin_parts.add_tab(
    admin_parts.Link(
        key="messages", label=_("Messages"), url=_messages_url, permission="campaigns.view_message"
    )
)
