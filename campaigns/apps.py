from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext


class CampaignsConfig(AppConfig):
    name = "campaigns"
    verbose_name = _("Campaigns")

    def ready(self) -> None:
        from campaigns import (
            handlers,  # noqa: F401  (subscribes)
            member_fields,
        )
        from campaigns.dispatch import forget
        from campaigns.queries import copy_of, unread_of
        from members.personal_data import Holder, add_holder
        from members.portal_parts import Place, add_place

        member_fields.register()
        add_holder(Holder(key="messages", copy=copy_of, erase=forget))

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
