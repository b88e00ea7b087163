"""What staff do with a reward as a whole: copy it, put it into the archive and take it out again."""

import datetime as dt

from django.db import transaction

from rewards.models import Reward

_OWN = ("id", "public_id", "code", "names", "is_active", "created_at", "archived_at")


def clone(reward: Reward) -> Reward:
    """A draft with all that the reward says but its code, its stock and its history."""
    columns = {
        field.attname: getattr(reward, field.attname)
        for field in reward._meta.concrete_fields
        if field.name not in _OWN
    }
    return Reward.objects.create(**columns, names=dict(reward.names), code=_free_code(reward.code))


def _free_code(code: str) -> str:
    """ "coffee-2" for "coffee", "coffee-3" when that is taken too."""
    stem = code[:44]
    taken = set(Reward.objects.filter(code__startswith=stem).values_list("code", flat=True))
    return next(found for number in range(2, len(taken) + 3) if (found := f"{stem}-{number}") not in taken)


def archive(*, reward_id: int, at: dt.datetime) -> bool:
    """Take a reward out of the catalogue and of staff's lists; says whether it was not there already.

    What was redeemed stays, and its reservations are still handed over.
    """
    with transaction.atomic():
        reward = Reward.objects.select_for_update().get(pk=reward_id)
        if reward.archived_at is not None:
            return False
        reward.archived_at, reward.is_active = at, False
        reward.save(update_fields=["archived_at", "is_active"])
        return True


def restore(*, reward_id: int) -> bool:
    """Take a reward out of the archive, as a draft; says whether it was there."""
    with transaction.atomic():
        reward = Reward.objects.select_for_update().get(pk=reward_id)
        if reward.archived_at is None:
            return False
        reward.archived_at = None
        reward.save(update_fields=["archived_at"])
        return True
