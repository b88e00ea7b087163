"""Members who may be one person: the same phone, the same mailbox otherwise spelt, the same name and birthday."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.db.models import Q, QuerySet
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

from members.models import Member

_AT_MOST = 20


@dataclass(frozen=True)
class Likeness:
    """Another member and what they have in common with this one."""

    member: Member
    shared: list[StrOrPromise]


def possible_duplicates(member: Member) -> list[Likeness]:
    """Other members, not erased, who may be this person, those with most in common first. Three look-ups by index."""
    found: dict[int, Likeness] = {}
    others = Member.objects.exclude(pk=member.pk).exclude(status=Member.Status.ERASED).select_related("tier")
    for shared, rows in _lookups(member, others):
        for other in rows[:_AT_MOST]:
            found.setdefault(other.pk, Likeness(other, [])).shared.append(shared)
    return sorted(found.values(), key=lambda likeness: -len(likeness.shared))


def _lookups(member: Member, others: QuerySet[Member]) -> Iterator[tuple[StrOrPromise, QuerySet[Member]]]:
    if member.phone:
        yield _("same phone"), others.filter(phone=member.phone)
    if "@" in member.email:
        mailbox, domain = member.email.lower().split("@", 1)
        base = mailbox.split("+", 1)[0]
        spellings = Q(address=f"{base}@{domain}") | Q(
            address__startswith=f"{base}+", address__endswith=f"@{domain}"
        )
        yield _("same mailbox"), others.alias(address=Lower("email")).filter(spellings)
    if member.birth_date and member.last_name:
        yield (
            _("same name and date of birth"),
            others.filter(
                birth_date__month=member.birth_date.month,
                birth_date__day=member.birth_date.day,
                birth_date=member.birth_date,
                status=Member.Status.ACTIVE,
                last_name__iexact=member.last_name,
                first_name__iexact=member.first_name,
            ),
        )
