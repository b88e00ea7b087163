from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class AnalyticsConfig(AppConfig):
    name = "analytics"
    verbose_name = _("Analytics")

    def ready(self) -> None:
        from members.staff_groups import create_groups

        post_migrate.connect(create_groups, sender=self, dispatch_uid="members.staff_groups")
