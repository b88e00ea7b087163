"""What the points floor puts below an activity: why these points, and its refunds."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from members import admin_parts
from members.models import Activity
from rewards.admin.refunding import MAY_REFUND
from rewards.explanations import explain
from rewards.refund_parts import is_empty
from rewards.refunds import (
    left_of,
)
from rewards.statement_reasons import refunds_of


def _why(activity: Activity, request: HttpRequest) -> Mapping[str, Any]:
    return {"explanations": explain(activity)}


def _refunds(activity: Activity, request: HttpRequest) -> Mapping[str, Any]:
    rows = refunds_of([activity.pk]).get(activity.pk, [])
    may = request.user.has_perm(MAY_REFUND)
    return {
        "activity": activity,
        "refunds": rows,
        "refund_url": reverse("admin:rewards_refund_of", args=[activity.pk])
        if may and not (rows and is_empty(left_of(activity)))
        else "",
    }


admin_parts.add_activity_panel(
    admin_parts.Panel(
        key="why",
        permission="rewards.view_transfer",
        template="admin/rewards/why.html",
        context=_why,
    )
)
admin_parts.add_activity_panel(
    admin_parts.Panel(
        key="refunds",
        permission="rewards.view_refund",
        template="admin/rewards/refunds.html",
        context=_refunds,
    )
)
