"""How many text messages a text takes."""

import pytest

from campaigns.rendering.segments import Segments, segments


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Segments(0, 0, is_unicode=False)),
        ("Hyvää päivää, Åsa! Ñ ß @ £", Segments(1, 26, is_unicode=False)),
        ("x" * 160, Segments(1, 160, is_unicode=False)),
        ("x" * 161, Segments(2, 161, is_unicode=False)),
        ("x" * 306, Segments(2, 306, is_unicode=False)),
        ("x" * 307, Segments(3, 307, is_unicode=False)),
        ("€" * 80, Segments(1, 160, is_unicode=False)),
        ("€" * 81, Segments(2, 162, is_unicode=False)),
        ("š" * 70, Segments(1, 70, is_unicode=True)),
        ("š" * 71, Segments(2, 71, is_unicode=True)),
        ("š" * 135, Segments(3, 135, is_unicode=True)),
        ("😀", Segments(1, 2, is_unicode=True)),
        ("12\xa0500", Segments(1, 6, is_unicode=True)),
    ],
)
def test_segments_are_counted_as_networks_do(text: str, expected: Segments) -> None:
    assert segments(text) == expected
