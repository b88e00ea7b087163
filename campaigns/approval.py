"""When a second person has to agree: before a campaign goes out to a whole audience, at once, that is large.

Asked when it is submitted and resumed, and again whenever a round begins: an audience grows meanwhile.
"""

from campaigns.models import Campaign, SendingPolicy

GROWTH_PERCENT = 10
"""By so much an audience may outgrow the one that was approved before somebody is asked again."""


def goes_to_all(campaign: Campaign) -> bool:
    """Whether everybody in the audience is written to at once, and not each on an occasion of their own."""
    return campaign.kind == Campaign.Kind.ONE_OFF or campaign.occasion == Campaign.Occasion.SCHEDULE


def is_needed(campaign: Campaign, *, size: int, policy: SendingPolicy) -> bool:
    """Whether ``size`` members are more than one person may write to alone, and than was approved."""
    if not goes_to_all(campaign) or size <= policy.approval_above:
        return False
    return size * 100 > (campaign.approved_for or 0) * (100 + GROWTH_PERCENT)


def policy() -> SendingPolicy:
    """The sending policy as it stands."""
    kept, _made = SendingPolicy.objects.get_or_create(pk=1)
    return kept
