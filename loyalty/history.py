"""History of what staff edit (settings, names, campaigns): who changed what and when. Never of the ledger."""

from typing import Any

from django.contrib.auth import get_user_model
from django.db import models
from simple_history.models import HistoricalRecords


def _user_of(historical_instance: Any, **_kwargs: Any) -> Any:
    if historical_instance.history_user_id is None:
        return None
    return get_user_model().objects.filter(pk=historical_instance.history_user_id).first()


def _remember_user(historical_instance: Any, user: Any, **_kwargs: Any) -> None:
    historical_instance.history_user_id = getattr(user, "pk", None)


def staff_history(*, excluding: tuple[str, ...] = ()) -> HistoricalRecords:
    """History rows that name the staff member by id, so that no floor needs a foreign key upwards.

    ``excluding``: columns that no history row may hold, because they are secret.
    """
    return HistoricalRecords(
        excluded_fields=excluding,
        history_user_id_field=models.BigIntegerField(null=True, blank=True),
        history_user_getter=_user_of,
        history_user_setter=_remember_user,
    )
