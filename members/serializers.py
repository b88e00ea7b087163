"""The shapes of members in the API: what partners send, and what they get back.

Answers are plain dictionaries built by hand (``member_answers``); their serializers only describe them for OpenAPI.
Upper floors add what they know of a member with ``show_with_members``.
"""

import datetime as dt
import re
import zoneinfo
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.validators import RegexValidator
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from loyalty.translated import in_language
from members import consents
from members.consents import ConsentGiven
from members.contacts import InvalidPhone, normal_email, normal_phone
from members.enrolment import NewMember
from members.former_cards import former_number
from members.identification import KEYS
from members.models import ExternalId, Member
from members.models.consent import ConsentChannel, Purpose
from members.queries import person_of

_ONE_LINE = RegexValidator(
    re.compile(r"\A[^\x00-\x1f\x7f\u2028\u2029]*\Z"), _("Control characters are not allowed.")
)
OLDEST_BIRTH = dt.date(1900, 1, 1)


class TextField(serializers.CharField):
    """One line of text; ``null`` is the same as empty unless the field is required."""

    def __init__(self, **options: Any) -> None:
        if "default" in options or not options.get("required", True):
            options |= {"allow_blank": True, "allow_null": True}
        super().__init__(**options)
        self.validators.append(_ONE_LINE)

    def run_validation(self, data: Any = serializers.empty) -> Any:
        value = super().run_validation(data)
        return "" if value is None else value


class PhoneField(TextField):
    """A phone number in any usual spelling, given back in E.164."""

    default_error_messages = {
        "invalid_phone": _("Not a phone number. Give it with its country code: +358401234567."),
    }

    def run_validation(self, data: Any = serializers.empty) -> Any:
        try:
            return normal_phone(super().run_validation(data))
        except InvalidPhone:
            self.fail("invalid_phone")


class ConsentSerializer(serializers.Serializer[Any]):
    """One consent that the member gave with the enrolment."""

    purpose = serializers.ChoiceField(choices=Purpose.choices)
    channel = serializers.ChoiceField(choices=ConsentChannel.choices, default=ConsentChannel.ANY)
    granted = serializers.BooleanField(default=True)


class FingerprintsSerializer(serializers.Serializer[Any]):
    """What tells devices, addresses and cards apart, for the look-out for fraud: best as hashes of your own."""

    device = TextField(default="", max_length=200)
    payment = TextField(default="", max_length=200, help_text=_("Never a card's number."))
    address = TextField(default="", max_length=200, help_text=_("Network or postal address."))


class NewMemberSerializer(serializers.Serializer[Any]):
    """Somebody to be enrolled. One of ``external_id``, ``email`` and ``phone`` is needed to find them again."""

    default_error_messages = {
        "nobody": _("Give an external_id, an email or a phone, so that the member can be found again."),
    }

    external_id = TextField(required=False, max_length=100, help_text=_("Your own id of the member."))
    first_name = TextField(required=False, max_length=100)
    last_name = TextField(required=False, max_length=100)
    email = serializers.EmailField(required=False, allow_blank=True, allow_null=True, max_length=254)
    phone = PhoneField(required=False, max_length=40, help_text=_("E.164, or as dialled in Finland."))
    birth_date = serializers.DateField(required=False, allow_null=True)
    language = serializers.ChoiceField(
        required=False,
        allow_null=True,
        choices=settings.LANGUAGES,
        help_text=_("Default: the programme's language."),
    )
    time_zone = TextField(
        required=False, max_length=64, help_text=_("IANA name. Default: the programme's time zone.")
    )
    acquisition_channel = serializers.ChoiceField(
        required=False,
        allow_null=True,
        choices=Member.AcquisitionChannel.choices,
        help_text=_("Default: partner."),
    )
    referral_code = TextField(
        required=False, max_length=40, help_text=_("The code of the member who brought this one.")
    )
    consents = ConsentSerializer(many=True, required=False, max_length=50)

    def validate_email(self, value: str | None) -> str:
        return normal_email(value or "")

    def validate_birth_date(self, value: dt.date | None) -> dt.date | None:
        # UTC+14 has tomorrow first: a day that has begun somewhere is accepted
        if value and not OLDEST_BIRTH <= value <= (self.context["at"] + dt.timedelta(hours=14)).date():
            raise serializers.ValidationError(_("Not a date of birth: before 1900 or in the future."))
        return value

    def validate_time_zone(self, value: str) -> str:
        if value and value not in zoneinfo.available_timezones():
            raise serializers.ValidationError(_("Not an IANA time zone, such as Europe/Helsinki."))
        return value

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not (attrs.get("external_id") or attrs.get("email") or attrs.get("phone")):
            self.fail("nobody")
        return attrs


def new_member(data: Mapping[str, Any]) -> NewMember:
    """What was validated, in the words of enrolment."""
    given = tuple(ConsentGiven(**consent) for consent in data.get("consents", ()))
    known = {name: value for name, value in data.items() if value is not None}
    return NewMember(**{**known, "consents": given})


