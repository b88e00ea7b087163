"""The step of what is said: variants, a text in each language, inserts at hand, and a test to one's own address."""

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.http import urlencode
from django.utils.translation import get_language, gettext

from campaigns import building
from campaigns.admin import parts
from campaigns.admin.inserts import inserts_of
from campaigns.admin.previews import preview_of
from campaigns.channels.base import ChannelDown, OutcomeUnknown, PassingError, Refused
from campaigns.forms.texts import Sheet, TextForm
from campaigns.lifecycle import CampaignRefused
from campaigns.models import Campaign, Variant
from campaigns.rendering import checks
from campaigns.rendering.preview import test_send
from campaigns.rendering.rendered import NotRendered
from loyalty import clock
from loyalty.translated import LANGUAGES

if TYPE_CHECKING:
    from campaigns.admin.campaigns import CampaignAdmin

Problems = dict[tuple[str, str], list[checks.Problem]]
"""Findings of one variant by language and field."""


def what_page(model_admin: "CampaignAdmin", request: HttpRequest, campaign_id: int) -> HttpResponse:
    """Write a variant in all languages; every button saves first, so that nothing typed is lost on the way."""
    campaign = parts.campaign_of(request, campaign_id, parts.CHANGE)
    variant = variant_of(campaign, request.POST.get("variant") or request.GET.get("variant", ""))
    sheet = Sheet(variant, request.POST if request.method == "POST" else None)
    if request.method == "POST" and "look" not in request.POST and sheet.is_valid():
        answer = _save(model_admin, request, campaign, sheet)
        if answer is not None:
            return answer
    return _page(model_admin, request, campaign, sheet)


def variant_of(campaign: Campaign, code: str) -> Variant:
    """The variant of that code, or the first; a campaign without any is given one."""
    variants = {each.code: each for each in campaign.variants.prefetch_related("texts")}
    if not variants:
        return Variant.objects.create(campaign=campaign, code="A")
    return variants.get(code) or next(iter(variants.values()))


def language_of(request: HttpRequest) -> str:
    """The language that is shown: the one chosen, else the reader's own."""
    chosen = request.POST.get("show") or request.GET.get("show") or (get_language() or "")[:2]
    return chosen if chosen in LANGUAGES else LANGUAGES[0]


def _save(
    model_admin: "CampaignAdmin", request: HttpRequest, campaign: Campaign, sheet: Sheet
) -> HttpResponse | None:
    """Write the sheet and do what the button says; None when that was refused, which a message tells."""
    code, post = sheet.variant.code, request.POST
    try:
        building.write(campaign_id=campaign.pk, variant=code, **sheet.written())
        model_admin.log_change(request, campaign, f"Texts of variant {code}")  # type: ignore[arg-type]
        if "add" in post:
            code = building.add_variant(campaign_id=campaign.pk, like=code).code
        elif "remove" in post:
            building.remove_variant(campaign_id=campaign.pk, variant=code)
            code = ""
        elif "go" in post:
            code = post["go"]
        elif "test" in post:
            _send_test(request, campaign, sheet.variant)
        elif "stay" in post:
            messages.success(request, gettext("Saved."))
        else:
            return HttpResponseRedirect(parts.url("when", campaign.pk))
    except CampaignRefused as refused:
        messages.error(request, refused.message)
        return None
    query = urlencode({"variant": code, "show": language_of(request), "as": post.get("as", "")})
    return HttpResponseRedirect(f"{parts.url('what', campaign.pk)}?{query}")


def _send_test(request: HttpRequest, campaign: Campaign, variant: Variant) -> None:
    """Send the saved text in the shown language to whoever asks, by e-mail; a message tells how it went."""
    to = getattr(request.user, "email", "")
    if not to:
        messages.error(request, gettext("Your account has no e-mail address to send a test to."))
        return
    try:
        test_send(
            campaign,
            variant,
            language_of(request),
            to=to,
            at=clock.now(),
            staff_id=request.user.pk or 0,
        )
    except (NotRendered, ChannelDown, PassingError, Refused, OutcomeUnknown) as error:
        messages.error(request, gettext("The test could not be sent: %(error)s") % {"error": error})
    else:
        messages.success(request, gettext("A test was sent to %(address)s.") % {"address": to})


def _page(
    model_admin: "CampaignAdmin", request: HttpRequest, campaign: Campaign, sheet: Sheet
) -> HttpResponse:
    variants = list(campaign.variants.all())
    whole = sum(each.weight for each in variants)
    shown = sheet.first_wrong() or language_of(request)
    found = problems_of(campaign, sheet.variant)
    context: dict[str, Any] = {
        "sheet": sheet,
        "variant": sheet.variant,
        "variants": [
            {"row": each, "share": round(each.weight * 100 / whole) if whole else 0} for each in variants
        ],
        "may_add_variant": len(variants) < building.MOST_VARIANTS,
        "languages": [_language(text, found, shown) for text in sheet.texts],
        "general": found.get(("", ""), []),
        "shown": shown,
        "inserts": inserts_of(campaign),
        "preview_url": parts.url("preview", campaign.pk),
        "own_address": getattr(request.user, "email", ""),
        **preview_of(request, campaign, sheet, shown),
    }
    return parts.page(
        model_admin, request, "admin/campaigns/what.html", campaign, here="what", context=context
    )


def _language(text: TextForm, found: Problems, shown: str) -> dict[str, Any]:
    """A language's form with what was found beside each field."""
    wrong = sum(len(problems) for (language, _field), problems in found.items() if language == text.language)
    return {
        "code": text.language,
        "name": text.language_name,
        "is_shown": text.language == shown,
        "is_empty": text.is_empty,
        "problems": wrong,
        "rows": [(field, found.get((text.language, field.name), [])) for field in text],
        "general": found.get((text.language, ""), []),
    }


def problems_of(campaign: Campaign, variant: Variant) -> Problems:
    """What the checks find in a variant as it is saved, by language and field; ("", "") for the whole."""
    found: Problems = defaultdict(list)
    for problem in checks.problems(campaign):
        if problem.variant in ("", variant.code):
            found[(problem.language, problem.field if problem.language else "")].append(problem)
    return dict(found)
