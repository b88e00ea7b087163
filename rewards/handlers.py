"""What the points floor hears of; each topic's own handlers, imported at start-up."""

from rewards.challenges import handlers as challenges
from rewards.leaderboards import handlers as leaderboards

__all__ = ["challenges", "leaderboards"]