class MemberReferenceSerializer(serializers.Serializer[Any]):
    """Names a member by exactly one of these. ``among`` narrows the choice."""

    default_error_messages = {
        "one": _("Name the member by exactly one of %(keys)s."),
        "card": _("Not a card number: 16 digits, and a mistyped one does not pass."),
    }

    id = TextField(required=False, max_length=36, help_text=_("The id that this API gave."))
    external_id = TextField(required=False, max_length=100, help_text=_("Your own id of the member."))
    card_number = TextField(required=False, max_length=25, help_text=_("16 digits; blanks are ignored."))
    email = TextField(required=False, max_length=254)

    def __init__(self, *args: Any, among: Sequence[str] = KEYS, **options: Any) -> None:
        self.among = among
        super().__init__(*args, **options)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        given = {key: attrs[key] for key in self.among if attrs.get(key)}
        if len(given) != 1:
            keys = ", ".join(self.among)
            raise serializers.ValidationError(self.error_messages["one"] % {"keys": keys}, "one")
        if "card_number" in given and not former_number(given["card_number"]):
            raise serializers.ValidationError({"card_number": self.error_messages["card"]}, "card_number")
        return given


class TierSerializer(serializers.Serializer[Any]):
    """A tier by its lasting code and its name in the language asked for."""

    code = serializers.CharField()
    name = serializers.CharField()


class ConsentStateSerializer(serializers.Serializer[Any]):
    """The present state of one consent."""

    purpose = serializers.CharField()
    channel = serializers.CharField()
    granted = serializers.BooleanField()
    changed_at = serializers.DateTimeField()


@dataclass(frozen=True, slots=True)
class Addition:
    """What an upper floor tells of members: its shape, and the values by member id for many members at once."""

    field: Callable[[], serializers.Field[Any, Any, Any, Any]]
    values: Callable[[Sequence[Member], dt.datetime], Mapping[int, object]]


_additions: dict[str, Addition] = {}


def show_with_members(name: str, addition: Addition) -> None:
    """Add ``name`` to every member that the API shows, strangers found by card too. Called once, at start-up."""
    _additions[name] = addition


class StrangerSerializer(serializers.Serializer[Any]):
    """What a partner sees of a member whom it neither enrolled nor served."""

    id = serializers.UUIDField()
    tier = TierSerializer()

    def get_fields(self) -> dict[str, Any]:
        return {**super().get_fields(), **{name: added.field() for name, added in _additions.items()}}


class MemberSerializer(StrangerSerializer):
    """A member as the partner that enrolled or served them sees them."""

    external_id = serializers.CharField(allow_null=True, help_text=_("Your own id of the member."))
    card_number = serializers.CharField()
    first_name = serializers.CharField(allow_blank=True)
    last_name = serializers.CharField(allow_blank=True)
    email = serializers.EmailField(allow_blank=True)
    phone = serializers.CharField(allow_blank=True)
    birth_date = serializers.DateField(allow_null=True)
    language = serializers.ChoiceField(choices=settings.LANGUAGES)
    time_zone = serializers.CharField()
    joined_at = serializers.DateTimeField()
    consents = ConsentStateSerializer(many=True)


class FoundMemberSerializer(MemberSerializer):
    """A member; of one you have not served, found by card, only ``id``, ``tier`` and ``balance``."""

    def get_fields(self) -> dict[str, Any]:
        fields = super().get_fields()
        for name in fields.keys() - StrangerSerializer().get_fields().keys():
            fields[name].required = False
        return fields


class FoundSerializer(serializers.Serializer[Any]):
    """Nobody or one member."""

    results = FoundMemberSerializer(many=True)


def tier_answer(code: str, names: Mapping[str, str], language: str | None = None) -> dict[str, str]:
    return {"code": code, "name": in_language(names, language)}


def stranger_answer(member: Member, *, at: dt.datetime) -> dict[str, Any]:
    """Id, tier and what the upper floors add; nothing of the person. The member's tier must be loaded."""
    return {
        "id": str(member.public_id),
        "tier": tier_answer(member.tier.code, member.tier.names),
        **{name: added.values([member], at)[member.pk] for name, added in _additions.items()},
    }


def member_answer(member: Member, *, partner_id: int, at: dt.datetime) -> dict[str, Any]:
    """The whole profile for a partner that may see it. Two statements, and those of the additions."""
    own_id = ExternalId.objects.filter(member=member, partner=partner_id).values_list(
        "external_id", flat=True
    )
    return {
        **stranger_answer(member, at=at),
        "external_id": own_id.first(),
        **person_of(member),
        "consents": [
            {
                "purpose": consent.purpose,
                "channel": consent.channel,
                "granted": consent.granted,
                "changed_at": consent.changed_at,
            }
            for _key, consent in sorted(consents.consents_of(member).items())
        ],
    }
