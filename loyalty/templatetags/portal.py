"""Tags and filters of the portal's pages and e-mails: icons, points, money, codes, and what the page needs to know."""

from decimal import Decimal
from typing import Any

import segno
from django import template
from django.conf import settings
from django.http import HttpRequest
from django.templatetags.static import static
from django.utils.formats import localize, number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language

from loyalty import programme
from loyalty.icons import ICONS
from loyalty.models import Programme

register = template.Library()

MINUS = "\N{MINUS SIGN}"
NO_BREAK_SPACE = "\N{NO-BREAK SPACE}"
CURRENCY_SIGNS = {"EUR": "€", "SEK": "kr", "USD": "$", "GBP": "£", "NOK": "kr", "DKK": "kr"}
THEMES = ("auto", "light", "dark")
THEME_COOKIE = "theme"


@register.simple_tag
def icon(name: str, css: str = "icon") -> SafeString:
    """A line icon, drawn in the text's colour and hidden from screen readers (the words beside it say it)."""
    return format_html(
        '<svg class="{}" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="1.75" '
        'stroke-linecap="round" stroke-linejoin="round" aria-hidden="true" focusable="false">{}</svg>',
        css,
        mark_safe(ICONS[name]),  # noqa: S308 - our own constants
    )


@register.filter
def points(value: int | None) -> str:
    """Whole points in the reader's way of writing: 1 240, with a real minus sign."""
    number = int(value or 0)
    return (MINUS if number < 0 else "") + number_format(abs(number), use_l10n=True, force_grouping=True)


@register.filter
def signed(value: int | None) -> str:
    """A change in points with its sign: +42, −10, and 0 without one."""
    number = int(value or 0)
    return f"+{points(number)}" if number > 0 else points(number)


@register.filter
def money(amount: Decimal | None, currency: str = "EUR") -> str:
    """An amount of money as Finland writes it, in every language: 1 234,50 € (an unknown currency by its code)."""
    if amount is None:
        return ""
    figure = number_format(abs(amount), decimal_pos=2, use_l10n=True, force_grouping=True)
    sign = MINUS if amount < 0 else ""
    return f"{sign}{figure}{NO_BREAK_SPACE}{CURRENCY_SIGNS.get(currency, currency)}"


@register.filter
def quantity(value: Decimal) -> str:
    """A quantity without needless decimals: 2, 0,455."""
    trimmed = value.normalize()
    return str(localize(trimmed if trimmed.as_tuple().exponent < 0 else int(trimmed)))  # type: ignore[operator]


@register.simple_tag
def qr(data: str, label: str) -> SafeString:
    """A QR code as inline SVG, dark on white in every theme (scanners want contrast), with a text alternative."""
    code = segno.make(data, error="m", micro=False)
    size, _height = code.symbol_size(border=2)
    path = "".join(
        f"M{column + 2} {row + 2}h1v1h-1z"
        for row, modules in enumerate(code.matrix)
        for column, dark in enumerate(modules)
        if dark
    )
    return format_html(
        '<svg class="qr" role="img" aria-label="{}" viewBox="0 0 {} {}" shape-rendering="crispEdges">'
        '<path fill="#fff" d="M0 0h{}v{}H0z"/><path fill="#000" d="{}"/></svg>',
        label,
        size,
        size,
        size,
        size,
        path,
    )


@register.simple_tag
def the_programme() -> Programme:
    """The programme's own row (its name, currency and time zone)."""
    return programme.current()


@register.simple_tag(takes_context=True)
def theme(context: template.Context) -> str:
    """The theme this visitor chose: ``light``, ``dark`` or ``auto`` (as the device says)."""
    request: HttpRequest | None = context.get("request")
    chosen = request.COOKIES.get(THEME_COOKIE, "auto") if request else "auto"
    return chosen if chosen in THEMES else "auto"


@register.simple_tag
def languages() -> list[dict[str, Any]]:
    """The portal's languages, each by its own name."""
    own_names = {"fi": "Suomi", "sv": "Svenska", "en": "English"}
    active = (get_language() or "").split("-")[0]
    return [
        {"code": code, "name": own_names.get(code, str(name)), "is_active": code == active}
        for code, name in settings.LANGUAGES
    ]


@register.simple_tag
def static_url(path: str) -> str:
    """The address of a static file, for use inside another tag's arguments."""
    return static(path)


BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS", "Firefox"),
)
BROWSERS += (("CriOS", "Chrome"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS", "Mac"),
    ("Linux", "Linux"),
)


@register.filter
def device(user_agent: str) -> str:
    """A browser's own description in words people know: Firefox, Android. The description itself when unknown."""
    known = [next((name for sign, name in signs if sign in user_agent), "") for signs in (BROWSERS, SYSTEMS)]
    return ", ".join(filter(None, known)) or user_agent[:60]


@register.filter
def in_section(request: HttpRequest | None, names: str) -> bool:
    """Whether the page belongs to one of the sections (comma-separated names of addresses)."""
    match = getattr(request, "resolver_match", None)
    return bool(match and match.url_name in names.split(","))
