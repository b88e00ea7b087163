"""What a friend sees who follows an invitation: the gift, and of the member only what they allow.

Also the words that a member shares. Reads only; ``visits`` remembers who came.
"""

import datetime as dt
from dataclasses import dataclass
from urllib.parse import urljoin

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _

from loyalty import programme
from loyalty.translated import in_language
from members.models import Member
from referrals import codes, programmes, wording
from referrals.models import ProgrammeTerms, ReferralCode


@dataclass(frozen=True, slots=True)
class Invited:
    """An invitation as a friend sees it: ``name`` is blank unless the member allows it, ``terms`` None for no gift."""

    referrer_id: int
    code: str
    name: str
    terms: ProgrammeTerms | None
    gift: str
    takes: str
    description: str


def invitation(text: str, *, at: dt.datetime) -> Invited | None:
    """The invitation behind a code as somebody wrote it; None where no active member has, or had, it."""
    code = codes.normal(text)
    owner_id = codes.owners_of([code]).get(code)
    if owner_id is None:
        return None
    member = Member.objects.select_related("tier", "referral_code").get(pk=owner_id)
    present: ReferralCode | None = getattr(member, "referral_code", None)
    terms = programmes.programme_of(member, at)
    return Invited(
        referrer_id=owner_id,
        code=code,
        name=member.first_name if present is not None and present.shows_name else "",
        terms=terms,
        gift=wording.friends_gift(terms) if terms else "",
        takes=wording.what_it_takes(terms) if terms else "",
        description=in_language(terms.programme.descriptions) if terms else "",
    )


def link_of(code: str, request: HttpRequest) -> str:
    """The whole address of a code's page, at the house's public address where that is set."""
    path = reverse("landing", args=[code])
    return urljoin(settings.PUBLIC_URL, path) if settings.PUBLIC_URL else request.build_absolute_uri(path)


def share_text(*, member: Member, terms: ProgrammeTerms | None, link: str) -> str:
    """The ready text in the member's language, the programme's own where staff wrote one."""
    with translation.override(member.language):
        gift = wording.friends_gift(terms) if terms else ""
        own = in_language(terms.programme.share_texts) if terms else ""
        if own:
            return own.replace("{link}", link).replace("{gift}", gift)
        facts = {"programme": programme.current().name, "gift": gift, "link": link}
        if gift:
            return _("Join %(programme)s with my invitation, and you get %(gift)s: %(link)s") % facts
        return _("Join %(programme)s with my invitation: %(link)s") % facts
