"""Why a member was sent a message, or was not: one sentence for staff, the member's timeline and the API."""

from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns.models import Campaign, Message

Reason, Status = Message.Reason, Message.Status

_SENT: Mapping[str, Promise] = {
    Campaign.Occasion.BIRTHDAY: gettext_lazy("Sent because it was their birthday."),
    Campaign.Occasion.ANNIVERSARY: gettext_lazy("Sent because it was the anniversary of their joining."),
    Campaign.Occasion.SCHEDULE: gettext_lazy(
        "Sent because they were in the audience on the day of the schedule."
    ),
    Campaign.Occasion.EVENT: gettext_lazy("Sent because of what happened to them."),
    Campaign.Occasion.INACTIVE: gettext_lazy("Sent because they had not bought anything for a time."),
    Campaign.Occasion.REPLENISH: gettext_lazy("Sent because it was time to buy a product again."),
    Campaign.Occasion.AFFORDABLE: gettext_lazy("Sent because a favourite reward came within reach."),
    "": gettext_lazy("Sent because they were in the audience."),
}
_WAITS: Mapping[str, Promise] = {
    Campaign.Occasion.BIRTHDAY: gettext_lazy("Waits to be sent because it is their birthday."),
    Campaign.Occasion.ANNIVERSARY: gettext_lazy(
        "Waits to be sent because it is the anniversary of their joining."
    ),
    Campaign.Occasion.SCHEDULE: gettext_lazy(
        "Waits to be sent because they are in the audience of the schedule."
    ),
    Campaign.Occasion.EVENT: gettext_lazy("Waits to be sent because of what happened to them."),
    Campaign.Occasion.INACTIVE: gettext_lazy(
        "Waits to be sent because they have not bought anything for a time."
    ),
    Campaign.Occasion.REPLENISH: gettext_lazy("Waits to be sent because it is time to buy a product again."),
    Campaign.Occasion.AFFORDABLE: gettext_lazy(
        "Waits to be sent because a favourite reward is within reach."
    ),
    "": gettext_lazy("Waits to be sent because they are in the audience."),
}
_NOT_SENT: Mapping[str, Promise] = {
    Reason.TOO_LATE: gettext_lazy("Not sent because it was noticed too late."),
    Reason.GIVEN_RECENTLY: gettext_lazy("Not sent because the last gift of this campaign is too recent."),
    Reason.NO_ADDRESS: gettext_lazy("Not sent because there is no address to send it to."),
    Reason.NO_CONSENT: gettext_lazy("Not sent because there is no consent."),
    Reason.NO_CHANNEL: gettext_lazy(
        "Not sent because they agreed to none of the campaign's ways, or have no address."
    ),
    Reason.SUPPRESSED: gettext_lazy("Not sent because the address bounced, or complained of our messages."),
    Reason.CAPPED: gettext_lazy("Not sent because they have got as many messages as they may."),
    Reason.OUTRANKED: gettext_lazy("Not sent because a more important message took its place."),
    Reason.QUIET_HOURS: gettext_lazy("Not sent because of the quiet hours."),
    Reason.ON_PAUSE: gettext_lazy("Not sent because the member wants no messages for a time."),
    Reason.HOLD_OUT: gettext_lazy(
        "Not sent because held out, to see the difference that the campaign makes."
    ),
    Reason.GLOBAL_HOLD_OUT: gettext_lazy(
        "Not sent because held out of every campaign, to see the difference."
    ),
    Reason.NO_TEXT: gettext_lazy("Not sent because there is no text for this way of sending."),
    Reason.CANCELLED: gettext_lazy("Not sent because the campaign was cancelled."),
    Reason.CONSENT_WITHDRAWN: gettext_lazy("Not sent because the consent was withdrawn before sending."),
    Reason.NOT_A_MEMBER: gettext_lazy("Not sent because they are no longer a member."),
    Reason.REFUSED: gettext_lazy("Not sent because the other side refused it."),
    Reason.BOUNCED: gettext_lazy("Not delivered because it came back from the other side."),
    Reason.GAVE_UP: gettext_lazy("Not sent because it was given up after too many tries or too long a time."),
    Reason.ERROR: gettext_lazy("Not sent because of an unexpected error."),
}


def sentence(message: Message) -> str:
    """“Sent because it was their birthday. No consent to e-mail: shown in the portal instead.”

    In the active language. Reads the message's campaign and nothing else.
    """
    occasion = message.campaign.occasion
    match message.status:
        case Status.SENT:
            return _joined(_SENT.get(occasion, _SENT[""]), _note(message))
        case Status.DUE:
            return _joined(_WAITS.get(occasion, _WAITS[""]), _note(message))
        case Status.SENDING:
            return _("Is being sent now.")
        case Status.UNKNOWN:
            return _("It may have gone out: the sender stopped half-way, or the other side did not answer.")
        case Status.HELD_OUT:
            return str(_NOT_SENT.get(message.reason, _NOT_SENT[Reason.HOLD_OUT]))
    return str(_NOT_SENT.get(message.reason) or _("Not sent."))


def _note(message: Message) -> str:
    """What is to be said besides: why another way, or why later."""
    return f"{capfirst(message.get_reason_display())}." if message.reason else ""


def _joined(first: object, second: str) -> str:
    return f"{first} {second}".strip()
