"""Staff's words with a member's facts filled in. Only the named places are filled, once; nothing else is code."""

import re
import unicodedata

from django.utils import formats, translation

from campaigns.models import Campaign
from loyalty.translated import in_language

SUBJECT_LENGTH = 200
_PLACE = re.compile(r"(?P<lead>,?[ \u00a0]*)\{(?P<name>first_name|points)\}")


def fill(text: str, *, first_name: str, points: str) -> str:
    """``text`` with ``{first_name}`` and ``{points}`` filled in, in one pass: a name is never filled in itself.

    Where the name is not known, the comma and space before it go too ("Congratulations, {first_name}!").
    """
    facts = {"first_name": first_name.strip(), "points": points}

    def put(place: re.Match[str]) -> str:
        value = facts[place["name"]]
        return place["lead"] + value if value else ""

    return _PLACE.sub(put, text)


def one_line(text: str) -> str:
    """``text`` as a header may hold it: no line breaks, no control characters, single spaces, bounded length."""
    printable = "".join(" " if unicodedata.category(char) in {"Cc", "Zl", "Zp"} else char for char in text)
    return " ".join(printable.split())[:SUBJECT_LENGTH]


def greeting(campaign: Campaign, *, language: str, first_name: str, points: int) -> tuple[str, str]:
    """The subject and text of a campaign's greeting in one language, for a gift of ``points``."""
    with translation.override(language):
        number = formats.number_format(points, force_grouping=True)
    subject = fill(in_language(campaign.subjects, language), first_name=first_name, points=number)
    body = fill(in_language(campaign.bodies, language), first_name=first_name, points=number)
    return one_line(subject), body.replace("\x00", "")
