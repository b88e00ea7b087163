"""Members come into being the way they do in the product: through ``members.enrolment``."""

import datetime as dt
from typing import Any

import factory

from loyalty.partners.models import Partner
from members.enrolment import NewMember, enrol
from members.models import Member, User

NOON = dt.datetime(2026, 6, 15, 9, 0, tzinfo=dt.UTC)
"""Midsummer week 2026, a Monday, noon in Helsinki: the moment at which most tests happen."""


class NewMemberFactory(factory.Factory[NewMember]):
    class Meta:
        model = NewMember

    first_name = "Aino"
    last_name = "Virtanen"
    email = factory.Sequence(lambda number: f"aino.{number}@example.com")
    language = "en"


class UserFactory(factory.django.DjangoModelFactory[User]):
    class Meta:
        model = User

    email = factory.Sequence(lambda number: f"user.{number}@example.com")
    password = factory.django.Password("correct horse battery")


def member(
    *, at: dt.datetime = NOON, partner: Partner | None = None, user: User | None = None, **facts: Any
) -> Member:
    """An enrolled member; ``facts`` are fields of NewMember."""
    source = Member.Source.PARTNER if partner else Member.Source.PORTAL
    return enrol(NewMemberFactory(**facts), source=source, at=at, partner=partner, user=user)
