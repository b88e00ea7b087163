"""The demo's pictures of rewards, drawn: flat shapes on a coloured ground, so that nothing is anybody else's.

Pure: a name in, the bytes of a PNG out. Coordinates are on a field of 100 by 75, y downwards.
"""

import io
from collections.abc import Callable, Sequence

from PIL import Image, ImageDraw

SIZE = (1280, 960)
FINE = 2
"""Drawn so many times larger and made smaller afterwards, which smooths the edges."""

CREAM, WHITE, SHADE = "#fbf3e4", "#ffffff", "#00000022"
COFFEE, CRUST, DOUGH, SUGAR = "#4b2e22", "#9a5a2b", "#d79a55", "#fff6e6"
GREEN, LEAF, DEEP = "#1f6b57", "#5fae7b", "#0d3f34"
BERRY, SUN, SKY, RED = "#7a3b78", "#f2b04a", "#8fc3dd", "#c2452f"

Points = Sequence[tuple[float, float]]


class Sheet:
    """A sheet to draw on, in units of the field."""

    def __init__(self, ground: str) -> None:
        self.image = Image.new("RGB", (SIZE[0] * FINE, SIZE[1] * FINE), ground)
        self.pen = ImageDraw.Draw(self.image, "RGBA")
        self.unit = SIZE[0] * FINE / 100

    def _scaled(self, *numbers: float) -> tuple[float, ...]:
        return tuple(number * self.unit for number in numbers)

    def disc(self, x: float, y: float, across: float, down: float, fill: str) -> None:
        """An ellipse around (x, y) with these radii."""
        self.pen.ellipse(self._scaled(x - across, y - down, x + across, y + down), fill)  # type: ignore[arg-type]

    def box(
        self, left: float, top: float, right: float, bottom: float, fill: str, *, round_: float = 0
    ) -> None:
        corners = self._scaled(left, top, right, bottom)
        self.pen.rounded_rectangle(corners, round_ * self.unit, fill)  # type: ignore[arg-type]

    def shape(self, points: Points, fill: str) -> None:
        self.pen.polygon([self._scaled(*point) for point in points], fill)  # type: ignore[misc]

    def line(self, points: Points, fill: str, width: float) -> None:
        scaled = [self._scaled(*point) for point in points]
        self.pen.line(scaled, fill, round(width * self.unit), joint="curve")  # type: ignore[arg-type]
        for x, y in points[:: max(len(points) - 1, 1)]:
            self.disc(x, y, width / 2, width / 2, fill)

    def arc(
        self, x: float, y: float, across: float, down: float, span: tuple[int, int], fill: str, width: float
    ) -> None:
        frame = self._scaled(x - across, y - down, x + across, y + down)
        self.pen.arc(frame, *span, fill, round(width * self.unit))  # type: ignore[arg-type]

    def table(self, fill: str) -> None:
        """The lower part of the ground, on which things stand."""
        self.box(0, 54, 100, 75, fill)

    def png(self) -> bytes:
        out = io.BytesIO()
        self.image.resize(SIZE, Image.Resampling.LANCZOS).save(out, "PNG", compress_level=1)
        return out.getvalue()


def _steam(sheet: Sheet, x: float, y: float) -> None:
    for shift in (-6, 0, 6):
        wave = [(x + shift + side, y - step * 2.5) for step, side in enumerate((0, 1.4, 0, -1.4, 0))]
        sheet.line(wave, "#ffffff99", 1)


def _cup(sheet: Sheet, x: float, y: float, colour: str, inside: str) -> None:
    """A cup on its saucer; (x, y) is the middle of its rim."""
    sheet.disc(x, y + 25, 24, 4.5, SHADE)
    sheet.disc(x, y + 23.5, 23, 4.2, WHITE)
    sheet.arc(x + 15, y + 9, 8, 8, (0, 360), colour, 2.6)
    sheet.shape(
        [(x - 15, y), (x + 15, y), (x + 11, y + 20), (x + 7, y + 23), (x - 7, y + 23), (x - 11, y + 20)],
        colour,
    )
    sheet.disc(x, y, 15, 3.8, colour)
    sheet.disc(x, y, 13.2, 2.9, inside)


