"""A page of the admin that is one plain form: title, fields, buttons. For actions that are no model's edit."""

from collections.abc import Mapping
from typing import Any

from django.contrib.admin import ModelAdmin
from django.forms import Form
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django_stubs_ext import StrOrPromise


def form_page(
    model_admin: "ModelAdmin[Any]",
    request: HttpRequest,
    *,
    form: Form,
    title: StrOrPromise,
    submit: StrOrPromise,
    back: str,
    template: str = "admin/form_page.html",
    context: Mapping[str, Any] | None = None,
) -> TemplateResponse:
    """The page with the form as it stands, errors included. ``back`` is where “Cancel” leads."""
    request.current_app = model_admin.admin_site.name  # type: ignore[attr-defined]
    return TemplateResponse(
        request,
        template,
        {
            **model_admin.admin_site.each_context(request),
            "title": title,
            "form": form,
            "submit": submit,
            "back": back,
            "opts": model_admin.model._meta,
            **(context or {}),
        },
    )
