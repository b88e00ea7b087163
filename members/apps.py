from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class MembersConfig(AppConfig):
    name = "members"
    verbose_name = _("Members")

    def ready(self) -> None:
        from members import condition_fields
        from members import handlers as _handlers  # noqa: F401  (subscribes)

        condition_fields.register()
