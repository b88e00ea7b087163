from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext


class CampaignsConfig(AppConfig):
    name = "campaigns"
    verbose_name = _("Campaigns")

    def ready(self) -> None:
        from campaigns import (
            audience,
            checks,  # noqa: F401  (registers)
            handlers,  # noqa: F401  (subscribes)
            member_fields,
            partner_events,
            preferences,
            trigger_events,
            triggers,
            views_preferences,
        )
        from campaigns.dispatch import forget
        from campaigns.queries import copy_of, unread_of
        from members.personal_data import Holder, add_holder
        from members.portal_parts import Panel, Place, add_panel, add_place
        from members.segments.definition import add_user

        member_fields.register()
        trigger_events.register()
        add_user("campaigns.campaigns", audience.campaigns_for_segment)
        add_holder(Holder(key="campaign_triggers", erase=triggers.forget))
        add_holder(Holder(key="partner_events", copy=partner_events.copy_of, erase=partner_events.forget))
        add_holder(Holder(key="messages", copy=copy_of, erase=forget))
        add_holder(Holder(key="message_wishes", copy=preferences.copy_of, erase=preferences.forget))

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
        add_panel(
            Panel(
                key="campaigns.wishes",
                page="consents",
                template="campaigns/wishes.html",
                context=views_preferences.panel,
            )
        )
