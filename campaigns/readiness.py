"""What stands between a draft and its sending: each objection names the field to mend and says how."""

import datetime as dt

from campaigns.models import Campaign


class CampaignRefused(Exception):
    """The campaign cannot be so, or not now. ``field`` is what to mend; the message says how and may be shown."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


def check(campaign: Campaign, *, at: dt.datetime) -> None:
    """Raises CampaignRefused with the first thing that keeps the campaign from being sent."""
    for objection in objections(campaign, at=at):
        raise objection


def objections(campaign: Campaign, *, at: dt.datetime) -> list[CampaignRefused]:
    """Everything that keeps the campaign from being sent, in the order of its form."""
    return []