def coffee() -> Sheet:
    sheet = Sheet("#e9d3b4")
    sheet.table("#c99b6a")
    _cup(sheet, 48, 33, GREEN, COFFEE)
    _steam(sheet, 48, 27)
    return sheet


def cappuccino() -> Sheet:
    sheet = Sheet("#dfe9e2")
    sheet.table("#a9c7b5")
    _cup(sheet, 38, 33, WHITE, "#c58a55")
    sheet.disc(38, 33, 6, 1.4, CREAM)
    _bun(sheet, 74, 51, 13)
    return sheet


def _bun(sheet: Sheet, x: float, y: float, size: float) -> None:
    """A cinnamon bun seen from the side of its swirl."""
    sheet.disc(x, y + size * 0.62, size * 1.15, size * 0.18, SHADE)
    sheet.disc(x, y, size * 1.1, size * 0.72, CRUST)
    for part, fill in ((0.92, DOUGH), (0.66, CRUST), (0.5, DOUGH), (0.28, CRUST), (0.14, DOUGH)):
        sheet.disc(x, y - size * 0.06, size * 1.1 * part, size * 0.72 * part, fill)
    for dx, dy in (
        (-0.6, -0.2),
        (-0.2, -0.45),
        (0.25, -0.4),
        (0.62, -0.1),
        (0.4, 0.28),
        (-0.35, 0.3),
        (0, 0.05),
    ):
        sheet.disc(x + dx * size, y + dy * size, size * 0.055, size * 0.045, SUGAR)


def bun() -> Sheet:
    sheet = Sheet("#f6dcc0")
    sheet.table("#e6b98a")
    sheet.disc(50, 55, 36, 7, WHITE)
    _bun(sheet, 36, 41, 15)
    _bun(sheet, 64, 44, 16)
    return sheet


def _carton(sheet: Sheet, left: float, colour: str, band: str) -> None:
    sheet.disc(left + 11, 64, 15, 2.6, SHADE)
    sheet.shape([(left, 28), (left + 5, 17), (left + 17, 17), (left + 22, 28)], colour)
    sheet.box(left + 5, 12, left + 17, 18, colour)
    sheet.box(left, 28, left + 22, 64, WHITE)
    sheet.box(left, 40, left + 22, 64, band)
    sheet.shape([(left + 22, 28), (left + 27, 25), (left + 27, 61), (left + 22, 64)], SHADE)


def oat_drink() -> Sheet:
    sheet = Sheet("#efe6c8")
    sheet.table("#d8c48c")
    _carton(sheet, 36, DEEP, "#c9a14a")
    for height in (44, 49, 54, 59):
        sheet.disc(44, height, 2.6, 1.5, CREAM)
        sheet.disc(50, height - 2.5, 2.6, 1.5, CREAM)
    sheet.line([(47, 62), (47, 42)], CREAM, 0.7)
    return sheet


def milk() -> Sheet:
    sheet = Sheet("#d7e8f3")
    sheet.table("#a8cbe0")
    _carton(sheet, 30, "#2c6ea6", "#4b8fc4")
    sheet.shape([(62, 38), (78, 38), (76, 63), (64, 63)], "#ffffffaa")
    sheet.shape([(62.6, 44), (77.4, 44), (76, 63), (64, 63)], WHITE)
    sheet.disc(70, 38, 8, 1.8, "#ffffffcc")
    return sheet


