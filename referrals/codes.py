"""A member's personal code: drawn, or chosen by the member; and whose a code is that somebody came with.

Drawn ones come from ``secrets``, short enough to be read out, without characters that look alike. A code that a member
gave up for one of their choice goes on counting for them, and nobody else can have it.
"""

import datetime as dt
import re
import secrets
from collections.abc import Iterable

from django.db import IntegrityError, transaction
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from members.models import Member
from referrals.models import FormerCode, ReferralCode
from rewards.leaderboards import nicknames
from rewards.leaderboards.nicknames import NicknameRefused

ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
"""No 0 and O, no 1, I and L, and no U, which looks like V."""
LENGTH = 8
SHORTEST, LONGEST = 4, 16
CHANGE_AFTER = dt.timedelta(days=30)
_ATTEMPTS = 10
_ALIKE = str.maketrans("01LU", "OIIV")
"""As the database's constraint has it (``ReferralCode.Meta``)."""


class CodeRefused(ValueError):
    """The code cannot be had; ``code`` is stable, the text says why and may be shown."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def code_of(member: Member, at: dt.datetime) -> str:
    """The member's code, drawn when first asked for; two who ask at once get the same."""
    for _attempt in range(_ATTEMPTS):
        known = ReferralCode.objects.filter(member=member).first()
        if known is not None:
            return known.code
        drawn = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
        if not FormerCode.objects.filter(code=drawn).exists():
            ReferralCode.objects.bulk_create(
                [ReferralCode(member=member, code=drawn, created_at=at)], ignore_conflicts=True
            )
    raise RuntimeError("No free referral code found.")


def normal(code: str) -> str:
    """A code as it is kept, from what somebody typed: any case, with spaces or dashes."""
    return re.sub(r"[^0-9A-Z]", "", code[:100].upper())


def look_of(code: str) -> str:
    """By what two codes look the same: “MOLLE10” and “M0IIEIO” do."""
    return code.translate(_ALIKE)


def owners_of(texts: Iterable[str]) -> dict[str, int]:
    """The active members whose codes, present or former, these are: ids by code. Two statements, however many."""
    wanted = {text for text in texts if text}
    if not wanted:
        return {}
    active = {"code__in": wanted, "member__status": Member.Status.ACTIVE}
    found = dict(FormerCode.objects.filter(**active).values_list("code", "member_id"))
    return found | dict(ReferralCode.objects.filter(**active).values_list("code", "member_id"))


def choose_own_code(*, member: Member, code: str, at: dt.datetime) -> str:
    """Give the member the code of their choice, as it is kept; the one before goes on counting for them.

    Raises CodeRefused: ``length``, ``characters`` (letters without marks and figures only), ``digits``, ``no-letters``,
    ``forbidden``, ``taken`` (somebody has it, or one that looks like it), ``too-soon`` (30 days after the last change).
    Of two members at once the database lets one through. The member's present code again changes nothing.
    """
    wanted = _cleaned(code)
    code_of(member, at)
    try:
        with transaction.atomic():
            return _replace(member, wanted, at=at)
    except IntegrityError as error:
        raise _taken() from error


def _cleaned(code: str) -> str:
    """The code as it is kept. Raises CodeRefused."""
    wanted = re.sub(r"[\s\-]", "", code[:100].upper())
    if not SHORTEST <= len(wanted) <= LONGEST:
        text = _("A code has from %(least)s to %(most)s characters.")
        raise CodeRefused("length", text % {"least": SHORTEST, "most": LONGEST})
    if normal(wanted) != wanted:
        raise CodeRefused("characters", _("Use the letters A to Z and figures only."))
    try:
        nicknames.cleaned(wanted, words=nicknames.known_words())
    except NicknameRefused as refusal:
        raise CodeRefused(refusal.code, _REFUSALS.get(refusal.code, _forbidden)()) from refusal
    return wanted


def _forbidden() -> str:
    return _("This code is not allowed. Choose another one.")


_REFUSALS = {
    "no-letters": lambda: _("A code has at least one letter."),
    "digits": lambda: _("So many figures could be a telephone or card number. Use fewer."),
}


def _taken() -> CodeRefused:
    return CodeRefused("taken", _("Somebody has this code, or one that looks like it. Choose another one."))


def _replace(member: Member, wanted: str, *, at: dt.datetime) -> str:
    present = ReferralCode.objects.select_for_update(of=("self",)).get(member=member)
    if present.code == wanted:
        return wanted
    if present.changed_at is not None and at < present.changed_at + CHANGE_AFTER:
        day = date_format(localtime(present.changed_at + CHANGE_AFTER), "SHORT_DATE_FORMAT")
        text = _("A code can be changed once in 30 days. You can change yours from %(day)s on.")
        raise CodeRefused("too-soon", text % {"day": day})
    if _is_anothers(member, wanted):
        raise _taken()
    FormerCode.objects.filter(member=member, code=wanted).delete()
    FormerCode.objects.create(member=member, code=present.code, given_up_at=at)
    present.code, present.is_chosen, present.changed_at = wanted, True, at
    present.save(update_fields=["code", "is_chosen", "changed_at"])
    return wanted


def _is_anothers(member: Member, wanted: str) -> bool:
    """Whether another member has this code, or had it, or one that looks like it.

    One statement: a code just being given up is seen in one of the two tables.
    """
    alike = {"look": look_of(wanted)}
    present = ReferralCode.objects.alias(look=ReferralCode.LOOK).filter(**alike).exclude(member=member)
    former = FormerCode.objects.alias(look=FormerCode.LOOK).filter(**alike).exclude(member=member)
    return present.values("code").union(former.values("code")).exists()


def forget(member_id: int) -> None:
    """Let the codes of a member who leaves bring nobody any more. Who came by them stays."""
    ReferralCode.objects.filter(member_id=member_id).delete()
    FormerCode.objects.filter(member_id=member_id).delete()
