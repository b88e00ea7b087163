"""Why a redemption cannot be placed or moved on. The API gives each its own problem type, pages show the text."""

from django.utils.translation import gettext as _

from rewards.catalogue.availability import Obstacle, ObstacleKind


class Refused(Exception):
    """It cannot be done; nothing was written. ``code`` is stable, the message is in the active language."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code

    def __str__(self) -> str:
        return str(self.args[0])


CODES: dict[ObstacleKind, str] = {
    ObstacleKind.WITHDRAWN: "not-in-catalogue",
    ObstacleKind.ENDED: "reward-ended",
    ObstacleKind.AUDIENCE: "not-in-audience",
    ObstacleKind.NOT_YET: "not-open",
    ObstacleKind.TIER: "tier-too-low",
    ObstacleKind.SOLD_OUT: "out-of-stock",
    ObstacleKind.LIMIT_IN_ALL: "limit-reached",
    ObstacleKind.MEMBER_LIMIT: "member-limit-reached",
    ObstacleKind.POINTS: "insufficient-points",
}


class Unavailable(Refused):
    """The member cannot get the reward; the first of the ``obstacles`` names the code."""

    def __init__(self, obstacles: tuple[Obstacle, ...]) -> None:
        super().__init__(CODES[obstacles[0].kind], obstacles[0].text)
        self.obstacles = obstacles


class PriceChanged(Refused):
    """The reward costs other than the asker saw."""

    def __init__(self) -> None:
        super().__init__("price-changed", _("The price has changed meanwhile. Look at it again."))


class NotMoney(Refused):
    """Points cannot be used as money just so."""


class WrongState(Refused):
    """The redemption is no longer in a state from which this can be done."""

    def __init__(self, state: str) -> None:
        super().__init__("wrong-state", _("This redemption is %(state)s.") % {"state": state})


class NotCancellable(Refused):
    """The redemption cannot be cancelled: too late, used, drawn, or not by this person."""

    def __init__(self, message: str) -> None:
        super().__init__("not-cancellable", message)


class RewardChanged(Exception):
    """The reward is not (any more) as the caller remembers it; nothing was written."""


class RedemptionConflict(Exception):
    """Another redemption is recorded under this external id; nothing was written."""

    def __init__(self, external_id: str) -> None:
        super().__init__(external_id)
        self.external_id = external_id

    def __str__(self) -> str:
        return _(
            "A redemption with the external id “%(external_id)s” is already recorded with other content."
        ) % {"external_id": self.external_id}
