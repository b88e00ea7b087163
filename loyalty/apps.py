"""Start-up of the ground floor, and the admin site with its second factor and log-in limits."""

from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps
from django.db.models.signals import post_migrate
from django.utils.module_loading import autodiscover_modules
from django.utils.translation import gettext_lazy as _


class KantisAdminConfig(admin_apps.AdminConfig):
    default = False
    default_site = "loyalty.admin_site.KantisAdminSite"


class LoyaltyConfig(AppConfig):
    name = "loyalty"
    verbose_name = _("Programme")

    def ready(self) -> None:
        from loyalty import checks, schedule  # noqa: F401  (each registers itself)

        autodiscover_modules("handlers")
        post_migrate.connect(schedule.synchronise_after_migrate, sender=self)
