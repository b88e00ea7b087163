"""What can be wrong among the rows of a move, seen only when all files and our members lie side by side.

Each check is a query on the tables of ``staging``, which runs them, and the reason that staff read.
"""

from collections.abc import Callable
from dataclasses import dataclass

from django.utils.translation import gettext as _

from rewards.moving_in.files import LOTS, MEMBERS, TIERS


@dataclass(frozen=True, slots=True)
class Check:
    """``sql`` gives line, member id and a detail of each wrong row of ``file``; ``reason`` explains the detail."""

    file: str
    sql: str
    reason: Callable[[str], str]


_KNOWN = """
SELECT m.line, m.member_id, '' FROM moving_member m
LEFT JOIN members_externalid known ON known.partner_id = %(partner)s AND known.external_id = m.member_id
"""
_MEMBER_TWICE = """
SELECT m.line, m.member_id, min(o.line)::text FROM moving_member m
JOIN moving_member o ON o.member_id = m.member_id AND o.line <> m.line GROUP BY m.line, m.member_id
"""
_EMAIL_TWICE = """
SELECT m.line, m.member_id, first.line::text FROM moving_member m JOIN (
    SELECT email, min(line) AS line FROM moving_member WHERE email <> '' GROUP BY email HAVING count(*) > 1
) first ON first.email = m.email AND first.line < m.line
"""
_EMAIL_TAKEN = f"""{_KNOWN}
JOIN members_member taken ON lower(taken.email) = m.email AND NOT (taken.email = '')
WHERE m.email <> '' AND known.member_id IS DISTINCT FROM taken.id
"""
_GONE = f"{_KNOWN} JOIN members_member gone ON gone.id = known.member_id WHERE gone.status <> 'active'"
_CARD_TWICE = """
SELECT c.line, c.member_id, c.number || ' / ' || min(o.line) FROM moving_card c
JOIN moving_card o ON o.number = c.number AND o.line < c.line GROUP BY c.line, c.member_id, c.number
"""
_CARD_TAKEN = """
SELECT c.line, c.member_id, c.number FROM moving_card c
LEFT JOIN members_externalid known ON known.partner_id = %(partner)s AND known.external_id = c.member_id
LEFT JOIN members_formercard former ON former.number = c.number
LEFT JOIN members_member own ON own.card_number = c.number
WHERE coalesce(own.id, former.member_id) IS NOT NULL
  AND coalesce(own.id, former.member_id) IS DISTINCT FROM known.member_id
"""
_LOT_TWICE = """
SELECT l.line, l.member_id, min(o.line)::text FROM moving_lot l
JOIN moving_lot o ON o.member_id = l.member_id AND o.ref = l.ref AND o.line < l.line GROUP BY l.line, l.member_id
"""
_TIER_TWICE = """
SELECT t.line, t.member_id, min(o.line)::text FROM moving_tier t
JOIN moving_tier o ON o.member_id = t.member_id AND o.line < t.line GROUP BY t.line, t.member_id
"""
_NOBODYS = {
    LOTS: """SELECT x.line, x.member_id, '' FROM moving_lot x
        LEFT JOIN moving_member m ON m.member_id = x.member_id WHERE m.line IS NULL""",
    TIERS: """SELECT x.line, x.member_id, '' FROM moving_tier x
        LEFT JOIN moving_member m ON m.member_id = x.member_id WHERE m.line IS NULL""",
}
SHARED_PHONES = """
SELECT count(*) FROM moving_member m WHERE m.phone <> '' AND NOT m.refused AND (
    m.phone IN (SELECT phone FROM moving_member GROUP BY phone HAVING count(*) > 1)
    OR EXISTS (SELECT 1 FROM members_member o
               LEFT JOIN members_externalid k ON k.member_id = o.id AND k.partner_id = %s
               WHERE o.phone = m.phone AND NOT (o.phone = '') AND k.external_id IS DISTINCT FROM m.member_id))
"""


def _member_twice(line: str) -> str:
    return _("member_id stands on line %(line)s too: one row for each member.") % {"line": line}


def _email_twice(line: str) -> str:
    return _("The e-mail address stands on line %(line)s already: one person twice? Merge them first.") % {
        "line": line
    }


def _email_taken(_detail: str) -> str:
    return _(
        "Another member has this e-mail address already: give that member this member_id, or leave out the address."
    )


def _gone(_detail: str) -> str:
    return _("This member has left the programme here: leave the row out.")


def _card_twice(detail: str) -> str:
    card, line = detail.split(" / ")
    return _("Card %(card)s stands on line %(line)s already: a card belongs to one member.") % {
        "card": card,
        "line": line,
    }


def _card_taken(card: str) -> str:
    return _("Card %(card)s belongs to another member already.") % {"card": card}


def _lot_twice(line: str) -> str:
    return _("The same lot stands on line %(line)s: give each a lot_id of its own.") % {"line": line}


def _tier_twice(line: str) -> str:
    return _("The member's tier stands on line %(line)s already.") % {"line": line}


def _nobodys(_detail: str) -> str:
    return _("member_id is not among the members that can be taken.")


CHECKS = (
    Check(MEMBERS, _MEMBER_TWICE, _member_twice),
    Check(MEMBERS, _EMAIL_TWICE, _email_twice),
    Check(MEMBERS, _EMAIL_TAKEN, _email_taken),
    Check(MEMBERS, _GONE, _gone),
    Check(MEMBERS, _CARD_TWICE, _card_twice),
    Check(MEMBERS, _CARD_TAKEN, _card_taken),
    Check(LOTS, _LOT_TWICE, _lot_twice),
    Check(TIERS, _TIER_TWICE, _tier_twice),
    Check(LOTS, _NOBODYS[LOTS], _nobodys),
    Check(TIERS, _NOBODYS[TIERS], _nobodys),
)
