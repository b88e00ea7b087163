"""What is wrong with a campaign's texts, before anything is sent: errors keep it from starting, warnings do not.

Called when a campaign is submitted and while it is written. What can be seen from a field alone is in ``field_checks``,
how a finished message looks to members and spam filters in ``appearance``.
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace

from django.utils import translation
from django.utils.translation import gettext as _

from campaigns.models import Campaign, ChannelCode, Text, Variant
from campaigns.rendering import appearance, field_checks, inserts, texts
from campaigns.rendering.context import Context
from campaigns.rendering.problems import Level, Problem
from campaigns.rendering.render import render
from campaigns.rendering.rendered import NotRendered, Rendered
from loyalty import clock, programme
from loyalty.translated import LANGUAGES

__all__ = ["Level", "Problem", "problems"]

_WRITTEN = frozenset({ChannelCode.EMAIL, ChannelCode.INBOX, ChannelCode.WEBHOOK})
_SHORT = frozenset({ChannelCode.SMS, ChannelCode.PUSH})


def problems(campaign: Campaign) -> list[Problem]:
    """Everything found in a saved campaign's variants and texts, errors first. Two statements."""
    variants = list(campaign.variants.prefetch_related("texts").order_by("code"))
    if not variants:
        return [Problem(level="error", message=_("There is no text yet: add a variant and write it."))]
    found = [problem for variant in variants for problem in _of_variant(campaign, variant)]
    return sorted(found, key=lambda problem: problem.level != "error")


def _of_variant(campaign: Campaign, variant: Variant) -> Iterator[Problem]:
    filled = {text.language: text for text in variant.texts.all() if texts.says_something(text)}
    if not filled:
        message = _("Variant %(variant)s has no text: write it in at least one language.")
        yield Problem(level="error", variant=variant.code, message=message % {"variant": variant.code})
        return
    for language in LANGUAGES:
        if language not in filled:
            yield _missing(variant, language, filled)
    for text in filled.values():
        text.variant = variant
        for problem in _of_text(campaign, text):
            yield replace(problem, variant=variant.code, language=text.language)


def _missing(variant: Variant, language: str, filled: dict[str, Text]) -> Problem:
    instead = texts.choose(filled.values(), language)
    names = dict(_languages())
    return Problem(
        level="warning",
        variant=variant.code,
        language=language,
        message=_("There is no text in %(language)s: its members get it in %(instead)s. Add one.")
        % {"language": names[language], "instead": names[instead.language if instead else language]},
    )


def _languages() -> Iterator[tuple[str, str]]:
    for code in LANGUAGES:
        yield code, str(translation.get_language_info(code)["name_translated"])


def _of_text(campaign: Campaign, text: Text) -> Iterator[Problem]:
    found = [*_empty(campaign, text), *field_checks.of_text(campaign, text)]
    yield from found
    if any(problem.level == "error" for problem in found):
        return
    try:
        samples = {channel: _sample(campaign, text, channel) for channel in campaign.channels}
    except NotRendered as error:
        yield Problem(level="error", field="body", message=str(error))
        return
    yield from appearance.of_rendered(campaign, text.language, samples)


def _empty(campaign: Campaign, text: Text) -> Iterator[Problem]:
    """What a channel of the campaign needs and the text does not say."""
    channels = set(campaign.channels)
    if channels & _WRITTEN:
        if not text.subject.strip():
            yield Problem(level="error", field="subject", message=_("The subject is empty: write one."))
        if not (text.body.strip() or text.mjml.strip()):
            yield Problem(level="error", field="body", message=_("The text is empty: write it."))
    elif channels & _SHORT and not (text.short_text.strip() or text.subject.strip()):
        yield Problem(level="error", field="short_text", message=_("The short text is empty: write it."))


def _sample(campaign: Campaign, text: Text, channel: str) -> Rendered:
    """The message to a made-up member, with addresses as long as those that are sent."""
    today: dt.date = clock.local_date(clock.now(), programme.current().time_zone)
    values = inserts.sample(campaign, text.language, today=today)
    stop = appearance.as_long_as_ours() if campaign.purpose != Campaign.Purpose.SERVICE else ""
    values["links"] = {**texts.pages(), "unsubscribe": stop}
    links = dict.fromkeys(texts.ready(text).urls, 1_000)
    message = inserts.unsent(campaign, text.variant, text.language, channel)
    return render(
        message, Context(text=text, inserts=values, links=links, unsubscribe_url=stop), for_channel=channel
    )