def soup() -> Sheet:
    sheet = Sheet("#dbe7e4")
    sheet.table("#b08c63")
    sheet.disc(48, 58, 33, 6, SHADE)
    sheet.shape([(16, 36), (80, 36), (68, 56), (60, 60), (36, 60), (28, 56)], "#2d5d73")
    sheet.disc(48, 36, 32, 8, "#2d5d73")
    sheet.disc(48, 36, 29, 6.6, "#f6e7c9")
    for x, y in ((34, 35), (46, 38.5), (58, 34.5), (50, 33)):
        sheet.box(x, y - 1.8, x + 7, y + 1.8, "#ef9071", round_=1.2)
    for x, y in ((30, 38), (41, 34), (55, 39), (66, 36)):
        sheet.disc(x, y, 2.4, 1.3, "#f0c95d")
    for x, y in ((37, 38.5), (52, 36), (63, 38.5), (44, 32.5)):
        sheet.disc(x, y, 1.5, 0.6, LEAF)
    _steam(sheet, 48, 25)
    return sheet


def tote() -> Sheet:
    sheet = Sheet("#cfe3d6")
    sheet.table("#9cc3ab")
    sheet.arc(50, 26, 11, 17, (180, 360), "#d9c39a", 2.4)
    sheet.disc(50, 66, 25, 2.6, SHADE)
    sheet.shape([(30, 26), (70, 26), (74, 65), (26, 65)], CREAM)
    for x in (42, 50, 58):
        height = 36 if x == 50 else 41
        sheet.shape([(x - 6, 55), (x, height), (x + 6, 55)], GREEN)
        sheet.box(x - 0.8, 55, x + 0.8, 59, COFFEE)
    return sheet


def flask() -> Sheet:
    sheet = Sheet("#2c5a63")
    sheet.table("#1f444b")
    sheet.disc(50, 66, 15, 2.6, "#00000055")
    sheet.box(38, 20, 62, 66, SUN, round_=5)
    sheet.box(38, 36, 62, 50, CREAM)
    sheet.shape([(40, 50), (47, 39), (52, 46), (56, 41), (60, 50)], GREEN)
    sheet.box(41, 11, 59, 21, DEEP, round_=2.5)
    sheet.box(57, 22, 59.5, 64, "#ffffff44", round_=1.2)
    return sheet


def money_off() -> Sheet:
    sheet = Sheet("#14493c")
    for left, top, colour in ((22, 25, "#1f6b57"), (26, 29, CREAM)):
        sheet.box(left, top, left + 50, top + 26, colour, round_=2.5)
    sheet.arc(42, 42, 8, 8, (55, 305), GREEN, 2.2)
    for height in (40.4, 43.4):
        sheet.line([(31.5, height), (42, height)], GREEN, 1.6)
    for width, height in ((15, 38), (18, 42.5), (10, 47)):
        sheet.line([(53, height), (53 + width, height)], "#b9d2c3", 1.6)
    return sheet


def percent() -> Sheet:
    sheet = Sheet("#f2b04a")
    sheet.shape([(24, 38), (42, 16), (78, 16), (78, 60), (42, 60)], RED)
    sheet.disc(36, 38, 3, 3, "#f2b04a")
    sheet.disc(52, 31, 5.4, 5.4, CREAM)
    sheet.disc(52, 31, 2.5, 2.5, RED)
    sheet.disc(66, 46, 5.4, 5.4, CREAM)
    sheet.disc(66, 46, 2.5, 2.5, RED)
    sheet.line([(50, 48), (68, 29)], CREAM, 2.4)
    return sheet


def roastery() -> Sheet:
    sheet = Sheet("#3a2a24")
    sheet.table("#2a1d19")
    sheet.box(20, 20, 52, 52, "#8c9aa0", round_=16)
    sheet.disc(36, 36, 11, 11, "#2a1d19")
    sheet.disc(36, 36, 9, 9, "#d98b3a")
    sheet.box(26, 51, 46, 64, "#6b777c")
    sheet.box(31, 8, 41, 21, "#6b777c")
    sheet.shape([(60, 40), (82, 40), (86, 65), (56, 65)], "#b8946a")
    sheet.disc(71, 40, 11, 3, COFFEE)
    for x, y in (
        (66, 39),
        (71, 40),
        (76, 39),
        (69, 41.4),
        (74, 41.4),
        (52, 66),
        (57, 69),
        (63, 67.5),
        (47, 69),
    ):
        sheet.disc(x, y, 2.2, 1.5, "#6d4331")
        sheet.line([(x - 1.2, y), (x + 1.2, y)], COFFEE, 0.35)
    return sheet


