"""Tags that know members: whose page it is, and card numbers as people read them."""

from django import template

from members.cards import grouped
from members.models import Member
from members.portal_parts import Shown, places_for
from members.queries import member_of

register = template.Library()
register.filter("card_groups", grouped)


@register.simple_tag(takes_context=True)
def portal_member(context: template.Context) -> Member | None:
    """The member whose portal this is: the page's own ``member``, else the one who is logged in, else None."""
    if "member" in context:
        member: Member | None = context["member"]
        return member
    user = getattr(context.get("request"), "user", None)
    if user is None or not user.is_authenticated:
        return None
    found = member_of(user)
    return found if found is not None and found.status == Member.Status.ACTIVE else None


@register.simple_tag
def portal_places(member: Member | None) -> list[Shown]:
    """What upper floors add to the portal, with what waits there; nothing for a visitor."""
    return places_for(member) if member else []
