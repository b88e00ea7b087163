"""Small bars for the pages of backtests: plain SVG, readable without colour, the numbers stand beside them."""

from typing import Any

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()

WIDTH, HEIGHT = 160, 12


@register.simple_tag
def bar(value: int, most: int, tone: str = "") -> SafeString:
    """A bar as long as ``value`` is of ``most``; ``tone`` is up, down or nothing."""
    length = round(WIDTH * min(abs(value) / most, 1), 1) if most else 0
    return format_html(
        '<svg class="k-bar {}" width="{}" height="{}" viewBox="0 0 {} {}" aria-hidden="true" focusable="false">'
        '<rect width="{}" height="{}" rx="2" fill="currentColor" opacity="0.15"/>'
        '<rect width="{}" height="{}" rx="2" fill="currentColor"/></svg>',
        f"k-{tone}" if tone else "",
        *(WIDTH, HEIGHT, WIDTH, HEIGHT, WIDTH, HEIGHT, length, HEIGHT),
    )


@register.filter
def difference(pair: dict[str, Any]) -> int:
    """By how much the new of a pair is above the old."""
    return int(pair["new"]) - int(pair["old"])


@register.filter
def tone(value: int) -> str:
    return "up" if value > 0 else "down" if value < 0 else ""
