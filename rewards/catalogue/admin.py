"""The catalogue in the admin: a reward without a line of code, looked at as a member before it is in the shop."""

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import URLPattern, path, reverse
from django.utils import translation
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import StackedInline
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter

from loyalty import clock
from loyalty.admin_base import HistoryAdmin, badge
from loyalty.translated import LANGUAGES, TranslatedTextField
from loyalty.translated_forms import TranslatedTextFormField
from members.models import Member, Tier
from members.search import search
from rewards.catalogue import keeping, pictures, stock
from rewards.catalogue.admin_form import SECTIONS, PreviewForm, RewardForm
from rewards.catalogue.listing import with_related
from rewards.catalogue.previewing import MADE_UP_POINTS, preview
from rewards.catalogue.stock import StockBelowTaken
from rewards.models import Aversion, AversionKind, Favourite, Redemption, Reward, RewardCategory


class WhereFilter(admin.SimpleListFilter):
    """Where a reward is; without a choice everything but the archive."""

    title = _("where it is")
    parameter_name = "where"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("catalogue", _("in the catalogue")),
            ("drafts", _("drafts")),
            ("archive", _("in the archive")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Reward]) -> QuerySet[Reward]:
        match self.value():
            case "catalogue":
                return queryset.filter(is_active=True)
            case "drafts":
                return queryset.filter(is_active=False, archived_at=None)
            case "archive":
                return queryset.exclude(archived_at=None)
        return queryset.filter(archived_at=None)


@admin.register(Reward)
class RewardAdmin(HistoryAdmin):
    """Rewards: made in one form, previewed as any member, copied, archived; never deleted once redeemed."""

    form = RewardForm
    fieldsets = SECTIONS
    multiline_texts: ClassVar = ("descriptions", "instructions")
    list_display = ("thumbnail", "name", "code", "kind", "points", "state", "left", "marked")
    list_display_links = ("thumbnail", "name")
    list_filter = (WhereFilter, ("kind", ChoicesDropdownFilter), ("category", RelatedDropdownFilter))
    search_fields = ("code", "names__fi", "names__sv", "names__en", "tags")
    ordering = ("points", "code")
    change_form_outer_before_template = "admin/rewards/reward_panel.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Reward]:
        marks = Favourite.objects.filter(reward=OuterRef("pk")).order_by().values("reward")
        counted = marks.annotate(number=Count("pk")).values("number")
        rewards = with_related(super().get_queryset(request)).select_related("stock")
        return rewards.annotate(marked_by=Coalesce(Subquery(counted), 0))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("code",) if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Reward, form: RewardForm, change: bool) -> None:
        """Save the reward with its picture and its pieces. A stock that fell below what is taken meanwhile stays."""
        take_picture(obj, form)
        super().save_model(request, obj, form, change)
        try:
            stock.set_total(reward_id=obj.pk, total=form.cleaned_data.get("pieces"))
        except StockBelowTaken as refused:
            messages.error(request, str(refused))

    def get_urls(self) -> list[URLPattern]:
        def own(route: str, view: Any, name: str) -> URLPattern:
            return path(route, self.admin_site.admin_view(view), name=f"rewards_reward_{name}")

        return [
            own("<int:reward_id>/preview/", self.preview_view, "preview"),
            own("<int:reward_id>/clone/", self.clone_view, "clone"),
            own("<int:reward_id>/archive/", self.archive_view, "archive"),
            own("<int:reward_id>/restore/", self.restore_view, "restore"),
            *super().get_urls(),
        ]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        reward = self.get_object(request, object_id)
        extra = dict(extra_context or {})
        if isinstance(reward, Reward):
            extra |= {
                "reward": reward,
                "reward_state": self.state(reward),
                "counts": _counts(reward),
                "may_change": self.has_change_permission(request, reward),
                "may_add": self.has_add_permission(request),
                "tiers": Tier.objects.all(),
                "languages": LANGUAGES,
                "points": MADE_UP_POINTS,
            }
        return super().change_view(request, object_id, form_url, extra)

    def preview_view(self, request: HttpRequest, reward_id: int) -> HttpResponse:
        """The reward's page as a member sees it. Posted with the form: as it stands there, with nothing saved."""
        reward = self._reward(request, reward_id, self.has_view_or_change_permission)
        if request.method == "POST":
            form = self.get_form(request, reward)(request.POST, request.FILES, instance=reward)
            if not form.is_valid():
                return render(
                    request, "admin/rewards/preview_errors.html", {"form": form, "reward": reward}, status=422
                )
            take_picture(reward, form)
        asked = PreviewForm(request.POST or request.GET)
        return self._preview(request, reward, asked.cleaned_data if asked.is_valid() else {})

    def _preview(self, request: HttpRequest, reward: Reward, asked: dict[str, Any]) -> HttpResponse:
        member = self._as_whom(request, asked.get("who", ""))
        tier = Tier.objects.filter(code=asked.get("tier", "")).first()
        language = asked.get("language") or (member.language if member else translation.get_language())
        with translation.override(language if language in LANGUAGES else None):
            shown = preview(
                reward, at=clock.now(), member=member, tier=tier, points=asked.get("points_of_member")
            )
            context = {
                "member": None,
                "shown": shown,
                "as_member": member,
                "as_tier": member.tier if member else tier,
            }
            return render(request, "rewards/catalogue/preview.html", context)

    def _as_whom(self, request: HttpRequest, who: str) -> Member | None:
        """The member that the text names, if staff may see members; None: a made-up one."""
        if not who.strip() or not request.user.has_perm("members.view_member"):  # type: ignore[union-attr]
            return None
        found = search(Member.objects.select_related("tier"), who)
        return found.order_by("pk").first()

    def clone_view(self, request: HttpRequest, reward_id: int) -> HttpResponse:
        reward = self._reward(request, reward_id, lambda request, _reward: self.has_add_permission(request))
        if request.method != "POST":
            return HttpResponseRedirect(_url(reward_id))
        copy = keeping.clone(reward)
        self.log_addition(request, copy, f"Copied from {reward.code}")
        messages.success(
            request, gettext("This is a copy, and a draft. Change what is different, then save.")
        )
        return HttpResponseRedirect(_url(copy.pk))

    def archive_view(self, request: HttpRequest, reward_id: int) -> HttpResponse:
        reward = self._reward(request, reward_id, self.has_change_permission)
        if request.method == "POST" and keeping.archive(reward_id=reward_id, at=clock.now()):
            self.log_change(request, reward, "Archived")
            messages.success(
                request, gettext("It is in the archive now. What members have redeemed stays theirs.")
            )
        return HttpResponseRedirect(_url(reward_id))

    def restore_view(self, request: HttpRequest, reward_id: int) -> HttpResponse:
        reward = self._reward(request, reward_id, self.has_change_permission)
        if request.method == "POST" and keeping.restore(reward_id=reward_id):
            self.log_change(request, reward, "Taken out of the archive")
            messages.success(request, gettext("It is a draft again."))
        return HttpResponseRedirect(_url(reward_id))

    def _reward(self, request: HttpRequest, reward_id: int, may: Any) -> Reward:
        reward = with_related(Reward.objects.filter(pk=reward_id)).first()
        if reward is None:
            raise Http404
        if not may(request, reward):
            raise PermissionDenied
        return reward

    @admin.display(description="")
    def thumbnail(self, reward: Reward) -> SafeString | str:
        if reward.picture is None:
            return ""
        address = reverse("picture-small", args=[reward.picture.digest])
        return format_html(
            '<img class="k-thumbnail" src="{}" alt="" width="64" height="48" loading="lazy">', address
        )

    @admin.display(description=_("name"))
    def name(self, reward: Reward) -> str:
        return reward.name or reward.code

    @admin.display(description=_("state"))
    def state(self, reward: Reward) -> SafeString:
        at = clock.now()
        if reward.archived_at is not None:
            return badge(gettext("in the archive"))
        if not reward.is_active:
            return badge(gettext("draft"), "note")
        if reward.closes_at is not None and reward.closes_at <= at:
            return badge(gettext("ended"), "warn")
        if reward.opens_at is not None and reward.opens_at > at:
            return badge(gettext("opens later"), "note")
        return badge(gettext("in the catalogue"), "good")

    @admin.display(description=_("left"))
    def left(self, reward: Reward) -> Any:
        pieces = getattr(reward, "stock", None)
        if pieces is None:
            return "–"
        return pieces.left if pieces.left else badge(gettext("none left"), "bad")

    @admin.display(description=_("favourite of"), ordering="marked_by")
    def marked(self, reward: Any) -> int:
        return int(reward.marked_by)


