"""Campaigns in the API: tell of events, set campaigns off for members, and see what became of messages.

A partner sees messages to members whose profile it may see, but none that another partner's event or asking led to.
"""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from campaigns import asking, partner_events
from campaigns.models import Campaign, Message
from campaigns.partner_events import NewEvent
from campaigns.serializers import (
    CampaignSerializer,
    EventSerializer,
    MessageSerializer,
    NewEventSerializer,
    TriggeredSerializer,
    TriggerSerializer,
    campaign_answer,
    event_answer,
    message_answer,
    triggered_answer,
)
from loyalty import clock
from loyalty.api.idempotency import idempotent
from loyalty.api.language import LANGUAGE_PARAMETER, SpeakingView
from loyalty.api.pagination import CursorPage
from loyalty.api.problems import CONTENT_TYPE, Conflict, FieldError, Invalid, NotFound
from loyalty.api.schema import ProblemSerializer
from loyalty.partners.models import Partner, Scope
from members.api import seen_member, unknown_member
from members.identification import find_member_ids, visible_among
from members.models import Activity, ExternalId, Member

SHOWN = (
    *(Campaign.Status.SCHEDULED, Campaign.Status.SENDING, Campaign.Status.RUNNING, Campaign.Status.PAUSED),
    Campaign.Status.SENT,
)
"""What partners see of campaigns: not what is being written, nor what was called off."""

NO_MEMBER = OpenApiResponse(ProblemSerializer, _("There is no such member, or you may not see them."))
MEMBER = OpenApiParameter("member", description="The member's `id`.")
CAMPAIGN = OpenApiParameter("campaign", description="The campaign's `code`.")
STATUS = OpenApiParameter("status", enum=Message.Status.values, description="Only those in this state.")


class UnknownCampaign(NotFound):
    code, title = "unknown-campaign", _("There is no campaign of this code in use.")


class UnknownMessage(NotFound):
    code, title = "unknown-message", _("There is no such message, or you may not see it.")


class EventExists(Conflict):
    code, title = "event-exists", _("Another event is recorded under this external_id.")


class TriggerExists(Conflict):
    code, title = "trigger-exists", _("The campaign was set off under this external_id with other facts.")


class NotOpen(Conflict):
    code, title = "campaign-not-open", _("The programme's staff have not opened this campaign to partners.")


class NotRunning(Conflict):
    code, title = "campaign-not-running", _("This campaign is not running now.")


class CannotGive(Conflict):
    code, title = "campaign-not-ready", _("The campaign lacks something that staff have to mend.")


class EventsView(SpeakingView):
    """Events of partners' own."""

    required_scopes = Scope.EVENTS_WRITE

    @extend_schema(
        operation_id="events_record",
        summary="Tell of an event of your own",
        description=(
            "Something that happened with a member: an abandoned cart, a booking. Campaigns wait for it as "
            "`partner.<name>`. 201 when it is new; the same `external_id` with the same content again: 200, and "
            "nothing more is sent. Members that you neither enrolled nor served answer 404."
        ),
        parameters=[LANGUAGE_PARAMETER],
        request=NewEventSerializer,
        responses={201: EventSerializer, 200: EventSerializer, (404, CONTENT_TYPE): NO_MEMBER},
    )
    @idempotent
    def post(self, request: Request) -> Response:
        partner, at = request.auth.partner, clock.now()
        form = NewEventSerializer(data=request.data, context={"at": at})
        form.is_valid(raise_exception=True)
        data = dict(form.validated_data)
        reference = data.pop("member")
        [member_id] = _visible([reference], partner)
        if member_id is None:
            raise unknown_member(f"member.{next(iter(reference))}")
        try:
            event, is_new = partner_events.record(
                NewEvent(member_id=member_id, **data), partner=partner, at=at
            )
        except partner_events.EventExists:
            taken = str(_("Send another external_id, or the event as you sent it first."))
            raise EventExists(errors=[FieldError("external_id", "taken", taken)]) from None
        return Response(event_answer(event), status=201 if is_new else 200)


