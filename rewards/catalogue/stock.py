"""How many pieces of a reward there are, as staff say it. What is taken is counted by the redemption alone."""

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from rewards.models import RewardStock


class StockBelowTaken(Exception):
    """Fewer pieces than members have taken already."""

    def __init__(self, *, taken: int) -> None:
        super().__init__(taken)
        self.taken = taken

    def __str__(self) -> str:
        return _("Members have taken %(taken)s already: there cannot be fewer in all.") % {
            "taken": self.taken
        }


def set_total(*, reward_id: int, total: int | None) -> bool:
    """Say how many pieces there are in all (None: it never runs out); says whether that changed anything.

    Raises StockBelowTaken. The stock's row is the lock that redemptions wait for, so none is taken meanwhile. A stock
    that begins counts from there: what was taken before it is not of it.
    """
    with transaction.atomic():
        stock = RewardStock.objects.select_for_update().filter(reward_id=reward_id).first()
        if total is None:
            if stock is not None:
                stock.delete()
            return stock is not None
        if stock is None:
            return _begin(reward_id, total)
        if total < stock.taken:
            raise StockBelowTaken(taken=stock.taken)
        if stock.total == total:
            return False
        stock.total = total
        stock.save(update_fields=["total"])
        return True


def _begin(reward_id: int, total: int) -> bool:
    """Keep a stock from now on. Somebody who began one at the same moment has said how many there are."""
    try:
        with transaction.atomic():
            RewardStock.objects.create(reward_id=reward_id, total=total)
    except IntegrityError:
        return False
    return True
