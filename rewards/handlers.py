"""What the points floor hears of; each topic's own handlers, imported at start-up."""

from rewards.challenges import handlers as challenges

__all__ = ["challenges"]
