"""Activities and points in the API: record what members did, read balances, statements and tiers.

``POST /activities`` is the main way through the house: serializer, member, ``rewards.earning``, answer.
"""

import datetime as dt
import threading
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from loyalty import clock
from loyalty.api.idempotency import idempotent
from loyalty.api.language import LANGUAGE_PARAMETER, SpeakingView
from loyalty.api.problems import (
    CONTENT_TYPE,
    Conflict,
    FieldError,
    Invalid,
    NotFound,
    Problem,
    field_errors,
)
from loyalty.api.schema import ProblemSerializer
from loyalty.partners.models import Partner, Scope
from loyalty.translated import in_language
from members.activities import ActivityConflict, NewActivity
from members.api import seen_member, unknown_member
from members.identification import UnknownMember, find_member_id, find_member_ids
from members.models import Activity, Member, Tier
from members.serializers import Addition, show_with_members, tier_answer
from rewards import terms
from rewards.earning import Outcome, reasons_of, record_and_reward, record_and_reward_many
from rewards.explanations import explain_many
from rewards.models import Account, Transfer
from rewards.queries import TierProgress, balance_of, tier_progress
from rewards.serializers import (
    ActivitySerializer,
    BalanceDetailSerializer,
    BalanceSerializer,
    BatchSerializer,
    NewActivitySerializer,
    NewBatchSerializer,
    OutcomeSerializer,
    SimulatedActivitySerializer,
    SimulationSerializer,
    StatementRowSerializer,
    TiersSerializer,
    explanation_answers,
    new_activity,
    outcome_answer,
    points_answer,
    reason_answers,
)
from rewards.simulation import ANYBODY, simulate
from rewards.transfer_reasons import REASONS, WITH_REDEMPTION, change_of, reason_text


class ActivityExists(Conflict):
    code, title = "activity-exists", _("Another activity is recorded under this external_id.")


class ActivityNotFound(NotFound):
    code, title = "unknown-activity", _("You have sent no such activity.")


def activity_exists(conflict: ActivityConflict) -> ActivityExists:
    return ActivityExists(errors=[FieldError("external_id", "taken", str(conflict))])


class _Forms(threading.local):
    """A thread's own form of an activity. To make one copies each of its fields, which costs as much as to use it."""

    def __init__(self) -> None:
        self.activity = NewActivitySerializer(context={})


_forms = _Forms()


def _form(at: dt.datetime) -> NewActivitySerializer:
    """The form that judges by the time ``at``; for ``run_validation``, which keeps nothing of what it is given."""
    form = _forms.activity
    form.context["at"] = at
    return form


class ActivitiesView(SpeakingView):
    """Record one activity."""

    required_scopes = Scope.ACTIVITIES_WRITE

    @extend_schema(
        operation_id="activities_record",
        summary="Record an activity",
        description=(
            "201 with the points and why. The same `external_id` with the same content again, under whatever "
            "Idempotency-Key: 200 with the first answer's points. Other content under a known `external_id`: 409."
        ),
        parameters=[LANGUAGE_PARAMETER],
        request=NewActivitySerializer,
        responses={
            201: OutcomeSerializer,
            200: OutcomeSerializer,
            (404, CONTENT_TYPE): OpenApiResponse(ProblemSerializer, _("No such member.")),
        },
    )
    @idempotent
    def post(self, request: Request) -> Response:
        partner, at = request.auth.partner, clock.now()
        data = _form(at).run_validation(request.data)
        try:
            member_id = find_member_id(data["member"], partner=partner)
            outcome = record_and_reward(new_activity(data, member_id=member_id, partner=partner), at=at)
        except UnknownMember as unknown:
            raise unknown_member(f"member.{unknown.field}") from None
        except ActivityConflict as conflict:
            raise activity_exists(conflict) from None
        return Response(outcome_answer(outcome), status=200 if outcome.replayed else 201)


class SimulateView(SpeakingView):
    """Judge an activity without recording it."""

    required_scopes = Scope.ACTIVITIES_WRITE

    @extend_schema(
        operation_id="activities_simulate",
        summary="Ask what an activity would give",
        description=(
            "Answers exactly what recording the activity would, at any date up to two years ahead, and writes "
            "nothing; so it needs no Idempotency-Key. Without `member`: for somebody new at the lowest tier."
        ),
        parameters=[LANGUAGE_PARAMETER],
        request=SimulatedActivitySerializer,
        responses={
            200: SimulationSerializer,
            (404, CONTENT_TYPE): OpenApiResponse(ProblemSerializer, _("No such member.")),
        },
    )
    def post(self, request: Request) -> Response:
        partner, at = request.auth.partner, clock.now()
        form = SimulatedActivitySerializer(data=request.data, context={"at": at})
        form.is_valid(raise_exception=True)
        data = form.validated_data
        try:
            member_id = find_member_id(data["member"], partner=partner) if "member" in data else ANYBODY
            outcome = simulate(new_activity(data, member_id=member_id, partner=partner), at=at)
        except UnknownMember as unknown:
            raise unknown_member(f"member.{unknown.field}") from None
        except ActivityConflict as conflict:
            raise activity_exists(conflict) from None
        answer = outcome_answer(outcome)
        del answer["id"]
        return Response(answer)