def take_picture(reward: Reward, form: RewardForm) -> None:
    """Give the reward the picture that came with the valid form, or take its picture away."""
    if form.drawn is not None:
        reward.picture = pictures.keep(form.drawn, at=clock.now())
    elif form.cleaned_data.get("no_picture"):
        reward.picture = None


def _url(reward_id: int) -> str:
    return reverse("admin:rewards_reward_change", args=[reward_id])


def _counts(reward: Reward) -> list[tuple[Any, int]]:
    """How many redemptions of it are in each state, and how many members marked it."""
    rows = Redemption.objects.filter(reward=reward).order_by().values_list("state").annotate(Count("pk"))
    by_state = dict(rows)
    counted = [(state.label, by_state[state]) for state in Redemption.State if state in by_state]
    return [*counted, (_("favourite of"), Favourite.objects.filter(reward=reward).count())]


@admin.register(RewardCategory)
class RewardCategoryAdmin(HistoryAdmin):
    """The shelves of the catalogue."""

    list_display = ("name", "code", "position")
    list_editable = ("position",)
    list_display_links = ("name",)
    search_fields = ("code",)
    fields = ("code", "names", "position")

    @admin.display(description=_("name"))
    def name(self, category: RewardCategory) -> str:
        return category.name or category.code


class KindInline(StackedInline):
    """The sides of an either-or."""

    model = AversionKind
    extra = 0
    min_num = 1
    fields = ("code", "names", ("skus", "categories"))

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if isinstance(db_field, TranslatedTextField):
            return TranslatedTextFormField(label=capfirst(db_field.verbose_name))
        return super().formfield_for_dbfield(db_field, request, **kwargs)


@admin.register(Aversion)
class AversionAdmin(HistoryAdmin):
    """Products of which people usually want one kind only: read by suggestions, chosen from in the portal."""

    list_display = ("__str__", "code", "purchases", "days")
    search_fields = ("code",)
    fields = ("code", "names", ("purchases", "days"))
    inlines: ClassVar = [KindInline]
