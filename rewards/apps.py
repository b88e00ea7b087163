from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class RewardsConfig(AppConfig):
    name = "rewards"
    verbose_name = _("Points")

    def ready(self) -> None:
        from members.personal_data import add_holder
        from members.segments.definition import add_user
        from rewards import handlers as _handlers  # noqa: F401  (subscribes)
        from rewards import leaving, member_fields, terms

        member_fields.register()
        add_user("rewards.rules", terms.rules_for_segment)
        add_holder(leaving.POINTS)
        add_holder(leaving.GIFTS)
