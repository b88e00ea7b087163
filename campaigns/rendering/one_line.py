"""Text that a header or a notification may hold."""

import unicodedata

_BREAKS = frozenset({"Cc", "Cs", "Zl", "Zp"})
_TURNS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that turn the direction of all that follows."""


def one_line(text: str, longest: int = 300) -> str:
    """``text`` without line breaks and control characters, with single spaces, at most so many characters long."""
    if not text.isprintable():
        text = "".join(
            " " if unicodedata.category(char) in _BREAKS else char for char in text if char not in _TURNS
        )
    return " ".join(filter(None, text.split(" ")))[:longest].rstrip(" ")