class BatchView(SpeakingView):
    """Record many activities."""

    required_scopes = Scope.ACTIVITIES_WRITE

    @extend_schema(
        operation_id="activities_record_many",
        summary="Record up to 1,000 activities",
        description=(
            "Always 200 with one result for each activity, in the order sent; each has the `status` that it would "
            "have had alone. One that is refused does not hurt the others."
        ),
        parameters=[LANGUAGE_PARAMETER],
        request=NewBatchSerializer,
        responses=BatchSerializer,
    )
    @idempotent
    def post(self, request: Request) -> Response:
        items = _items(request.data)
        return Response({"results": record_batch(items, partner=request.auth.partner, at=clock.now())})


def record_batch(items: Sequence[Any], *, partner: Partner, at: dt.datetime) -> list[dict[str, Any]]:
    """Record what can be recorded of a batch, in one go, and give a result for each item in order."""
    valid, results = _validated(items, at=at)
    members = find_member_ids({place: data["member"] for place, data in valid.items()}, partner=partner)
    for place in valid.keys() - members.keys():
        [field] = valid[place]["member"]
        results[place] = _refused(unknown_member(f"member.{field}"), items[place])
    news: dict[int, NewActivity] = {
        place: new_activity(data, member_id=members[place], partner=partner)
        for place, data in valid.items()
        if place in members
    }
    outcomes = record_and_reward_many(list(news.values()), at=at)
    for place, outcome in zip(news, outcomes, strict=True):
        results[place] = _result(outcome, items[place])
    return [results[place] for place in range(len(items))]


def _items(body: Any) -> list[Any]:
    items = body.get("activities") if isinstance(body, Mapping) else None
    limit = settings.API_BATCH_LIMIT
    if not isinstance(items, list):
        raise Invalid(errors=[FieldError("activities", "not_a_list", str(_("Send a list of activities.")))])
    if len(items) > limit:
        message = str(_("Send %(limit)s activities at most.") % {"limit": limit})
        raise Invalid(errors=[FieldError("activities", "max_length", message)])
    return items


def _validated(
    items: Sequence[Any], *, at: dt.datetime
) -> tuple[dict[int, Mapping[str, Any]], dict[int, dict[str, Any]]]:
    """The items in good form by their place, and the results of the others."""
    form = _form(at)
    valid: dict[int, Mapping[str, Any]] = {}
    refused: dict[int, dict[str, Any]] = {}
    for place, item in enumerate(items):
        try:
            valid[place] = form.run_validation(item)
        except serializers.ValidationError as error:
            refused[place] = _refused(Invalid(errors=field_errors(error.detail)), item)
    return valid, refused


def _result(outcome: Outcome | ActivityConflict, item: Any) -> dict[str, Any]:
    if isinstance(outcome, ActivityConflict):
        return _refused(activity_exists(outcome), item)
    return {"status": 200 if outcome.replayed else 201, **outcome_answer(outcome)}


def _refused(problem: Problem, item: Any) -> dict[str, Any]:
    """The result of a refused item; with its external id when it has one, to find it by."""
    external_id = item.get("external_id") if isinstance(item, Mapping) else None
    named = {"external_id": external_id} if isinstance(external_id, str) else {}
    return {"status": problem.status, **named, "problem": problem.body()}


class ActivityView(SpeakingView):
    """One of the partner's own activities."""

    required_scopes = Scope.ACTIVITIES_READ

    @extend_schema(
        operation_id="activities_read",
        summary="Read an activity",
        description="Only what you have sent yourself; anything else answers 404.",
        parameters=[LANGUAGE_PARAMETER],
        responses=ActivitySerializer,
    )
    def get(self, request: Request, public_id: uuid.UUID) -> Response:
        own = Activity.objects.filter(partner_id=request.auth.partner_id, public_id=public_id)
        activity = own.select_related("member", "store", "channel").first()
        if activity is None:
            raise ActivityNotFound
        return Response(_activity_answer(activity))


def _activity_answer(activity: Activity) -> dict[str, Any]:
    """An activity with its lines, the points it gave, and why; as many statements for any number of lines."""
    reasons = reasons_of([activity.pk]).get(activity.pk, ())
    lines = list(activity.lines.select_related("product", "category").order_by("position"))
    return {
        "id": str(activity.public_id),
        "external_id": activity.external_id,
        "member": {"id": str(activity.member.public_id)},
        "kind": activity.kind_id,
        "occurred_at": activity.occurred_at,
        "recorded_at": activity.recorded_at,
        "total": str(activity.total),
        "currency": activity.currency,
        "store": activity.store.code if activity.store else "",
        "channel": activity.channel.code if activity.channel else "",
        "lines": [
            {
                "sku": line.product.sku if line.product else "",
                "category": line.category.name if line.category else "",
                "department": line.category.department if line.category else "",
                "brand": line.product.brand if line.product else "",
                "quantity": str(line.quantity),
                "total": str(line.total),
            }
            for line in lines
        ],
        "points": points_answer(reasons),
        "reasons": reason_answers(reasons),
        "explanation": explanation_answers(explain_many([activity], {activity.pk: lines})[activity.pk]),
    }


