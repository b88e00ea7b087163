from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ReferralsConfig(AppConfig):
    name = "referrals"
    verbose_name = _("Referrals")

    def ready(self) -> None:
        from members.personal_data import Holder, add_holder
        from members.portal_parts import Place, add_place
        from members.segments.definition import add_user
        from referrals import member_fields
        from referrals.fraud import marks
        from referrals.personal import forget
        from referrals.programmes import programmes_for_segment
        from referrals.queries import copy_of
        from referrals.verification import CHECKS
        from rewards.verification import add_checks

        member_fields.register()
        add_checks(CHECKS)
        add_user("referrals.programmes", programmes_for_segment)
        add_holder(Holder(key="invitations", copy=copy_of, erase=forget))
        add_holder(Holder(key="marks", copy=marks.copy_of, erase=marks.forget))
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
