"""The first look through a purchase CSV: its header, how many lines it has, and activities whose rows stand apart."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from rewards.purchases.blocks import FileRefused, blocks, open_purchases
from rewards.purchases.values import COLUMNS, BadValue, cells_of

MARKS = 2**27  # bits with which `survey` remembers the purchases it has passed (16 MB)


@dataclass(frozen=True)
class Survey:
    """What a first look through the file shows."""

    lines: int
    split: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Activities whose rows stand apart: where they start, and where they start again."""


def survey(path: Path) -> Survey:
    """Look through the whole file: check its header, count its lines and find activities whose rows stand apart.

    Raises FileRefused. Memory stays constant: two bits per activity tell "perhaps seen before", and only those are
    looked for exactly, in a second pass that hardly ever has anything to do.
    """
    marks = bytearray(MARKS // 8)
    suspects: set[str] = set()
    lines = 0
    for _line, activity, starts in _starts(path):
        lines += 1
        if starts:
            number = hash(activity)
            one, two = number % MARKS, (number >> 32) % MARKS
            if marks[one >> 3] & 1 << (one & 7) and marks[two >> 3] & 1 << (two & 7):
                suspects.add(activity)
            marks[one >> 3] |= 1 << (one & 7)
            marks[two >> 3] |= 1 << (two & 7)
    return Survey(lines, _split(path, suspects) if suspects else {})


def _split(path: Path, suspects: set[str]) -> dict[str, tuple[int, int]]:
    first: dict[str, int] = {}
    split: dict[str, tuple[int, int]] = {}
    for line, activity, starts in _starts(path):
        if starts and activity in suspects:
            if activity in first:
                split.setdefault(activity, (first[activity], line))
            else:
                first[activity] = line
    return split


def _starts(path: Path) -> Iterator[tuple[int, str, bool]]:
    """Each data row's line number and activity id, and whether a new activity starts there."""
    previous = ""
    number = 0
    with open_purchases(path) as stream:
        for block in blocks(stream):
            for text in block:
                number += 1
                if number == 1:
                    check_header(text)
                elif text:
                    activity = text.partition(",")[0].strip(' "')
                    yield number, activity, activity != previous or not activity
                    previous = activity
    if not number:
        raise FileRefused(f"The file is empty. Its first line should be: {','.join(COLUMNS)}")


def check_header(text: str) -> None:
    """Raise FileRefused unless the first line names exactly our columns in their order."""
    try:
        names = tuple(name.strip().lower() for name in cells_of(text))
    except BadValue:
        names = (text,)
    if names == COLUMNS:
        return
    expected = f"The first line should be: {','.join(COLUMNS)}"
    if missing := [name for name in COLUMNS if name not in names]:
        separator = next((sign for sign in ";\t|" if len(text.split(sign)) >= len(COLUMNS)), "")
        if separator:
            raise FileRefused(
                f"Line 1: the columns are separated by {separator!r}: save the file with commas. {expected}"
            )
        raise FileRefused(f"Line 1: no column {', '.join(missing)}. {expected}")
    if unknown := [name for name in names if name not in COLUMNS]:
        raise FileRefused(f"Line 1: unknown column {', '.join(unknown)[:200]}. {expected}")
    raise FileRefused(f"Line 1: the columns stand in another order or twice. {expected}")
