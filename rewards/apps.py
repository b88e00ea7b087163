from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class RewardsConfig(AppConfig):
    name = "rewards"
    verbose_name = _("Points")

    def ready(self) -> None:
        from members.personal_data import add_holder
        from members.portal_parts import Place, add_place
        from members.segments.definition import add_user
        from rewards import handlers as _handlers  # noqa: F401  (subscribes)
        from rewards import leaving, member_fields, terms
        from rewards.causes.personal import HOLDER as GIFTS_TO_CAUSES
        from rewards.draws.personal import HOLDER as DRAWS
        from rewards.leaderboards.membership import HOLDER as NICKNAMES

        member_fields.register()
        add_user("rewards.rules", terms.rules_for_segment)
        for holder in leaving.HOLDERS:
            add_holder(holder)
        add_holder(GIFTS_TO_CAUSES)
        add_holder(DRAWS)
        add_holder(NICKNAMES)
        add_place(
            Place(
                key="rewards.challenges",
                name=_("Challenges"),
                note=_("Small goals with a prize, and your badges"),
                icon="star",
                url_name="challenges",
                on_home=True,
            )
        )
        add_place(
            Place(
                key="rewards.leaderboards",
                name=_("Leaderboards"),
                note=_("How you do beside others, under a nickname"),
                icon="tier",
                url_name="leaderboards",
                on_home=True,
            )
        )
        add_place(
            Place(
                key="rewards.draws",
                name=_("Draws"),
                note=_("What there is to win, and your chances"),
                icon="ticket",
                url_name="draws",
                on_home=True,
            )
        )
        add_place(
            Place(
                key="rewards.causes",
                name=_("Causes"),
                note=_("Give points to something good"),
                icon="heart",
                url_name="causes",
                on_home=True,
            )
        )
        add_place(
            Place(
                key="rewards.vouchers",
                name=_("My vouchers"),
                note=_("Codes from rewards, prizes and the shop"),
                icon="gift",
                url_name="my-vouchers",
            )
        )
        add_place(
            Place(
                key="rewards.preferences",
                name=_("What I never want"),
                note=_("Left out of the rewards that we suggest"),
                icon="sliders",
                url_name="reward-preferences",
            )
        )
