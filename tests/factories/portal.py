"""Members who can log in to the portal, and what happened to them."""

import datetime as dt
from decimal import Decimal
from typing import Any

from allauth.account.models import EmailAddress
from django.test import Client

from loyalty.partners.models import Partner
from members.activities import LineFacts, NewActivity
from members.enrolment import NewMember, enrol
from members.models import Member, User
from rewards.earning import record_and_reward_many

NOW = dt.datetime(2026, 11, 21, 12, 30, tzinfo=dt.UTC)
"""A Saturday, 14.30 in Helsinki."""
DAY = dt.timedelta(days=1)
PASSWORD = "kahvikuppi-2026"


def login_for(email: str = "aino@example.com", **facts: Any) -> User:
    """A user whose address is verified."""
    user = User.objects.create_user(email, PASSWORD, **facts)
    EmailAddress.objects.create(user=user, email=email, verified=True, primary=True)
    return user


def portal_member(email: str = "aino@example.com", **facts: Any) -> Member:
    """A member since 2024 with a log-in."""
    facts = {"first_name": "Aino", "last_name": "Virtanen", "language": "en"} | facts
    new = NewMember(email=email, joined_at=NOW - 800 * DAY, **facts)
    return enrol(new, source=Member.Source.PORTAL, at=NOW - 800 * DAY, user=login_for(email))


def purchases(member: Member, *totals: str, first_at: dt.datetime = NOW - 30 * DAY, **facts: Any) -> None:
    """Purchases an hour apart, each with one line for the whole of it."""
    partner, _created = Partner.objects.get_or_create(slug="halli", defaults={"name": "Kauppahalli"})
    facts = {"store": "Kamppi"} | facts
    start = member.activities.count()
    record_and_reward_many(
        [
            NewActivity(
                partner_id=partner.pk,
                member_id=member.pk,
                external_id=f"{member.pk}-{start + number}",
                kind="purchase",
                occurred_at=first_at + number * dt.timedelta(hours=1),
                currency="EUR",
                total=Decimal(total),
                lines=(LineFacts("0640", "Kahvi", "Elintarvikkeet", Decimal(1), Decimal(total)),),
                **facts,
            )
            for number, total in enumerate(totals)
        ],
        at=NOW,
    )
    member.refresh_from_db()


def portal_client(member: Member) -> Client:
    """A browser in which the member is logged in and reads English."""
    client = Client()
    client.force_login(member.user, backend="django.contrib.auth.backends.ModelBackend")
    client.cookies["django_language"] = "en"
    return client
