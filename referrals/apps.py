from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ReferralsConfig(AppConfig):
    name = "referrals"
    verbose_name = _("Referrals")

    def ready(self) -> None:
        from members.portal_parts import Place, add_place

        add_place(
            Place(
                key="referrals.invite",
                name=_("Invite a friend"),
                note=_("Your own link and code"),
                icon="heart",
                url_name="invite",
                on_home=True,
            )
        )
