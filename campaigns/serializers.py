"""The shapes of campaigns, messages and partners' events in the API."""

import datetime as dt
import json
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from django.core.validators import RegexValidator
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from campaigns.asking import Answer, is_open, occasion_of
from campaigns.explaining import sentence
from campaigns.models import Campaign, ChannelCode, Message, PartnerEvent
from campaigns.partner_events import RESERVED
from loyalty.partners.models import Partner
from members.serializers import MemberReferenceSerializer, TextField
from rewards.serializers import MomentField

MOST_AT_ONCE = 1_000
LONGEST_ID = 80
"""Of what a campaign is set off for: it becomes a part of the occasion's key."""

MOST_BYTES, DEEPEST, MOST_VALUES, LONGEST_TEXT, LARGEST = 4_096, 3, 100, 500, 2**53
_NAME = re.compile(r"[a-z][a-z0-9_]{0,49}", re.ASCII)
_EVENT_NAME = RegexValidator(
    re.compile(r"\A[a-z][a-z0-9_-]{0,49}\Z", re.ASCII),
    _("Small letters, digits, _ and -, such as “cart_abandoned”; up to 50, a letter first."),
    "name",
)


@extend_schema_field({"type": "object", "additionalProperties": True})
class FactsField(serializers.Field[Any, Any, Any, Any]):
    """A small JSON object. Amounts stay exact: a number with decimals is kept as text."""

    default_error_messages = {
        "object": _("This has to be a JSON object."),
        "large": _("At most %(most)s bytes and %(values)s values."),
        "deep": _("At most %(most)s levels of objects and lists."),
        "name": _("Names have small letters, digits and _, a letter first, up to 50: “%(name)s” does not."),
        "reserved": _("“%(name)s” is a name that we fill in ourselves."),
        "text": _("Texts have up to %(most)s characters."),
        "number": _("Numbers lie between -%(most)s and %(most)s."),
    }

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if not isinstance(data, dict):
            self._refuse("object")
        if taken := sorted(RESERVED & data.keys()):
            self._refuse("reserved", name=taken[0])
        found: dict[str, Any] = self._plain(data, 1)
        size = len(json.dumps(found, ensure_ascii=False).encode())
        if size > MOST_BYTES or sum(1 for _value in _values(found)) > MOST_VALUES:
            self._refuse("large", most=MOST_BYTES, values=MOST_VALUES)
        return found

    def to_representation(self, value: Any) -> Any:
        return value

    def _plain(self, value: Any, depth: int) -> Any:
        if isinstance(value, dict | list) and depth > DEEPEST:
            self._refuse("deep", most=DEEPEST)
        match value:
            case dict():
                return {self._named(name): self._plain(inner, depth + 1) for name, inner in value.items()}
            case list():
                return [self._plain(inner, depth + 1) for inner in value[: MOST_VALUES + 1]]
            case str():
                if len(value) > LONGEST_TEXT:
                    self._refuse("text", most=LONGEST_TEXT)
            case Decimal() | int() if not isinstance(value, bool):
                if not -LARGEST <= value <= LARGEST:
                    self._refuse("number", most=LARGEST)
                return value if isinstance(value, int) else str(value)
        return value

    def _named(self, name: str) -> str:
        if not _NAME.fullmatch(name):
            self._refuse("name", name=name[:60])
        return name

    def _refuse(self, key: str, **values: Any) -> None:
        raise serializers.ValidationError(self.error_messages[key] % values, key)


def _values(node: Any) -> Iterator[Any]:
    inner = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    for each in inner:
        yield each
        yield from _values(each)


class NewEventSerializer(serializers.Serializer[Any]):
    """An event of your own that happened with a member."""

    name = serializers.CharField(
        validators=[_EVENT_NAME], help_text=_("A campaign waits for it as `partner.` and this name.")
    )
    member = MemberReferenceSerializer()
    external_id = TextField(max_length=100, help_text=_("Your own id of the event."))
    occurred_at = MomentField()
    facts = FactsField(default=dict, help_text=_("For the campaign's conditions and texts."))


class OfMemberSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()


class EventSerializer(serializers.Serializer[Any]):
    """An event as it is recorded."""

    id = serializers.UUIDField()
    external_id = serializers.CharField()
    name = serializers.CharField()
    member = OfMemberSerializer()
    occurred_at = serializers.DateTimeField()
    recorded_at = serializers.DateTimeField()


class CampaignSerializer(serializers.Serializer[Any]):
    """A campaign that is or was in use."""

    code = serializers.CharField()
    name = serializers.CharField(help_text="In the language asked for.")
    kind = serializers.ChoiceField(choices=Campaign.Kind.choices)
    status = serializers.ChoiceField(choices=Campaign.Status.choices)
    purpose = serializers.ChoiceField(choices=Campaign.Purpose.choices)
    occasion = serializers.CharField(
        allow_null=True, help_text="What makes it due for a member; null for a one-off."
    )
    event = serializers.CharField(
        allow_null=True, help_text="The event it waits for: `partner.<name>` is one of POST /events."
    )
    channels = serializers.ListField(child=serializers.ChoiceField(choices=ChannelCode.choices))
    can_be_triggered = serializers.BooleanField(help_text="Whether you may set it off for members now.")
    send_at = serializers.DateTimeField(allow_null=True)
    started_at = serializers.DateTimeField(allow_null=True)
    ends_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)


