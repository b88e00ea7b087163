"""Codes as pictures for scanners: a QR code and a bar code (Code 128) as SVG that stands in the page itself.

Both are drawn black on white whatever the page's colours: scanners need the contrast and the quiet zone.
"""

import segno
from barcode import Code128
from barcode.writer import SVGWriter
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

_BAR_WIDTH, _BAR_HEIGHT, _QUIET = 0.33, 14.0, 4.0
_MILLIMETRE = 96 / 25.4


def qr_svg(text: str, *, label: str = "") -> SafeString:
    """The text as a QR code that survives a smudge (level M); ``label`` is what screen readers say."""
    code = segno.make(text, error="m", micro=False)
    return mark_safe(_named(code.svg_inline(border=4, light="#fff", omitsize=True, svgclass="qr"), label))  # noqa: S308


def barcode_svg(text: str, *, label: str = "") -> SafeString:
    """The text (ASCII) as Code 128 without the text beneath; ``label`` is what screen readers say."""
    modules = Code128(text, writer=SVGWriter()).build()[0]
    width = len(modules) * _BAR_WIDTH + 2 * _QUIET
    bars = "".join(
        f'<rect x="{_QUIET + start * _BAR_WIDTH:.2f}" y="0" width="{length * _BAR_WIDTH:.2f}" height="{_BAR_HEIGHT}"/>'
        for start, length in _runs(modules)
    )
    drawing = (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="barcode" viewBox="0 0 {width:.2f} {_BAR_HEIGHT}"'
        f' width="{width * _MILLIMETRE:.0f}" shape-rendering="crispEdges">'
        f'<rect width="{width:.2f}" height="{_BAR_HEIGHT}" fill="#fff"/>{bars}</svg>'
    )
    return mark_safe(_named(drawing, label))  # noqa: S308


def _named(drawing: str, label: str) -> str:
    """The drawing with a name for those who cannot see it, or left out for them."""
    spoken = f'role="img" aria-label="{escape(label)}"' if label else 'aria-hidden="true" focusable="false"'
    return drawing.replace("<svg ", f"<svg {spoken} ", 1)


def _runs(modules: str) -> list[tuple[int, int]]:
    """Where black bars begin and how many modules they are wide."""
    runs: list[tuple[int, int]] = []
    place = 0
    while (place := modules.find("1", place)) >= 0:
        end = modules.find("0", place)
        end = len(modules) if end < 0 else end
        runs.append((place, end - place))
        place = end
    return runs
