"""Marks that tell people apart: normalised addresses and numbers, devices, means of payment. Kept as keyed hashes.

Called by ``handlers`` when members join, bring somebody or do something, and by ``assess`` for the parties of the
referrals it looks at, so that a changed address or number is known by then. Old marks stay with their member.
"""

import datetime as dt
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import connection

from members.contacts import InvalidPhone, normal_phone
from members.fingerprints import digest, digests
from members.models import Member
from referrals.models import Mark

Kind = Mark.Kind
_GOOGLE = frozenset({"gmail.com", "googlemail.com"})


@dataclass(frozen=True, slots=True)
class Seen:
    """A mark seen on a member. ``hash`` is keyed (``members.fingerprints``)."""

    member_id: int
    kind: str
    hash: str
    at: dt.datetime


def normal_mailbox(email: str) -> str:
    """One spelling for one mailbox: “Aino.V+kahvi@GoogleMail.com” is “ainov@gmail.com”. Blank for what is no address.

    Signs that look the same to a computer (full-width letters, invisible ones) are made one, the domain is written in
    ASCII, what follows a plus goes, and for Google's mailboxes the dots, which mean nothing there.
    """
    visible = "".join(sign for sign in email if unicodedata.category(sign) not in ("Cf", "Cc"))
    mailbox, _at, domain = unicodedata.normalize("NFKC", visible).strip().casefold().rpartition("@")
    domain = domain_of(f"@{domain}")
    mailbox = mailbox.split("+", 1)[0] or mailbox
    if domain in _GOOGLE:
        mailbox, domain = mailbox.replace(".", ""), "gmail.com"
    return f"{mailbox}@{domain}" if mailbox and domain else ""


def domain_of(email: str) -> str:
    """The domain of an address in small ASCII letters, without a final dot; blank for none."""
    domain = unicodedata.normalize("NFKC", email.rpartition("@")[2]).strip().casefold().rstrip(".")
    try:
        return domain.encode("idna").decode("ascii")
    except UnicodeError:
        return domain


def hashes_of(values: Mapping[str, str]) -> dict[str, str]:
    """The hashes of raw values by the kind of mark; blank values and impossible numbers are left out."""
    contacts = {Kind.EMAIL: normal_mailbox(values.get(Kind.EMAIL, "")), Kind.PHONE: _phone(values)}
    return {str(kind): digest(kind, value) for kind, value in contacts.items() if value} | digests(values)


def _phone(values: Mapping[str, str]) -> str:
    try:
        return normal_phone(values.get(Kind.PHONE, ""))
    except InvalidPhone:
        return ""


# --- Noting -------------------------------------------------------------------------------------------------------

_NOTE = """
INSERT INTO referrals_mark (member_id, kind, hash, first_seen, last_seen)
SELECT member.id, seen.kind, seen.hash, seen.at, seen.at
FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::timestamptz[]) AS seen(member_id, kind, hash, at)
JOIN members_member member ON member.id = seen.member_id AND member.status <> 'erased'
ORDER BY seen.member_id, seen.kind, seen.hash
FOR KEY SHARE OF member
ON CONFLICT (member_id, kind, hash) DO UPDATE
SET first_seen = least(referrals_mark.first_seen, excluded.first_seen),
    last_seen = greatest(referrals_mark.last_seen, excluded.last_seen)
WHERE excluded.last_seen > referrals_mark.last_seen + interval '1 day'
   OR excluded.first_seen < referrals_mark.first_seen
"""


def note_marks(member_id: int, at: dt.datetime, **values: str) -> None:
    """Note what was seen of a member: ``email``, ``phone``, ``device``, ``address``, ``payment`` as they were given."""
    note_many(Seen(member_id, kind, hash_, at) for kind, hash_ in hashes_of(values).items())


def note_many(seen: Iterable[Seen]) -> None:
    """Note marks of many members in one statement; one known already is written again after a day at the earliest.

    The row of a member who is being erased is waited for, and who is erased gets no mark any more.
    """
    latest: dict[tuple[int, str, str], dt.datetime] = {}
    for each in seen:
        key = (each.member_id, str(each.kind), each.hash)
        latest[key] = max(each.at, latest.get(key, each.at))
    if not latest:
        return
    members, kinds, hashes = zip(*latest, strict=True)
    with connection.cursor() as cursor:
        cursor.execute(_NOTE, [list(members), list(kinds), list(hashes), list(latest.values())])


def note_contacts(member_ids: Collection[int], at: dt.datetime) -> None:
    """Note the present e-mail addresses and phone numbers of members. Two statements, however many."""
    rows = Member.objects.filter(pk__in=set(member_ids)).values_list("pk", "email", "phone")
    note_many(
        Seen(pk, kind, hash_, at)
        for pk, email, phone in rows
        for kind, hash_ in hashes_of({"email": email, "phone": phone}).items()
    )


# --- Personal data ------------------------------------------------------------------------------------------------


def forget(member_id: int) -> None:
    """Remove what tells a member who leaves from others."""
    Mark.objects.filter(member_id=member_id).delete()


def copy_of(member: Member) -> list[dict[str, Any]]:
    """Which kinds of marks are kept of a member and since when, for their own copy of their data. Not the hashes."""
    rows = Mark.objects.filter(member=member).order_by("first_seen", "pk")
    return [dict(row) for row in rows.values("kind", "first_seen", "last_seen")]