class BalanceView(SpeakingView):
    """What a member has."""

    required_scopes = Scope.POINTS_READ

    @extend_schema(
        operation_id="members_balance",
        summary="Read a member's balance",
        parameters=[LANGUAGE_PARAMETER],
        responses=BalanceDetailSerializer,
    )
    def get(self, request: Request, public_id: uuid.UUID) -> Response:
        member = seen_member(public_id, request.auth.partner)
        at = clock.now()
        balance = balance_of(member, at)
        return Response(
            {
                "available": balance.available,
                "pending": balance.pending,
                "debt": balance.debt,
                "expiring": [
                    {"points": each.points, "expires_at": each.expires_at} for each in balance.expiring
                ],
                "tier": tier_answer(member.tier.code, member.tier.names),
                "tier_progress": _progress_answer(tier_progress(member, at)),
            }
        )


def _progress_answer(found: TierProgress) -> dict[str, Any]:
    """How far the next tier is, and where the tier is heading."""

    def tier(of: Tier | None) -> dict[str, str] | None:
        return tier_answer(of.code, of.names) if of else None

    return {
        "basis": found.basis,
        "amount": found.points,
        "next": tier(found.next),
        "threshold": found.threshold if found.next else None,
        "missing": found.missing if found.next else None,
        "next_on": found.next_on,
        "after_review": tier(found.after_review),
        "lasts_until": found.lasts_until,
        "falls_to": tier(found.falls_to),
    }


class StatementView(SpeakingView, GenericAPIView[Transfer]):
    """A member's movements of points with their reasons, newest first."""

    required_scopes = Scope.POINTS_READ
    queryset = Transfer.objects.select_related(
        "from_account", "to_account", "rule_revision__rule", "activity", "reverses", *WITH_REDEMPTION
    )
    serializer_class = StatementRowSerializer
    filter_backends = ()

    @extend_schema(
        operation_id="members_statement",
        summary="Read a member's statement",
        description=(
            "Every movement of the member's points, newest first. `activity` names the activity where you sent it; "
            "of other partners' activities only the points are told."
        ),
        parameters=[LANGUAGE_PARAMETER],
        responses=StatementRowSerializer(many=True),
    )
    def get(self, request: Request, public_id: uuid.UUID) -> Response:
        member = seen_member(public_id, request.auth.partner)
        page = self.paginate_queryset(self.get_queryset().filter(member=member)) or ()
        return self.get_paginated_response(
            [_row_answer(transfer, request.auth.partner_id) for transfer in page]
        )


def _row_answer(transfer: Transfer, partner_id: int) -> dict[str, Any]:
    activity, rule = transfer.activity, transfer.rule_revision
    is_own = activity is not None and activity.partner_id == partner_id
    return {
        "kind": transfer.kind,
        "points": change_of(transfer),
        "moved": transfer.points,
        "from": _own_account(transfer.from_account, transfer),
        "to": _own_account(transfer.to_account, transfer),
        "occurred_at": transfer.occurred_at,
        "posted_at": transfer.posted_at,
        "rule": rule.rule.code if rule else None,
        # what staff wrote is between them and the member
        "text": str(REASONS[transfer.kind]) if transfer.note else reason_text(transfer),
        "activity": {"id": str(activity.public_id), "external_id": activity.external_id}
        if activity and is_own
        else None,
    }


def _own_account(account: Account, transfer: Transfer) -> str | None:
    return account.kind if account.member_id == transfer.member_id else None


class TiersView(SpeakingView):
    """The programme's tiers."""

    required_scopes = Scope.POINTS_READ

    @extend_schema(
        operation_id="tiers",
        summary="Read the tiers and their present terms",
        parameters=[LANGUAGE_PARAMETER],
        responses=TiersSerializer,
    )
    def get(self, request: Request) -> Response:
        present = terms.current().tiers_at(clock.now())
        return Response(
            {
                "results": [
                    {
                        **tier_answer(level.code, level.names),
                        "rank": level.rank,
                        "threshold": level.threshold,
                        "multiplier": str(level.multiplier),
                        "birthday_points": level.birthday_points,
                        "benefits": [in_language(texts) for texts in level.benefits],
                    }
                    for level in present.levels
                ],
                "window_days": present.window.days,
                "basis": present.basis,
                "window": present.window_kind,
            }
        )


def balances_of(members: Sequence[Member], at: dt.datetime) -> dict[int, dict[str, int]]:
    """Balances in the default wallet by member id, for the members that the API shows; one statement."""
    found = {member.pk: {"available": 0, "pending": 0, "debt": 0} for member in members}
    rows = Account.objects.filter(member__in=members, wallet__is_default=True)
    for member_id, kind, balance in rows.values_list("member_id", "kind", "balance"):
        found[member_id][kind] = abs(balance or 0)  # debt is kept below zero and told above it
    return found


show_with_members("balance", Addition(field=BalanceSerializer, values=balances_of))
