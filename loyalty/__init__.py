"""The ground floor: settings, events, conditions, partners, runs and API conventions.

Nothing here knows of members, points or campaigns; the upper floors are named by dotted string only.
"""

from loyalty.celery import app as celery_app

__all__ = ["celery_app"]