class TriggerSerializer(serializers.Serializer[Any]):
    """For whom a campaign is set off: exactly one of ``member`` and ``members``."""

    default_error_messages = {"one": _("Give exactly one of member and members.")}

    member = MemberReferenceSerializer(required=False)
    members = MemberReferenceSerializer(
        many=True, required=False, allow_empty=False, max_length=MOST_AT_ONCE, help_text=_("Up to 1,000.")
    )
    external_id = TextField(
        max_length=LONGEST_ID, help_text=_("Your own id of the occasion. The same again: no second message.")
    )
    facts = FactsField(default=dict, help_text=_("For the campaign's conditions and texts."))

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        given = [name for name in ("member", "members") if name in attrs]
        if len(given) != 1:
            error = serializers.ErrorDetail(str(self.error_messages["one"]), "one")
            raise serializers.ValidationError({name: [error] for name in given or ("member", "members")})
        return attrs


OUTCOMES = (
    *((status.value, status.label) for status in Message.Status),
    ("unknown_member", _("no such member, or you may not see them")),
)


class TriggeredMemberSerializer(serializers.Serializer[Any]):
    """What was decided about one member, in the order of the request."""

    member = OfMemberSerializer(allow_null=True, help_text="Null where nobody is known by this.")
    message = serializers.UUIDField(
        allow_null=True, help_text="For GET /messages/{id}; null where the campaign does not mean the member."
    )
    status = serializers.ChoiceField(choices=OUTCOMES)
    reason = serializers.CharField(allow_null=True)
    text = serializers.CharField(help_text="Why, in the language asked for.")


class TriggeredSerializer(serializers.Serializer[Any]):
    campaign = serializers.CharField()
    external_id = serializers.CharField()
    results = TriggeredMemberSerializer(many=True)


class OfCampaignSerializer(serializers.Serializer[Any]):
    code = serializers.CharField()
    name = serializers.CharField()


class MessageSerializer(serializers.Serializer[Any]):
    """What became of a message. Its text is the member's own and not shown."""

    id = serializers.UUIDField()
    member = OfMemberSerializer()
    campaign = OfCampaignSerializer()
    external_id = serializers.CharField(
        allow_null=True, help_text="Your own id of the occasion, where you set the campaign off."
    )
    status = serializers.ChoiceField(choices=Message.Status.choices)
    reason = serializers.ChoiceField(choices=Message.Reason.choices, allow_null=True)
    text = serializers.CharField(help_text="Why it was sent or not, in the language asked for.")
    channel = serializers.ChoiceField(choices=ChannelCode.choices)
    created_at = serializers.DateTimeField()
    due_at = serializers.DateTimeField()
    sent_at = serializers.DateTimeField(allow_null=True)
    read_at = serializers.DateTimeField(allow_null=True, help_text="In the portal's inbox.")
    opened_at = serializers.DateTimeField(allow_null=True)
    clicked_at = serializers.DateTimeField(allow_null=True)
    clicks = serializers.IntegerField(help_text="Links followed, of members who do not object to the count.")


def event_answer(event: PartnerEvent) -> dict[str, Any]:
    """A recorded event; its member must be loaded."""
    return {
        "id": str(event.public_id),
        "external_id": event.external_id,
        "name": event.name,
        "member": {"id": str(event.member.public_id)},
        "occurred_at": event.occurred_at.astimezone(dt.UTC),
        "recorded_at": event.recorded_at,
    }


def campaign_answer(campaign: Campaign) -> dict[str, Any]:
    return {
        "code": campaign.code,
        "name": campaign.name,
        "kind": campaign.kind,
        "status": campaign.status,
        "purpose": campaign.purpose,
        "occasion": campaign.occasion or None,
        "event": campaign.event or None,
        "channels": campaign.channels,
        "can_be_triggered": campaign.status == Campaign.Status.RUNNING and is_open(campaign),
        "send_at": campaign.send_at,
        "started_at": campaign.started_at,
        "ends_at": campaign.ends_at,
        "ended_at": campaign.ended_at,
    }


LEFT_OUT: Mapping[str, Any] = {
    "not_meant": _("Not sent because the campaign's conditions do not mean these facts."),
    "not_in_audience": _("Not sent because the member is not in the campaign's audience."),
    "failed": _("It could not be decided about; ask again."),
    "unknown_member": _("There is no such member, or you may not see them."),
}


def triggered_answer(member: str | None, answer: Answer | None) -> dict[str, Any]:
    """What was decided about a member, by its public id; None for nobody."""
    if answer is None or member is None:
        return _decided(None, None, "unknown_member", None, str(LEFT_OUT["unknown_member"]))
    if answer.message is not None:
        message = answer.message
        told = (message.status, message.reason or None, sentence(message))
        return _decided(member, str(message.public_id), *told)
    if answer.left_out:
        told = (Message.Status.SKIPPED.value, answer.left_out, str(LEFT_OUT[answer.left_out]))
        return _decided(member, None, *told)
    return _decided(member, None, Message.Status.FAILED.value, "error", str(LEFT_OUT["failed"]))


def _decided(
    member: str | None, message: str | None, status: str, reason: str | None, text: str
) -> dict[str, Any]:
    return {
        "member": {"id": member} if member else None,
        "message": message,
        "status": status,
        "reason": reason,
        "text": text,
    }


def message_answer(message: Message, *, partner: Partner, clicks: int) -> dict[str, Any]:
    """What became of a message; its member and campaign must be loaded."""
    own = occasion_of(partner, "")
    asked_for = message.occasion.startswith(own)
    return {
        "id": str(message.public_id),
        "member": {"id": str(message.member.public_id)},
        "campaign": {"code": message.campaign.code, "name": message.campaign.name},
        "external_id": message.occasion.removeprefix(own) if asked_for else None,
        "status": message.status,
        "reason": message.reason or None,
        "text": sentence(message),
        "channel": message.channel,
        "created_at": message.created_at,
        "due_at": message.due_at,
        "sent_at": message.sent_at,
        "read_at": message.read_at,
        "opened_at": message.opened_at,
        "clicked_at": message.clicked_at,
        "clicks": clicks,
    }
