"""What conditions may ask of a member's referrals: the friends who came by their code."""

from django.utils.translation import gettext_lazy as _

from loyalty.conditions import Field, FieldType, How, Measure, Relation, Rows, subject
from referrals.models import Referral


def register() -> None:
    """Declare the friends a member brought."""
    friend = subject("friend_brought")
    friend.register(
        Field("joined_at", FieldType.DATETIME, _("time of the friend's joining"), orm="joined_at"),
        Field("day", FieldType.DATE, _("day of the friend's joining"), orm="joined_at", of_moment=True),
        Field("state", FieldType.CHOICE, _("where the referral stands"), Referral.State.choices, orm="state"),
    )
    subject("member").relate(
        Relation(
            "friends",
            friend,
            label=_("friends brought"),
            some=_("at least one friend was brought"),
            none=_("no friend was brought"),
            measures=(
                Measure("count", _("number of friends brought")),
                Measure("last", _("time of the last friend's joining"), of="joined_at", how=How.GREATEST),
            ),
            rows=Rows(Referral.objects.all, "referrer"),
        )
    )
