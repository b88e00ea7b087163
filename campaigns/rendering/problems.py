"""One finding of the checks."""

from dataclasses import dataclass
from typing import Literal

Level = Literal["error", "warning"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What is wrong, for staff: where (a variant's code, a language, a field of Text; "" where none) and what to do.

    ``message`` is in the active language and says the remedy.
    """

    level: Level
    message: str
    variant: str = ""
    language: str = ""
    field: str = ""
