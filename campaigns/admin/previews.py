"""How a text reads, as it stands in the form: to any member, by each way, in each language. Nothing is kept."""

from typing import TYPE_CHECKING, Any

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext

from campaigns import building, lifecycle
from campaigns.admin import parts
from campaigns.forms.texts import Sheet, column_of
from campaigns.models import Campaign, ChannelCode, Text
from campaigns.rendering.preview import preview
from campaigns.rendering.rendered import NotRendered
from members.models import Member
from members.search import search

if TYPE_CHECKING:
    from campaigns.admin.campaigns import CampaignAdmin

MOST_FOUND = 6
SHOWN_WAYS = (ChannelCode.EMAIL, ChannelCode.INBOX, ChannelCode.SMS, ChannelCode.PUSH)
SMS_SINGLE, SMS_PART = 160, 153
SMS_SINGLE_WIDE, SMS_PART_WIDE = 70, 67
_GSM = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡"
    "ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)


def preview_view(model_admin: "CampaignAdmin", request: HttpRequest, campaign_id: int) -> HttpResponse:
    """The preview and what is wrong, for the page that asks while somebody types. Post the form; nothing is saved.

    A campaign that cannot be written any more is shown as it is saved, whatever was posted.
    """
    del model_admin
    from campaigns.admin.texts import language_of, problems_of, variant_of

    campaign = parts.campaign_of(request, campaign_id, parts.CHANGE)
    if request.method != "POST":
        raise PermissionDenied
    sheet = Sheet(variant_of(campaign, request.POST.get("variant", "")), request.POST)
    sheet.is_valid()
    shown = language_of(request)
    with transaction.atomic():
        if lifecycle.is_editable(campaign):
            put_down(sheet)
        found = problems_of(campaign, sheet.variant)
        context = preview_of(request, campaign, sheet, shown)
        transaction.set_rollback(True)
    beside = [
        (text.language, field.name, found.get((text.language, field.name), []))
        for text in sheet.texts
        for field in text
    ]
    return TemplateResponse(
        request,
        "admin/campaigns/preview.html",
        {**context, "campaign": campaign, "beside": beside, "general": found.get(("", ""), [])},
    )


def put_down(sheet: Sheet) -> None:
    """Write the form's words into the rows without history, inside a transaction that is rolled back after."""
    for form in sheet.texts:
        words = {name: str(form[name].value() or "") for name in building.TEXT_FIELDS}
        words = {
            name: value[: column_of(name).max_length or None].replace("\x00", "")
            for name, value in words.items()
        }
        rows = Text.objects.filter(variant=sheet.variant, language=form.language)
        if not any(value.strip() for value in words.values()):
            rows.delete()
        elif not rows.update(**words):
            Text.objects.bulk_create([Text(variant=sheet.variant, language=form.language, **words)])


def preview_of(request: HttpRequest, campaign: Campaign, sheet: Sheet, language: str) -> dict[str, Any]:
    """The rendered message for the chosen member and way, or why there is none."""
    source = request.POST if request.method == "POST" else request.GET
    ways = [code for code in SHOWN_WAYS if code in campaign.channels] or [ChannelCode.EMAIL]
    way = source.get("way", "")
    way = way if way in ways else ways[0]
    wanted = (source.get("pick") or source.get("as", "")).strip()
    found = _members(request, wanted)
    member = found[0] if found else None
    context: dict[str, Any] = {
        "ways": [(code.value, code.label) for code in ways],
        "way": way,
        "wanted": wanted,
        "seen_as": member,
        "found": found[1:],
        "nobody": bool(wanted) and member is None,
        "shown": language,
    }
    try:
        # Fresh from the table: what the form holds was written there for as long as this takes.
        campaign = Campaign.objects.get(pk=campaign.pk)
        variant = campaign.variants.get(pk=sheet.variant.pk)
        rendered = preview(campaign, variant, language, member, channel=way)
    except NotRendered as error:
        return {**context, "why_not": str(error) or gettext("There is no text yet.")}
    return {**context, "rendered": rendered, "sms": sms_of(rendered.short)}


def _members(request: HttpRequest, wanted: str) -> list[Member]:
    """The members that the words in the search box may mean, for staff who may see members."""
    if not wanted or not request.user.has_perm("members.view_member"):
        return []
    active = Member.objects.filter(status=Member.Status.ACTIVE)
    return list(search(active, wanted).select_related("tier").order_by("last_name", "pk")[:MOST_FOUND])


def sms_of(text: str) -> dict[str, int | bool]:
    """How many text messages a text takes: 160 characters each, or 70 where a letter is outside the plain alphabet."""
    plain = set(text) <= _GSM
    single, part = (SMS_SINGLE, SMS_PART) if plain else (SMS_SINGLE_WIDE, SMS_PART_WIDE)
    length = len(text)
    return {"length": length, "parts": 1 if length <= single else -(-length // part), "plain": plain}
