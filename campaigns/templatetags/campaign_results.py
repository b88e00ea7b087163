"""``{% show_results kept as shown %}``: a kept result in words and charts."""

from django import template

from campaigns.experiments.figures import read
from campaigns.experiments.wording import Shown, show
from campaigns.models import CampaignResult

register = template.Library()


@register.simple_tag
def show_results(kept: CampaignResult | None) -> Shown | None:
    """None where nothing was computed yet."""
    return show(read(kept.figures)) if kept is not None else None
