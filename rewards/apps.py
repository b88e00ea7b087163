from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class RewardsConfig(AppConfig):
    name = "rewards"
    verbose_name = _("Points")

    def ready(self) -> None:
        from members.personal_data import add_holder
        from rewards import leaving

        add_holder(leaving.POINTS)
        add_holder(leaving.GIFTS)
