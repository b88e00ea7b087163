"""How a finished message looks to members and to spam filters: its subject, its length, what text messages cost."""

import re
from collections.abc import Iterator, Mapping

from django.conf import settings
from django.utils.translation import gettext as _

from campaigns.models import Campaign, ChannelCode
from campaigns.rendering.problems import Level, Problem
from campaigns.rendering.rendered import Rendered
from campaigns.rendering.segments import segments

LONGEST_SUBJECT = 70
"""Characters that most mail programs show."""
MOST_SEGMENTS = 3
CUT_AT = 100_000
"""Bytes at which Gmail cuts an e-mail, its foot with the link for stopping included."""
_EAGER = 3
"""So many exclamation marks in the subject and text are too many."""

SPAM_PRONE: Mapping[str, tuple[str, ...]] = {
    "fi": (
        "klikkaa tästä",
        "olet voittanut",
        "voitit juuri",
        "osta nyt",
        "toimi nyt",
        "täysin ilmaista",
        "rahaa heti",
        "ilman riskiä",
        "100 % ilmainen",
        "vain tänään!",
        "takuuvarma",
        "uskomaton tarjous",
    ),
    "sv": (
        "klicka här",
        "du har vunnit",
        "köp nu",
        "agera nu",
        "helt gratis",
        "snabba pengar",
        "utan risk",
        "100 % gratis",
        "bara idag!",
        "garanterad vinst",
        "otroligt erbjudande",
    ),
    "en": (
        "click here",
        "you have won",
        "you are a winner",
        "buy now",
        "act now",
        "completely free",
        "100% free",
        "risk free",
        "risk-free",
        "earn cash",
        "once in a lifetime",
        "guaranteed win",
        "$$$",
    ),
}
_LETTERS = re.compile(r"[^\W\d_]")


def of_rendered(campaign: Campaign, language: str, samples: Mapping[str, Rendered]) -> Iterator[Problem]:
    """Findings in a sample of the message by channel."""
    for channel in (ChannelCode.EMAIL, ChannelCode.INBOX):
        if channel in samples:
            yield from _of_subject(samples[channel].subject)
            yield from _of_words(language, samples[channel])
            break
    if ChannelCode.EMAIL in samples and len(samples[ChannelCode.EMAIL].html.encode()) > CUT_AT:
        message = _("The e-mail is so long that mail programs cut off its end: shorten it or its layout.")
        yield Problem(level="warning", field="body", message=message)
    if ChannelCode.SMS in samples:
        yield from _of_sms(campaign, samples[ChannelCode.SMS])


def as_long_as_ours() -> str:
    """An address of the length of those for stopping messages."""
    return f"{settings.PUBLIC_URL}/u/{'x' * 32}/" if settings.PUBLIC_URL else ""


def _of_subject(subject: str) -> Iterator[Problem]:
    if not subject:
        message = _("The subject is empty for some members: write words around its inserts.")
        yield Problem(level="warning", field="subject", message=message)
    if len(subject) > LONGEST_SUBJECT:
        message = _("The subject has %(length)s characters: most mail programs show %(most)s. Shorten it.")
        yield _of_the_subject(message % {"length": len(subject), "most": LONGEST_SUBJECT})
    letters = _LETTERS.findall(subject)
    if len(letters) >= 8 and sum(letter.isupper() for letter in letters) > 0.6 * len(letters):
        yield _of_the_subject(_("The subject shouts: write it in small letters."))


def _of_words(language: str, sample: Rendered) -> Iterator[Problem]:
    whole = f"{sample.subject}\n{sample.preheader}\n{sample.heading}\n{sample.body}".lower()
    if sample.subject.count("!") > 1 or "!!" in whole or whole.count("!") > 2 * _EAGER:
        message = _(
            "There are many exclamation marks, which spam filters count: leave one at most in the subject."
        )
        yield _of_the_subject(message)
    prone = [words for words in SPAM_PRONE.get(language, ()) if words in whole]
    if prone:
        message = _("Spam filters know “%(words)s”: say it in other words.")
        field = "subject" if prone[0] in sample.subject.lower() else "body"
        yield Problem(level="warning", field=field, message=message % {"words": "”, “".join(prone)})


def _of_sms(campaign: Campaign, sample: Rendered) -> Iterator[Problem]:
    needed = segments(sample.short)
    if needed.count > 1:
        level: Level = "error" if needed.count > MOST_SEGMENTS else "warning"
        yield Problem(
            level=level, field="short_text", message=_too_long(needed.count, needed.units, needed.is_unicode)
        )
    if campaign.purpose != Campaign.Purpose.SERVICE and sample.unsubscribe_url not in sample.short:
        message = _("A text message with offers should say how to stop them: add {{ links.unsubscribe }}.")
        yield Problem(level="warning", field="short_text", message=message)


def _too_long(count: int, units: int, is_unicode: bool) -> str:
    facts = {"count": count, "units": units}
    if is_unicode:
        return (
            _(
                "The text message takes %(count)s segments (%(units)s characters; with rare ones 70 fit into one)."
            )
            % facts
            + " "
            + _("Shorten it, or leave out emoji and other characters that take more room.")
        )
    return (
        _("The text message takes %(count)s segments (%(units)s characters; 160 fit into one). Shorten it.")
        % facts
    )


def _of_the_subject(message: str) -> Problem:
    return Problem(level="warning", field="subject", message=message)
