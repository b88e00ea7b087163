"""The ground floor's admin: events and their failures, runs, the schedule, the programme; and the log-ins' extras.

Models of the libraries are registered again here, so that they look like the rest and offer only what is safe.
"""

import json
from typing import Any, ClassVar

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django_celery_beat.models import (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    SolarSchedule,
)
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateTimeFilter

from loyalty import clock, programme
from loyalty.admin_base import HistoryAdmin, KantisAdmin, ReadOnlyAdmin, badge
from loyalty.events import dispatch, waking
from loyalty.events.models import Event, EventFailure
from loyalty.models import Programme
from loyalty.partners import admin as partners_admin
from loyalty.runs.models import Run

__all__ = ["partners_admin"]

_RUN_TONES = {
    Run.Status.RUNNING: "note",
    Run.Status.SUCCEEDED: "good",
    Run.Status.FAILED: "bad",
    Run.Status.ABANDONED: "warn",
}
_FAILURE_TONES = {
    EventFailure.Status.RETRYING: "warn",
    EventFailure.Status.PARKED: "bad",
    EventFailure.Status.RESOLVED: "good",
}


@admin.register(Programme)
class ProgrammeAdmin(HistoryAdmin):
    """The one row of settings that hold for the whole programme."""

    list_display = ("name", "base_currency", "time_zone", "default_language")
    fields = ("name", "base_currency", "time_zone", "default_language")

    def save_model(self, request: HttpRequest, obj: Programme, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        programme.forget()

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    """What was announced, and when it was handed on."""

    list_display = ("id", "name", "member_id", "occurred_at", "announced_at", "dispatched_at")
    list_filter = (("occurred_at", RangeDateTimeFilter), ("dispatched_at", admin.EmptyFieldListFilter))
    search_fields = ("name__istartswith", "=member_id")
    ordering = ("-id",)
    fields = (
        "name",
        ("member_id", "partner_id"),
        ("occurred_at", "announced_at", "dispatched_at"),
        "facts_shown",
    )

    @admin.display(description=_("facts"))
    def facts_shown(self, event: Event) -> SafeString:
        return _as_text(json.dumps(event.facts, indent=2, ensure_ascii=False))


@admin.register(EventFailure)
class EventFailureAdmin(ReadOnlyAdmin):
    """Deliveries that failed. Parked ones wait for somebody to look, mend the cause, and try again."""

    list_display = ("subscription", "event", "state", "attempts", "last_line", "failed_at", "due_at")
    list_filter = (("status", ChoicesDropdownFilter), "subscription")
    list_select_related = ("event",)
    search_fields = ("subscription", "=event__id", "=event__member_id")
    ordering = ("-id",)
    actions = ("try_again",)
    fields = ("subscription", "event", "state", "attempts", ("failed_at", "due_at"), "error_shown")

    @admin.display(description=_("status"), ordering="status")
    def state(self, failure: EventFailure) -> SafeString:
        return badge(failure.get_status_display(), _FAILURE_TONES[EventFailure.Status(failure.status)])

    @admin.display(description=_("error"))
    def last_line(self, failure: EventFailure) -> str:
        return failure.error.strip().rpartition("\n")[2][:120]

    @admin.display(description=_("error"))
    def error_shown(self, failure: EventFailure) -> SafeString:
        return _as_text(failure.error)

    def has_try_again_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("loyalty.change_eventfailure")  # type: ignore[union-attr]

    @admin.action(description=_("Try again now"), permissions=["try_again"])
    def try_again(self, request: HttpRequest, queryset: QuerySet[EventFailure]) -> None:
        count = dispatch.retry_now(list(queryset), at=clock.now())
        waking.wake()
        text = ngettext(
            "%(count)s delivery will be tried again.", "%(count)s deliveries will be tried again.", count
        )
        messages.success(request, text % {"count": count})


@admin.register(Run)
class RunAdmin(ReadOnlyAdmin):
    """What ran in the background, how long it took and how it ended."""

    list_display = ("name", "state", "started_at", "took", "done", "failed", "skipped")
    list_filter = (("status", ChoicesDropdownFilter), "name", ("started_at", RangeDateTimeFilter))
    search_fields = ("name",)
    ordering = ("-id",)
    fields = (
        ("name", "state"),
        ("at", "started_at", "ended_at", "seen_at"),
        ("done", "failed", "skipped", "total"),
        "detail_shown",
        "error_shown",
    )

    @admin.display(description=_("status"), ordering="status")
    def state(self, run: Run) -> SafeString:
        return badge(run.get_status_display(), _RUN_TONES[Run.Status(run.status)])

    @admin.display(description=_("took"))
    def took(self, run: Run) -> str:
        if run.ended_at is None:
            return "–"
        seconds = (run.ended_at - run.started_at).total_seconds()
        return f"{seconds:.1f} s" if seconds < 60 else f"{int(seconds // 60)} min {int(seconds % 60)} s"

    @admin.display(description=_("detail"))
    def detail_shown(self, run: Run) -> SafeString:
        return _as_text(json.dumps(run.detail, indent=2, ensure_ascii=False))

    @admin.display(description=_("error"))
    def error_shown(self, run: Run) -> SafeString:
        return _as_text(run.error or "–")


def _as_text(text: str) -> SafeString:
    return format_html('<pre class="k-pre">{}</pre>', text)


for _model in (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    SolarSchedule,
    EmailAddress,
    Authenticator,
    UserSession,
):
    if admin.site.is_registered(_model):
        admin.site.unregister(_model)


@admin.register(PeriodicTask)
class PeriodicTaskAdmin(KantisAdmin):
    """The schedule. What runs is declared in code; how often, and whether at all, is staff's to change."""

    list_display = ("name", "description", "enabled", "timing", "last_run_at")
    search_fields = ("name", "description")
    ordering = ("name",)
    fields = ("name", "description", "enabled", "interval", "crontab", "last_run_at")
    readonly_fields = ("name", "description", "last_run_at")
    list_select_related = ("interval", "crontab")

    @admin.display(description=_("when"))
    def timing(self, task: PeriodicTask) -> str:
        return str(task.interval or task.crontab)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(IntervalSchedule)
class IntervalScheduleAdmin(KantisAdmin):
    """Intervals to choose from."""

    def get_model_perms(self, request: HttpRequest) -> dict[str, bool]:
        return {}


@admin.register(CrontabSchedule)
class CrontabScheduleAdmin(KantisAdmin):
    """Times of day to choose from."""

    list_display = ("__str__", "human_readable")
    fields = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week", "timezone")

    def get_model_perms(self, request: HttpRequest) -> dict[str, bool]:
        return {}


class _MayOnlyBeDeleted(KantisAdmin):
    """Rows that people make for themselves; staff may take one away, for instance a lost second factor."""

    search_fields = ("user__email",)
    list_select_related = ("user",)
    ordering = ("-id",)

    def has_add_permission(self, request: HttpRequest, *_args: Any) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(EmailAddress)
class EmailAddressAdmin(_MayOnlyBeDeleted):
    list_display = ("email", "user", "verified", "primary")
    list_filter = ("verified",)
    search_fields = ("email__istartswith",)


@admin.register(Authenticator)
class AuthenticatorAdmin(_MayOnlyBeDeleted):
    """Second factors and passkeys; their secrets are not shown."""

    list_display = ("user", "type", "created_at", "last_used_at")
    list_filter = ("type",)
    fields = ("user", "type", "created_at", "last_used_at")


@admin.register(UserSession)
class UserSessionAdmin(_MayOnlyBeDeleted):
    list_display = ("user", "ip", "last_seen_at", "user_agent")
    fields = ("user", "ip", "created_at", "last_seen_at", "user_agent")
    readonly_fields: ClassVar[tuple[str, ...]] = ("created_at", "last_seen_at")
