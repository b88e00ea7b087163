"""Codes that people type and nobody guesses: made, tidied up and grouped. No database here.

A code of our own is an optional prefix and twelve characters of an alphabet without look-alikes and without vowels (so
no words arise). The whole of it, prefix included, fulfils ISO/IEC 7064 MOD 37-2: every single wrong character and
every swap of two characters, neighbours or not, is found. Of the 23**12 texts one in 37 is valid: about 6 * 10**14.
"""

import re
import secrets
import unicodedata

ALPHABET = "23456789CDFHJKMNPRTVWXY"
"""No 0/O/Q, 1/I/L, A/4, B/8, E/3, G/6, S/5, U/V, Z/2: of each set one at most; no vowels."""

RANDOM = 12
"""Characters after the prefix, the last of which is the check."""

LONGEST = 40
"""Of any code, those of a file included."""

_GROUP = 4
_MODULUS, _RADIX, _REMAINDER = 37, 2, 1
_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_VALUES = {letter: value for value, letter in enumerate(_LETTERS)}
_SEPARATORS = re.compile(r"[\s\-_./\u00ad\u200b-\u200d\u2010-\u2015\u2060\u2212\ufeff]+")
_PLAIN = re.compile(r"[0-9A-Z]{1,40}", re.ASCII)
_PREFIX = re.compile(r"[0-9A-Z]{0,6}", re.ASCII)


def new_code(prefix: str = "") -> str:
    """A fresh code in its canonical form. Two may meet by chance: the unique constraint tells, and one draws again.

    Raises ValueError for a prefix that is not up to six letters and digits.
    """
    start = prefix.upper()
    if not _PREFIX.fullmatch(start):
        raise ValueError("A prefix is up to six letters and digits.")
    while True:
        body = start + "".join(secrets.choice(ALPHABET) for _place in range(RANDOM - 1))
        last = _last_value(body)
        if last < len(_LETTERS) and _LETTERS[last] in ALPHABET:
            return body + _LETTERS[last]


def is_well_formed(code: str) -> bool:
    """Whether a canonical code has the right check character; codes from files and shared ones need not."""
    if not _PLAIN.fullmatch(code):
        return False
    return (_sum(code[:-1]) * _RADIX + _VALUES[code[-1]]) % _MODULUS == _REMAINDER


def canonical(text: str) -> str:
    """The code as it is stored, whatever case, blanks and hyphens somebody typed; "" when it cannot be a code."""
    if len(text) > LONGEST * 3:
        return ""
    plain = _SEPARATORS.sub("", unicodedata.normalize("NFKC", text)).upper()
    return plain if _PLAIN.fullmatch(plain) else ""


def grouped(code: str) -> str:
    """The code as people read it: ``KAHVI-7K3D-9XMP-4RWC``. A code of another length goes by fours from the left."""
    head, tail = ("", code) if len(code) < RANDOM else (code[:-RANDOM], code[-RANDOM:])
    if head and len(head) > 6:
        head, tail = "", code
    groups = [tail[start : start + _GROUP] for start in range(0, len(tail), _GROUP)]
    return "-".join(filter(None, (head, *groups)))


def mark(code: str) -> str:
    """Which sort of codes somebody seems to be trying: what stands before the last twelve characters."""
    return code[:-RANDOM][:6]


def _sum(body: str) -> int:
    total = 0
    for letter in body:
        total = (total * _RADIX + _VALUES[letter]) % _MODULUS
    return total


def _last_value(body: str) -> int:
    """The value that the check character needs; 36 stands for the ``*`` of the norm, which we never use."""
    return (_REMAINDER - _sum(body) * _RADIX) % _MODULUS
