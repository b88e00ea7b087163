"""Writing a campaign before it goes out: its answers step by step, its variants and what each says in each language.

Only a campaign that is not on its way can be written: ``lifecycle.is_editable`` says so, asked under the row's lock.
Called by the admin.
"""

import string
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import transaction
from django.utils.text import slugify
from django.utils.translation import gettext as _

from campaigns import lifecycle
from campaigns.lifecycle import CampaignRefused
from campaigns.models import Campaign, Text, Variant

TEXT_FIELDS = ("subject", "preheader", "heading", "body", "button_label", "button_link", "short_text", "mjml")
MOST_VARIANTS = 5


def free_code(wanted: str) -> str:
    """A code that no campaign has, made of these words: “win-back”, “win-back-2”."""
    stem = slugify(wanted)[:44].strip("-") or "campaign"
    taken = set(Campaign.objects.filter(code__startswith=stem).values_list("code", flat=True))
    if stem not in taken:
        return stem
    return next(code for number in range(2, len(taken) + 3) if (code := f"{stem}-{number}") not in taken)


def start_empty(*, kind: str, names: Mapping[str, str]) -> Campaign:
    """A draft of that kind with one variant and nothing said yet."""
    first = next(iter(names.values()), "")
    occasion = {
        Campaign.Kind.RECURRING: Campaign.Occasion.SCHEDULE,
        Campaign.Kind.TRIGGERED: Campaign.Occasion.EVENT,
    }.get(Campaign.Kind(kind), "")
    with transaction.atomic():
        campaign = Campaign.objects.create(
            code=free_code(first), names=dict(names), kind=kind, occasion=occasion
        )
        Variant.objects.create(campaign=campaign, code="A")
    return campaign


@contextmanager
def editing(campaign_id: int) -> Iterator[Campaign]:
    """The campaign under its lock, if it may still be written. Raises CampaignRefused otherwise."""
    with transaction.atomic():
        campaign = Campaign.objects.select_for_update(of=("self",), no_key=True).get(pk=campaign_id)
        if not lifecycle.is_editable(campaign):
            raise CampaignRefused("", _("It is on its way and cannot be changed. Pause it first."))
        yield campaign


def save(*, campaign_id: int, answers: Mapping[str, Any]) -> Campaign:
    """Write some of the campaign's fields. Raises CampaignRefused, by the field, and nothing is written."""
    with editing(campaign_id) as campaign:
        for name, value in answers.items():
            setattr(campaign, name, value)
        try:
            campaign.clean_fields(exclude=[f.name for f in campaign._meta.fields if f.name not in answers])
        except ValidationError as error:
            field, found = next(iter(error.message_dict.items()))
            raise CampaignRefused("" if field == NON_FIELD_ERRORS else field, found[0]) from error
        campaign.save()
    return campaign


def write(
    *,
    campaign_id: int,
    variant: str,
    texts: Mapping[str, Mapping[str, str]],
    name: str | None = None,
    weight: int | None = None,
) -> Variant:
    """Write what a variant says, by language; a language without a word is left out. Raises CampaignRefused."""
    with editing(campaign_id) as campaign:
        row = campaign.variants.get(code=variant)
        called = row.name if name is None else name
        weighs = row.weight if weight is None else weight
        if (called, weighs) != (row.name, row.weight):
            row.name, row.weight = called, weighs
            row.save()
        present = {text.language: text for text in row.texts.all()}
        for language, fields in texts.items():
            _write_text(row, language, fields, present.get(language))
    return row


def _write_text(variant: Variant, language: str, fields: Mapping[str, str], present: Text | None) -> None:
    """One language of a variant; a row of the history only where something changed."""
    text = present or Text(variant=variant, language=language)
    wanted = {name: fields.get(name, getattr(text, name)) for name in TEXT_FIELDS}
    if not any(value.strip() for value in wanted.values()):
        if present is not None:
            present.delete()
        return
    if present is None or any(getattr(text, name) != value for name, value in wanted.items()):
        for name, value in wanted.items():
            setattr(text, name, value)
        text.save()


def add_variant(*, campaign_id: int, like: str) -> Variant:
    """One more variant that says what another says until it is changed. Raises CampaignRefused for too many."""
    with editing(campaign_id) as campaign:
        taken = set(campaign.variants.values_list("code", flat=True))
        if len(taken) >= MOST_VARIANTS:
            raise CampaignRefused("variants", _("%(most)s variants are enough.") % {"most": MOST_VARIANTS})
        pattern = campaign.variants.get(code=like)
        code = next(letter for letter in string.ascii_uppercase if letter not in taken)
        made = Variant.objects.create(campaign=campaign, code=code, weight=pattern.weight)
        for text in pattern.texts.all():
            Text.objects.create(
                variant=made, language=text.language, **{name: getattr(text, name) for name in TEXT_FIELDS}
            )
    return made


def remove_variant(*, campaign_id: int, variant: str) -> None:
    """Take a variant away. Raises CampaignRefused for the last one, and for one that members were sent."""
    with editing(campaign_id) as campaign:
        row = campaign.variants.get(code=variant)
        if campaign.variants.count() == 1:
            raise CampaignRefused("variants", _("A campaign needs at least one variant."))
        if campaign.messages.filter(variant=row).exists():
            raise CampaignRefused(
                "variants", _("Members were sent this variant; it stays. Give it the weight 0 instead.")
            )
        row.delete()