def berries() -> Sheet:
    sheet = Sheet("#e8def0")
    sheet.table("#c9b5d8")
    sheet.disc(50, 64, 28, 3, SHADE)
    sheet.shape([(24, 42), (76, 42), (69, 64), (31, 64)], "#c79a63")
    for row, count in ((40, 7), (35, 6), (31, 4)):
        for number in range(count):
            x = 50 + (number - (count - 1) / 2) * 7
            sheet.disc(x, row, 4.2, 4.2, BERRY if (number + row) % 3 else "#4d5fa8")
            sheet.disc(x - 1.3, row - 1.4, 1, 1, "#ffffff66")
    for left in (30, 42, 54, 66):
        sheet.line([(left, 45), (left + 2, 61)], "#a87b47", 0.8)
    return sheet


def lunch_for_two() -> Sheet:
    sheet = Sheet("#d9e4cf")
    sheet.box(0, 27, 100, 75, "#8a6a48")
    for x, food in ((29, RED), (71, LEAF)):
        sheet.disc(x, 50, 20, 10, SHADE)
        sheet.disc(x, 48, 20, 10, WHITE)
        sheet.disc(x, 47.6, 14, 6.6, "#eef1ee")
        sheet.disc(x - 3, 46, 8, 4, food)
        sheet.disc(x + 5, 48.5, 6, 3, SUN)
    for left in (48.5, 51.5):
        sheet.line([(left, 38), (left, 60)], "#cfd6d8", 0.8)
    sheet.box(46, 14, 54, 31, SKY, round_=3)
    for x, y in ((46, 12), (50, 8), (54, 12)):
        sheet.disc(x, y, 3.6, 3.6, SUN)
        sheet.disc(x, y, 1.4, 1.4, RED)
    return sheet


def cottage() -> Sheet:
    sheet = Sheet("#f3d9b8")
    sheet.disc(73, 26, 9, 9, SUN)
    sheet.box(0, 42, 100, 75, "#5f9dbb")
    for x, top in ((8, 20), (15, 14), (22, 19), (54, 17), (60, 22)):
        sheet.shape([(x - 5, 43), (x, top), (x + 5, 43)], DEEP)
    sheet.box(0, 40, 66, 45, GREEN, round_=2)
    sheet.box(27, 28, 49, 42, "#a63a2c")
    sheet.shape([(24, 29), (38, 18), (52, 29)], "#3f3a38")
    sheet.box(36, 32, 41, 42, WHITE)
    sheet.box(30, 32, 34, 36, SKY)
    sheet.box(43, 32, 47, 36, SKY)
    sheet.shape([(40, 45), (46, 45), (58, 64), (50, 64)], "#b08c63")
    for y, left, right in ((52, 66, 84), (57, 70, 96), (63, 8, 30), (68, 60, 78)):
        sheet.line([(left, y), (right, y)], "#ffffff66", 0.7)
    sheet.line([(73, 45), (73, 50)], "#f2b04a88", 6)
    return sheet


PICTURES: dict[str, Callable[[], Sheet]] = {
    each.__name__: each
    for each in (
        coffee, cappuccino, bun, oat_drink, milk, soup, tote, flask, money_off, percent, roastery, berries,
        lunch_for_two, cottage,
    )
}  # fmt: skip


def drawn(name: str) -> bytes:
    """A picture of the demo as a PNG."""
    return PICTURES[name]().png()
