"""Lists that can be narrowed to one member (``?member__id__exact=``) then carry that member's head and tabs."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse

from members.admin_member_pages import head
from members.models import Member

PARAMETER = "member__id__exact"


class MemberScopedAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Mix in before the house's admin base; ``member_tab`` is the key of the tab that leads here."""

    member_tab = ""
    list_before_template = "admin/members/member/list_head.html"

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        extra = dict(extra_context or {})
        wanted = request.GET.get(PARAMETER, "")
        if wanted.isdecimal() and len(wanted) < 19 and request.user.has_perm("members.view_member"):
            member = Member.objects.select_related("tier").filter(pk=int(wanted)).first()
            if member is not None:
                extra |= head(request, member, tab=self.member_tab)
        return super().changelist_view(request, extra)
