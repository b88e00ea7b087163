"""The portal's pages of this floor beside home, activity and catalogue. Registered at start-up."""

from django.utils.translation import gettext_lazy as _

from members.portal_parts import Place, add_place

PLACES = (
    Place(
        key="rewards.challenges",
        name=_("Challenges"),
        note=_("Small goals with a prize, and your badges"),
        icon="star",
        url_name="challenges",
        on_home=True,
    ),
    Place(
        key="rewards.leaderboards",
        name=_("Leaderboards"),
        note=_("How you do beside others, under a nickname"),
        icon="tier",
        url_name="leaderboards",
        on_home=True,
    ),
    Place(
        key="rewards.draws",
        name=_("Draws"),
        note=_("What there is to win, and your chances"),
        icon="ticket",
        url_name="draws",
        on_home=True,
    ),
    Place(
        key="rewards.causes",
        name=_("Causes"),
        note=_("Give points to something good"),
        icon="heart",
        url_name="causes",
        on_home=True,
    ),
    Place(
        key="rewards.vouchers",
        name=_("My vouchers"),
        note=_("Codes from rewards, prizes and the shop"),
        icon="gift",
        url_name="my-vouchers",
    ),
    Place(
        key="rewards.preferences",
        name=_("What I never want"),
        note=_("Left out of the rewards that we suggest"),
        icon="sliders",
        url_name="reward-preferences",
    ),
)


def register() -> None:
    for place in PLACES:
        add_place(place)
