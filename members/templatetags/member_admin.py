"""How the admin's member pages write numbers."""

from django import template
from django.utils.formats import number_format

register = template.Library()


@register.filter
def signed(points: int) -> str:
    """Points with their sign (a real minus) and grouped thousands."""
    sign = "+" if points > 0 else "−" if points < 0 else ""
    return f"{sign}{number_format(abs(points), force_grouping=True)}"


@register.filter
def signed_plain(points: int) -> str:
    """Points with grouped thousands, a real minus when negative, no plus."""
    return f"{'−' if points < 0 else ''}{number_format(abs(points), force_grouping=True)}"
