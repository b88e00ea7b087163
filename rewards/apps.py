from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class RewardsConfig(AppConfig):
    name = "rewards"
    verbose_name = _("Points")

    def ready(self) -> None:
        from members.personal_data import add_holder
        from members.segments.definition import add_user
        from rewards import handlers as _handlers  # noqa: F401  (subscribes)
        from rewards import leaving, member_fields, portal_places, terms
        from rewards.catalogue.asking import rewards_for_segment
        from rewards.causes.personal import HOLDER as GIFTS_TO_CAUSES
        from rewards.challenges.terms import challenges_for_segment
        from rewards.draws.personal import HOLDER as DRAWS
        from rewards.leaderboards.membership import HOLDER as NICKNAMES

        member_fields.register()
        add_user("rewards.rules", terms.rules_for_segment)
        add_user("rewards.rewards", rewards_for_segment)
        add_user("rewards.challenges", challenges_for_segment)
        for holder in leaving.HOLDERS:
            add_holder(holder)
        add_holder(GIFTS_TO_CAUSES)
        add_holder(DRAWS)
        add_holder(NICKNAMES)
        portal_places.register()