class CampaignsView(SpeakingView, GenericAPIView[Campaign]):
    """Which campaigns there are."""

    required_scopes = Scope.CAMPAIGNS_READ
    queryset = Campaign.objects.none()
    serializer_class = CampaignSerializer
    pagination_class = CursorPage
    filter_backends = ()

    @extend_schema(
        operation_id="campaigns_list",
        summary="List the campaigns",
        description="Campaigns that are scheduled, going, paused or over, newest first.",
        parameters=[LANGUAGE_PARAMETER],
        responses=CampaignSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        page = self.paginate_queryset(_shown()) or ()
        return self.get_paginated_response([campaign_answer(campaign) for campaign in page])


class CampaignView(SpeakingView):
    """One campaign."""

    required_scopes = Scope.CAMPAIGNS_READ

    @extend_schema(
        operation_id="campaigns_read",
        summary="Read a campaign",
        parameters=[LANGUAGE_PARAMETER],
        responses=CampaignSerializer,
    )
    def get(self, request: Request, code: str) -> Response:
        return Response(campaign_answer(_campaign(code)))


class TriggerView(SpeakingView):
    """Setting a campaign off."""

    required_scopes = Scope.CAMPAIGNS_TRIGGER

    @extend_schema(
        operation_id="campaigns_trigger",
        summary="Set a campaign off for members",
        description=(
            "For one `member` or up to 1,000 `members` that you enrolled or served, and only for running campaigns "
            "with `can_be_triggered`. Consents, caps, quiet hours and hold-outs hold as for every campaign. The answer "
            "says in the order sent what was decided: `due` (it goes out), `held_out`, `skipped` with a `reason`, or "
            "`unknown_member`. 201 when anything is new; the same `external_id` and facts again: 200 with what became "
            "of the same messages."
        ),
        parameters=[LANGUAGE_PARAMETER],
        request=TriggerSerializer,
        responses={201: TriggeredSerializer, 200: TriggeredSerializer},
    )
    @idempotent
    def post(self, request: Request, code: str) -> Response:
        form = TriggerSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        data, partner, campaign = form.validated_data, request.auth.partner, _campaign(code)
        references = data.get("members") or [data["member"]]
        member_ids = _visible(references, partner)
        if "member" in data and member_ids == [None]:
            raise unknown_member(f"member.{next(iter(data['member']))}")
        answers = _asked(campaign, [id_ for id_ in member_ids if id_ is not None], data, partner)
        public = dict(Member.objects.filter(pk__in=answers.keys()).values_list("pk", "public_id"))
        results = [
            triggered_answer(None if id_ is None else str(public[id_]), answers.get(id_ or 0))
            for id_ in member_ids
        ]
        body = {"campaign": campaign.code, "external_id": data["external_id"], "results": results}
        return Response(body, status=201 if any(answer.is_new for answer in answers.values()) else 200)


class MessagesView(SpeakingView, GenericAPIView[Message]):
    """What was sent, and what was not."""

    required_scopes = Scope.MESSAGES_READ
    queryset = Message.objects.none()
    serializer_class = MessageSerializer
    pagination_class = CursorPage
    filter_backends = ()

    @extend_schema(
        operation_id="messages_list",
        summary="List messages",
        description=(
            "Of a member, of a campaign, or both; newest first, sent or not. Messages to members that you neither "
            "enrolled nor served, and those that another partner brought about, are left out."
        ),
        parameters=[MEMBER, CAMPAIGN, STATUS, LANGUAGE_PARAMETER],
        responses=MessageSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        partner = request.auth.partner
        rows = _asked_for(request.query_params, partner)
        page = self.paginate_queryset(rows.select_related("member", "campaign")) or ()
        return self.get_paginated_response(_message_answers(page, partner))


class MessageView(SpeakingView):
    """One message."""

    required_scopes = Scope.MESSAGES_READ

    @extend_schema(
        operation_id="messages_read",
        summary="Read what became of a message",
        parameters=[LANGUAGE_PARAMETER],
        responses=MessageSerializer,
    )
    def get(self, request: Request, public_id: uuid.UUID) -> Response:
        partner = request.auth.partner
        rows = _to_members_of(partner).filter(public_id=public_id).select_related("member", "campaign")
        found = _message_answers(rows, partner)
        if not found:
            raise UnknownMessage
        return Response(found[0])


def _shown() -> QuerySet[Campaign]:
    return Campaign.objects.filter(status__in=SHOWN, archived_at__isnull=True)


def _campaign(code: str) -> Campaign:
    campaign = _shown().filter(code=code).first()
    if campaign is None:
        raise UnknownCampaign
    return campaign


def _visible(references: Sequence[Mapping[str, str]], partner: Partner) -> list[int | None]:
    """The members that are named, in order; None for whom nobody is, or somebody the partner may not see."""
    found = find_member_ids(dict(enumerate(references)), partner=partner)
    seen = visible_among(set(found.values()), partner)
    return [found[place] if found.get(place) in seen else None for place in range(len(references))]


def _asked(
    campaign: Campaign, member_ids: Sequence[int], data: Mapping[str, Any], partner: Partner
) -> dict[int, asking.Answer]:
    try:
        return asking.ask(
            campaign_id=campaign.pk,
            member_ids=member_ids,
            partner=partner,
            external_id=data["external_id"],
            facts=data["facts"],
            at=clock.now(),
        )
    except asking.NotOpen:
        raise NotOpen from None
    except asking.NotRunning:
        raise NotRunning from None
    except asking.CannotGive as problem:
        raise CannotGive(str(problem)) from None
    except asking.AskedBefore:
        taken = str(_("Send another external_id, or the facts as you sent them first."))
        raise TriggerExists(errors=[FieldError("external_id", "taken", taken)]) from None


def _asked_for(query: Mapping[str, str], partner: Partner) -> QuerySet[Message]:
    """The messages that are asked for, of those the partner may see."""
    status = query.get("status")
    if status and status not in Message.Status.values:
        message = str(_("One of %(codes)s.") % {"codes": ", ".join(Message.Status.values)})
        raise Invalid(errors=[FieldError("status", "invalid_choice", message)])
    named, code = query.get("member"), query.get("campaign")
    if not (named or code):
        message = str(_("Say of which member or which campaign."))
        raise Invalid(errors=[FieldError(name, "required", message) for name in ("member", "campaign")])
    rows = _brought_about_by(partner) if named else _to_members_of(partner)
    if named:
        rows = rows.filter(member=seen_member(_uuid(named), partner))
    if code:
        rows = rows.filter(campaign__code=code[:50])
    return rows.filter(status=status) if status else rows


def _uuid(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError:
        raise unknown_member("member") from None


def _brought_about_by(partner: Partner) -> QuerySet[Message]:
    """Messages that no other partner's event or asking led to."""
    return Message.objects.filter(Q(facts__partner__isnull=True) | Q(facts__partner=partner.slug))


def _to_members_of(partner: Partner) -> QuerySet[Message]:
    """Of those, messages to members whose profile the partner may see (``members.identification``)."""
    served = Activity.objects.filter(member=OuterRef("member"), partner=partner)
    known = ExternalId.objects.filter(member=OuterRef("member"), partner=partner)
    seen = Q(member__enrolled_by=partner) | Exists(known) | Exists(served)
    return _brought_about_by(partner).filter(seen, member__status=Member.Status.ACTIVE)


def _message_answers(
    messages: Sequence[Message] | QuerySet[Message], partner: Partner
) -> list[dict[str, Any]]:
    """The answers of a page; the clicks of all in one statement."""
    rows = list(messages)
    clicks = dict(
        Message.objects.filter(pk__in=[row.pk for row in rows])
        .annotate(followed=Count("clicks"))
        .values_list("pk", "followed")
    )
    return [message_answer(row, partner=partner, clicks=clicks.get(row.pk, 0)) for row in rows]
