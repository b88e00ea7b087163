"""Messages put down to be sent: by which way a member is reached, one row for each occasion. For all campaigns."""

from typing import Any

from django.db import connection

from campaigns.models import Message
from members.models import Consent, Member
from members.models.consent import ConsentChannel, Purpose


def way_to(member: Member) -> tuple[str, str]:
    """The channel for this member, and the reason when it is not e-mail."""
    if not member.email:
        return Message.Channel.INBOX, Message.Reason.NO_ADDRESS
    agreed = Consent.objects.filter(
        member=member, purpose=Purpose.MARKETING, channel=ConsentChannel.EMAIL, granted=True
    )
    if not agreed.exists():
        return Message.Channel.INBOX, Message.Reason.NO_CONSENT
    return Message.Channel.EMAIL, ""


def insert(message: Message) -> bool:
    """Insert the row unless this member has one for the occasion: whoever inserts it does the work."""
    columns: list[Any] = [field for field in Message._meta.concrete_fields if not field.primary_key]
    names = ", ".join(connection.ops.quote_name(field.column) for field in columns)
    places = ", ".join(["%s"] * len(columns))
    values = [field.get_db_prep_save(getattr(message, field.attname), connection) for field in columns]
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {Message._meta.db_table} ({names}) VALUES ({places})"  # noqa: S608  (names only)
            " ON CONFLICT (member_id, campaign_id, step, occasion) DO NOTHING RETURNING id",
            values,
        )
        row = cursor.fetchone()
    if row is None:
        return False
    message.pk = row[0]
    return True
