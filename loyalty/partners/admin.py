"""Partners and API keys in the admin. A key's text is shown on one page, right after it was made, and never again."""

import datetime as dt
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.cache import add_never_cache_headers
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from loyalty import clock
from loyalty.admin_base import HistoryAdmin, KantisAdmin, badge
from loyalty.partners import keys
from loyalty.partners.models import ApiKey, Partner, Scope


@admin.register(Partner)
class PartnerAdmin(HistoryAdmin):
    """Tills, web shops and other senders of activities."""

    list_display = ("name", "slug", "is_active", "valid_keys")
    search_fields = ("name", "slug")
    fields = ("name", "slug", "is_active", "public_id", "created_at")
    readonly_fields = ("public_id", "created_at")
    prepopulated_fields: ClassVar[dict[str, tuple[str, ...]]] = {"slug": ("name",)}

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return (*self.readonly_fields, "slug") if obj else self.readonly_fields

    def get_prepopulated_fields(self, request: HttpRequest, obj: Any = None) -> dict[str, Any]:
        return {} if obj else dict(self.prepopulated_fields)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Partner]:
        valid = Q(api_keys__revoked_at__isnull=True) & (
            Q(api_keys__expires_at__isnull=True) | Q(api_keys__expires_at__gt=clock.now())
        )
        return super().get_queryset(request).annotate(key_count=Count("api_keys", filter=valid))

    @admin.display(description=_("valid keys"), ordering="key_count")
    def valid_keys(self, partner: Any) -> int:
        return int(partner.key_count)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A partner is made inactive: its activities must keep their sender."""
        return False


class ApiKeyForm(forms.ModelForm):  # type: ignore[type-arg]
    """What staff decide about a key. Its text is nobody's choice."""

    scopes = forms.MultipleChoiceField(
        label=_("Scopes"), choices=Scope.choices, widget=UnfoldAdminCheckboxSelectMultipleWidget()
    )

    class Meta:
        model = ApiKey
        fields = ("partner", "name", "scopes", "rate_per_minute", "expires_at")

    def clean_expires_at(self) -> dt.datetime | None:
        expires_at: dt.datetime | None = self.cleaned_data["expires_at"]
        if expires_at and "expires_at" in self.changed_data and expires_at <= clock.now():
            raise forms.ValidationError(_("Choose a moment to come. To refuse the key at once, revoke it."))
        return expires_at


@admin.register(ApiKey)
class ApiKeyAdmin(KantisAdmin):
    """Keys by partner: made, narrowed and revoked here."""

    form = ApiKeyForm
    list_display = ("name", "partner", "prefix", "state", "last_used_at", "expires_at")
    list_filter = (("partner", admin.RelatedOnlyFieldListFilter),)
    list_select_related = ("partner",)
    search_fields = ("name", "prefix", "partner__name")
    actions = ("revoke",)
    readonly_fields = ("prefix", "state", "created_at", "last_used_at", "revoked_at")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        chosen = ("partner", "name", "scopes", "rate_per_minute", "expires_at")
        return (*chosen, *self.readonly_fields) if obj else chosen

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return (*self.readonly_fields, "partner") if obj else ()

    @admin.display(description=_("state"))
    def state(self, key: ApiKey) -> SafeString:
        if key.revoked_at:
            return badge(_("revoked"), "bad")
        if key.expires_at and key.expires_at <= clock.now():
            return badge(_("expired"), "warn")
        return badge(_("valid"), "good") if key.partner.is_active else badge(_("partner inactive"), "warn")

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
            return
        made, obj.text = keys.create_key(  # type: ignore[attr-defined]
            partner=obj.partner,
            name=obj.name,
            scopes=obj.scopes,
            expires_at=obj.expires_at,
            rate_per_minute=obj.rate_per_minute,
        )
        obj.pk = made.pk
        obj.refresh_from_db()

    def response_add(
        self, request: HttpRequest, obj: ApiKey, post_url_continue: str | None = None
    ) -> HttpResponse:
        """Show the text in this answer only: a message or a session would put it into a store."""
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("The new API key"),
            "key": obj,
            "text": obj.text,  # type: ignore[attr-defined]
            "back": reverse("admin:loyalty_apikey_changelist"),
            "opts": self.opts,
        }
        response = TemplateResponse(request, "admin/loyalty/api_key_created.html", context)
        add_never_cache_headers(response)
        return response

    @admin.action(description=_("Revoke the selected keys"), permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        at = clock.now()
        count = sum(keys.revoke(key, at=at) for key in queryset)
        for key in queryset:
            self.log_change(request, key, gettext("Revoked."))
        text = ngettext("%(count)s key was revoked.", "%(count)s keys were revoked.", count) % {
            "count": count
        }
        messages.success(request, text)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A key is revoked: what it did must stay traceable."""
        return False
