from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext


class CampaignsConfig(AppConfig):
    name = "campaigns"
    verbose_name = _("Campaigns")

    def ready(self) -> None:
        from campaigns import handlers  # noqa: F401 - subscribes
        from campaigns.queries import unread_of
        from members.portal_parts import Place, add_place

        add_place(
            Place(
                key="campaigns.inbox",
                name=_("Messages"),
                note=_("Greetings and news from us"),
                icon="mail",
                url_name="inbox",
                in_navigation=True,
                count=unread_of,
                count_text=lambda count: (
                    ngettext("%(count)s new message", "%(count)s new messages", count) % {"count": count}
                ),
            )
        )
