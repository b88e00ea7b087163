"""The forms in which a marketer answers a campaign's questions, one a step."""

from campaigns.forms.base import Group, Step, posted
from campaigns.forms.steps import ConfirmForm, GiftForm, LiftForm, WhoForm
from campaigns.forms.when import WhenForm

__all__ = ["ConfirmForm", "GiftForm", "Group", "LiftForm", "Step", "WhenForm", "WhoForm", "posted"]
