"""Referrals in the admin: members' codes, and who brought whom."""

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import RangeDateFilter

from loyalty.admin_base import ReadOnlyAdmin
from members.admin import member_link
from members.models import Member
from members.search import search
from referrals.models import Referral, ReferralCode


def _members(text: str) -> Any:
    return search(Member.objects.all(), text).order_by().values("pk")


@admin.register(ReferralCode)
class ReferralCodeAdmin(ReadOnlyAdmin):
    list_display = ("code", "member_name", "created_at")
    list_select_related = ("member",)
    search_fields = ("code",)
    search_help_text = _("The code, or a member by anything")
    ordering = ("-id",)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[ReferralCode], search_term: str
    ) -> tuple[QuerySet[ReferralCode], bool]:
        if wanted := search_term.strip():
            return queryset.filter(Q(code__iexact=wanted) | Q(member__in=_members(wanted))), False
        return queryset, False

    @admin.display(description=_("member"))
    def member_name(self, code: ReferralCode) -> SafeString:
        return member_link(code.member)


@admin.register(Referral)
class ReferralAdmin(ReadOnlyAdmin):
    list_display = ("joined_at", "referrer_name", "friend_name")
    list_select_related = ("referrer", "friend")
    list_filter = (("joined_at", RangeDateFilter),)
    search_fields = ("id",)
    search_help_text = _("Either member, by anything")
    ordering = ("-id",)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Referral], search_term: str
    ) -> tuple[QuerySet[Referral], bool]:
        if wanted := search_term.strip():
            found = _members(wanted)
            return queryset.filter(Q(referrer__in=found) | Q(friend__in=found)), False
        return queryset, False

    @admin.display(description=_("referrer"))
    def referrer_name(self, referral: Referral) -> SafeString:
        return member_link(referral.referrer)

    @admin.display(description=_("friend"))
    def friend_name(self, referral: Referral) -> SafeString:
        return member_link(referral.friend)
