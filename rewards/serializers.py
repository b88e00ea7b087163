"""The shapes of activities and points in the API. Answers are built by hand; their serializers describe them.

A till's purchase passes ``NewActivitySerializer`` on the hottest way of the house: nothing in here asks the database
(currency and kinds are remembered by the process).
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from django.utils import translation
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from loyalty import programme
from loyalty.partners.models import Partner
from loyalty.translated import in_language
from members.activities import LineFacts, NewActivity
from members.fingerprints import digests
from members.kinds import active_kinds
from members.serializers import (
    FingerprintsSerializer,
    MemberReferenceSerializer,
    TextField,
    TierSerializer,
    tier_answer,
)
from rewards.earning import Outcome, Reason
from rewards.explanations import OUTCOMES, Explanation
from rewards.models import TierTerms, Transfer

PURCHASE = "purchase"
MAX_LINES = 2000
CLOCK_SKEW = dt.timedelta(minutes=5)
OLDEST = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
CENT = Decimal("0.01")
NOTHING = Decimal(0)


class MomentField(serializers.DateTimeField):
    """An ISO 8601 moment with its offset from UTC, between 1970 and now (a till's clock may be five minutes ahead)."""

    ahead = CLOCK_SKEW

    default_error_messages = {
        "invalid": _("Not a date and time in ISO 8601, such as 2026-11-21T14:30:00+02:00."),
        "naive": _("The offset from UTC is missing: 2026-11-21T14:30:00+02:00."),
        "future": _("This lies in the future."),
        "too_old": _("This lies before 1970."),
    }

    def to_internal_value(self, data: Any) -> dt.datetime:
        moment = self._parsed(data)
        if moment.tzinfo is None:
            self.fail("naive")
        if moment < OLDEST:
            self.fail("too_old")
        if moment > self.context["at"] + self.ahead:
            self.fail("future")
        return moment

    def _parsed(self, data: Any) -> dt.datetime:
        try:
            moment = parse_datetime(data) if isinstance(data, str) else None
        except ValueError:
            moment = None
        if moment is None:
            self.fail("invalid")
        return moment


class LineSerializer(serializers.Serializer[Any]):
    """One line of the receipt."""

    sku = TextField(default="", max_length=100)
    category = TextField(default="", max_length=100)
    department = TextField(default="", max_length=100)
    brand = TextField(default="", max_length=100)
    quantity = serializers.DecimalField(default=Decimal(1), max_digits=9, decimal_places=3, min_value=NOTHING)
    total = serializers.DecimalField(max_digits=12, decimal_places=2, min_value=NOTHING)


class NewActivitySerializer(serializers.Serializer[Any]):
    """Something a member did. A purchase needs ``total`` and ``currency``; lines must add up to the total."""

    default_error_messages = {
        "currency": _("Only the programme's base currency is taken: %(currency)s."),
        "kind": _("Unknown kind of activity. Known: %(kinds)s."),
        "sum": _("The lines add up to %(sum)s, not to %(total)s."),
    }

    external_id = TextField(
        max_length=100, help_text=_("Your own id of the activity, such as the receipt's.")
    )
    member = MemberReferenceSerializer()
    kind = TextField(max_length=30)
    occurred_at = MomentField()
    total = serializers.DecimalField(required=False, max_digits=12, decimal_places=2, min_value=NOTHING)
    currency = TextField(required=False, max_length=3, help_text=_("ISO 4217."))
    store = TextField(default="", max_length=100)
    channel = TextField(default="", max_length=50)
    referral_code = TextField(
        default="",
        max_length=40,
        help_text=_("The code of the member who brought this one, given with their first purchase."),
    )
    fingerprints = FingerprintsSerializer(required=False, allow_null=True)
    lines = LineSerializer(many=True, default=list, max_length=MAX_LINES)

    def validate_kind(self, kind: str) -> str:
        if kind not in (known := active_kinds()):
            raise self._error("kind", kinds=", ".join(sorted(known)))
        return kind

    def validate_currency(self, currency: str) -> str:
        if currency and currency != (base := programme.current().base_currency):
            raise self._error("currency", currency=base)
        return currency

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["kind"] == PURCHASE:
            missing = [name for name in ("total", "currency") if attrs.get(name, "") == ""]
            if missing:
                required = serializers.Field.default_error_messages["required"]
                raise serializers.ValidationError(dict.fromkeys(missing, required), "required")
        if attrs["lines"]:
            total, of_lines = attrs.get("total", NOTHING), sum(line["total"] for line in attrs["lines"])
            if abs(of_lines - total) > CENT:
                raise serializers.ValidationError(
                    {"total": self._error("sum", sum=of_lines, total=total).detail}
                )
        return attrs

    def _error(self, code: str, **facts: Any) -> serializers.ValidationError:
        return serializers.ValidationError(self.error_messages[code] % facts, code)


SIMULATED_AHEAD = dt.timedelta(days=731)


class SimulatedMomentField(MomentField):
    """A moment from 1970 to two years from now."""

    ahead = SIMULATED_AHEAD
    default_error_messages = {"future": _("This lies more than two years ahead.")}


class SimulatedActivitySerializer(NewActivitySerializer):
    """An activity that is not to be recorded. Without a member it is judged for somebody new at the lowest tier."""

    external_id = TextField(
        required=False,
        default="",
        max_length=100,
        help_text=_(
            "When you have recorded this id already, the answer is what sending it again would give."
        ),
    )
    member = MemberReferenceSerializer(required=False)
    occurred_at = SimulatedMomentField()


def new_activity(data: Mapping[str, Any], *, member_id: int, partner: Partner) -> NewActivity:
    """What was validated, in the words of ``members.activities``."""
    return NewActivity(
        partner_id=partner.pk,
        member_id=member_id,
        external_id=data["external_id"],
        kind=data["kind"],
        occurred_at=data["occurred_at"],
        currency=data.get("currency") or programme.current().base_currency,
        total=data.get("total", NOTHING),
        store=data["store"],
        channel=data["channel"],
        referral_code=data["referral_code"],
        fingerprints=tuple(digests(data.get("fingerprints") or {}).items()),
        lines=tuple(LineFacts(**line) for line in data["lines"]),
    )


class PointsSerializer(serializers.Serializer[Any]):
    """Points that one activity gave."""

    available = serializers.IntegerField()
    pending = serializers.IntegerField()


class BalanceSerializer(PointsSerializer):
    """All that a member has. ``debt``: points taken back after they were spent, still to be earned again."""

    debt = serializers.IntegerField()


class ReasonSerializer(serializers.Serializer[Any]):
    """What one rule gave."""

    rule = serializers.CharField()
    points = serializers.IntegerField()
    pending = serializers.BooleanField()
    text = serializers.CharField()


class OutcomeSerializer(serializers.Serializer[Any]):
    """What became of an activity."""

    id = serializers.UUIDField()
    external_id = serializers.CharField()
    points = PointsSerializer()
    reasons = ReasonSerializer(many=True)
    balance = BalanceSerializer()
    tier = TierSerializer()


class SimulationSerializer(serializers.Serializer[Any]):
    """What recording the activity would answer, without an id: nothing was recorded."""

    external_id = serializers.CharField(allow_blank=True)
    points = PointsSerializer()
    reasons = ReasonSerializer(many=True)
    balance = BalanceSerializer()
    tier = TierSerializer()


class NewBatchSerializer(serializers.Serializer[Any]):
    """Up to 1,000 activities. Each is judged on its own; one that is refused does not hurt the others."""

    activities = NewActivitySerializer(many=True)


class BatchResultSerializer(serializers.Serializer[Any]):
    """The answer for one activity: what ``POST /activities`` would answer, with its status, or the problem."""

    status = serializers.ChoiceField(choices=[200, 201, 404, 409, 422])
    id = serializers.UUIDField(required=False)
    external_id = serializers.CharField(required=False)
    points = PointsSerializer(required=False)
    reasons = ReasonSerializer(many=True, required=False)
    balance = BalanceSerializer(required=False)
    tier = TierSerializer(required=False)
    problem = serializers.DictField(required=False, help_text="RFC 9457 problem details.")


class BatchSerializer(serializers.Serializer[Any]):
    """One result for each activity, in the order sent."""

    results = BatchResultSerializer(many=True)


class StoredLineSerializer(serializers.Serializer[Any]):
    """A line as it was recorded."""

    sku = serializers.CharField(allow_blank=True)
    category = serializers.CharField(allow_blank=True)
    department = serializers.CharField(allow_blank=True)
    brand = serializers.CharField(allow_blank=True)
    quantity = serializers.DecimalField(max_digits=12, decimal_places=3)
    total = serializers.DecimalField(max_digits=14, decimal_places=2)


class ActivityMemberSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()


class ExplanationSerializer(serializers.Serializer[Any]):
    """What one rule in force at the activity's time gave, or why it gave nothing."""

    rule = serializers.CharField()
    name = serializers.CharField()
    revision = serializers.IntegerField(help_text="Which revision of the rule was judged by.")
    points = serializers.IntegerField()
    pending = serializers.BooleanField(help_text="Whether the points had to wait.")
    outcome = serializers.ChoiceField(
        choices=[(code, code) for code in OUTCOMES], help_text="`given`, or what kept (part of) it back."
    )
    text = serializers.CharField(help_text="A sentence in the language asked for.")


class ActivitySerializer(serializers.Serializer[Any]):
    """One of your own activities with the points that it gave, and why."""

    id = serializers.UUIDField()
    external_id = serializers.CharField()
    member = ActivityMemberSerializer()
    kind = serializers.CharField()
    occurred_at = serializers.DateTimeField()
    recorded_at = serializers.DateTimeField()
    total = serializers.DecimalField(max_digits=14, decimal_places=2)
    currency = serializers.CharField()
    store = serializers.CharField(allow_blank=True)
    channel = serializers.CharField(allow_blank=True)
    lines = StoredLineSerializer(many=True)
    points = PointsSerializer()
    reasons = ReasonSerializer(many=True)
    explanation = ExplanationSerializer(many=True)


class ExpiringSerializer(serializers.Serializer[Any]):
    points = serializers.IntegerField()
    expires_at = serializers.DateTimeField()


class TierProgressSerializer(serializers.Serializer[Any]):
    """How far the next tier is, and where the tier is heading. Nulls at the top, or where nothing can be foreseen."""

    basis = serializers.ChoiceField(choices=TierTerms.Basis.choices)
    amount = serializers.IntegerField(
        help_text="What is in the window: points, money or purchases, by the basis."
    )
    next = TierSerializer(allow_null=True)
    threshold = serializers.IntegerField(allow_null=True)
    missing = serializers.IntegerField(allow_null=True)
    next_on = serializers.DateField(
        allow_null=True, help_text="When the next tier is reached at the pace of the last 90 days."
    )
    after_review = TierSerializer(help_text="What the next nightly review makes of the member.")
    lasts_until = serializers.DateField(
        allow_null=True, help_text="The last day on which the tier is safe if nothing more happens."
    )
    falls_to = TierSerializer(allow_null=True)


class BalanceDetailSerializer(BalanceSerializer):
    """What a member has, and what of it expires when (soonest first)."""

    expiring = ExpiringSerializer(many=True)
    tier = TierSerializer()
    tier_progress = TierProgressSerializer()


class StatementActivitySerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    external_id = serializers.CharField()


class StatementRowSerializer(serializers.Serializer[Any]):
    """One movement of points. ``from`` and ``to`` are the member's accounts, null for the programme's side."""

    kind = serializers.ChoiceField(choices=Transfer.Kind.choices)
    points = serializers.IntegerField(
        help_text="What it changed in all that the member has; 0 when points only moved."
    )
    moved = serializers.IntegerField(help_text="How many points moved, always positive.")
    to = serializers.CharField(allow_null=True)
    occurred_at = serializers.DateTimeField()
    posted_at = serializers.DateTimeField()
    rule = serializers.CharField(allow_null=True)
    text = serializers.CharField(help_text="Why, in the language asked for.")
    activity = StatementActivitySerializer(
        allow_null=True, help_text="Null also when another partner sent the activity."
    )

    def get_fields(self) -> dict[str, Any]:
        return {**super().get_fields(), "from": serializers.CharField(allow_null=True)}


class TierTermsSerializer(TierSerializer):
    """A tier and its present terms."""

    rank = serializers.IntegerField(help_text="0 is the lowest.")
    threshold = serializers.IntegerField(help_text="Qualifying points within the window that reach it.")
    multiplier = serializers.DecimalField(max_digits=5, decimal_places=2)
    birthday_points = serializers.IntegerField(allow_null=True)
    benefits = serializers.ListField(child=serializers.CharField(), help_text="Further benefits, in words.")


class TiersSerializer(serializers.Serializer[Any]):
    """All tiers, lowest first."""

    results = TierTermsSerializer(many=True)
    window_days = serializers.IntegerField(help_text="How many days count, where the window is rolling.")
    basis = serializers.ChoiceField(choices=TierTerms.Basis.choices)
    window = serializers.ChoiceField(choices=TierTerms.Window.choices)


def reason_answers(reasons: tuple[Reason, ...]) -> list[dict[str, Any]]:
    language = translation.get_language()
    return [
        {
            "rule": reason.rule,
            "points": reason.points,
            "pending": reason.pending,
            "text": in_language(reason.names, language),
        }
        for reason in reasons
    ]


def explanation_answers(explanations: Sequence[Explanation]) -> list[dict[str, Any]]:
    return [
        {
            "rule": each.rule,
            "name": each.name,
            "revision": each.revision,
            "points": each.points,
            "pending": each.pending,
            "outcome": each.outcome,
            "text": each.text,
        }
        for each in explanations
    ]


def points_answer(reasons: tuple[Reason, ...]) -> dict[str, int]:
    """The points of an activity by the account they went to."""
    pending = sum(reason.points for reason in reasons if reason.pending)
    return {"available": sum(reason.points for reason in reasons) - pending, "pending": pending}


def outcome_answer(outcome: Outcome) -> dict[str, Any]:
    """The answer for one recorded (or replayed) activity; texts in the active language."""
    balance = outcome.balance
    return {
        "id": str(outcome.activity_id),
        "external_id": outcome.external_id,
        "points": points_answer(outcome.reasons),
        "reasons": reason_answers(outcome.reasons),
        "balance": {"available": balance.available, "pending": balance.pending, "debt": balance.debt},
        "tier": tier_answer(outcome.tier_code, outcome.tier_names),
    }
