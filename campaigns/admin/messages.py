"""Every message and why it was sent or not; those of unknown outcome are settled by staff."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateFilter, RelatedDropdownFilter

from campaigns import explaining
from campaigns.admin.parts import SETTLE
from campaigns.dispatch.settling import Outcome, settle_unknown
from campaigns.lifecycle import CampaignRefused
from campaigns.models import Message
from loyalty import clock
from loyalty.admin_base import ExportMixin, ReadOnlyAdmin, badge
from members.admin import member_link
from members.admin_scoped import MemberScopedAdmin
from members.models import Member
from members.search import search

Status = Message.Status
TONES = {
    Status.SENT: "good",
    Status.FAILED: "bad",
    Status.UNKNOWN: "warn",
    Status.SKIPPED: "note",
    Status.HELD_OUT: "note",
}
OUTCOMES = {
    Outcome.SENT: _("They got it"),
    Outcome.NOT_SENT: _("They did not get it"),
    Outcome.SEND_AGAIN: _("Send it again"),
}


@admin.register(Message)
class MessageAdmin(MemberScopedAdmin, ExportMixin, ReadOnlyAdmin):  # type: ignore[misc]
    """Who was told what, by which way, and if not, why not."""

    member_tab = "messages"
    list_display = (
        "created_at",
        "member_name",
        "campaign",
        "state",
        "why",
        "channel",
        "language",
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
    readonly_fields = ("member_name", "state", "why")
    change_form_outer_before_template = "admin/campaigns/settle.html"
    actions = ("note_sent", "note_not_sent", "send_again")
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("member_name", "campaign"),
                    ("state", "why"),
                    ("detail", "attempts"),
                    ("channel", "language"),
                    ("variant", "arm"),
                    ("occasion", "points"),
                    ("created_at", "due_at"),
                    ("claimed_at", "sent_at"),
                    ("opened_at", "clicked_at"),
                    ("read_at", "cost"),
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

    def get_urls(self) -> list[URLPattern]:
        return [
            self.own_page("<int:message_id>/settle/", self.settle_view, "settle"),
            *super().get_urls(),
        ]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Message], search_term: str
    ) -> tuple[QuerySet[Message], bool]:
        if wanted := search_term.strip():
            return queryset.filter(
                member__in=search(Member.objects.all(), wanted).order_by().values("pk")
            ), False
        return queryset, False

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        message = self.get_object(request, object_id)
        extra = dict(extra_context or {})
        if message is not None:
            extra["why"] = explaining.sentence(message)
            if message.status == Status.UNKNOWN and request.user.has_perm(SETTLE):
                extra["outcomes"] = [(outcome.value, label) for outcome, label in OUTCOMES.items()]
                extra["settle_url"] = reverse("admin:campaigns_message_settle", args=[message.pk])
        return super().change_view(request, object_id, form_url, extra)

    @admin.display(description=_("member"))
    def member_name(self, message: Message) -> SafeString:
        return member_link(message.member)

    @admin.display(description=_("status"), ordering="status")
    def state(self, message: Message) -> SafeString:
        return badge(message.get_status_display(), TONES.get(Status(message.status), ""))

    @admin.display(description=_("why"), ordering="reason")
    def why(self, message: Message) -> str:
        return explaining.sentence(message)

    # --- What became of those whose outcome is unknown ----------------------------------------------------------------

    def has_settle_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(SETTLE)

    @admin.action(description=OUTCOMES[Outcome.SENT], permissions=["settle"])
    def note_sent(self, request: HttpRequest, rows: QuerySet[Message]) -> None:
        self._settle(request, list(rows), Outcome.SENT)

    @admin.action(description=OUTCOMES[Outcome.NOT_SENT], permissions=["settle"])
    def note_not_sent(self, request: HttpRequest, rows: QuerySet[Message]) -> None:
        self._settle(request, list(rows), Outcome.NOT_SENT)

    @admin.action(description=OUTCOMES[Outcome.SEND_AGAIN], permissions=["settle"])
    def send_again(self, request: HttpRequest, rows: QuerySet[Message]) -> None:
        self._settle(request, list(rows), Outcome.SEND_AGAIN)

    def settle_view(self, request: HttpRequest, message_id: int) -> HttpResponse:
        """The same for one message, from its page."""
        message = Message.objects.select_related("campaign").filter(pk=message_id).first()
        if message is None or not self.has_settle_permission(request):
            raise Http404
        outcome = request.POST.get("outcome", "")
        if request.method == "POST" and outcome in set(Outcome):
            self._settle(request, [message], Outcome(outcome))
        return HttpResponseRedirect(reverse("admin:campaigns_message_change", args=[message_id]))

    def _settle(self, request: HttpRequest, rows: list[Message], outcome: Outcome) -> None:
        """Settle those whose outcome is unknown; the others stay as they are, and it says how many."""
        unknown = [row for row in rows if row.status == Status.UNKNOWN]
        try:
            count = settle_unknown(
                message_ids=[row.pk for row in unknown], outcome=outcome.value, at=clock.now()
            )
        except CampaignRefused as refused:
            messages.error(request, refused.message)
            return
        for row in unknown:
            self.log_change(request, row, f"Outcome: {outcome.value}")
        if count:
            said = ngettext("%(count)s message was settled.", "%(count)s messages were settled.", count)
            messages.success(request, said % {"count": count})
        if left := len(rows) - count:
            said = ngettext(
                "%(count)s message has a known outcome and stays as it is.",
                "%(count)s messages have a known outcome and stay as they are.",
                left,
            )
            messages.info(request, said % {"count": left})


def first_word(message: Message) -> str:
    """What a list calls the message: its subject, or the campaign's name where nothing was written."""
    return message.subject or str(message.campaign) or gettext("Message")
