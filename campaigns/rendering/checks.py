"""What is wrong with a campaign's texts, before anything is sent: errors keep it from starting, warnings do not."""

from dataclasses import dataclass
from typing import Literal

from campaigns.models import Campaign


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One finding, for staff: where it is (a variant's code, a language, a field of Text; "" where none) and what to do.

    ``message`` is in the active language and says the remedy.
    """

    level: Literal["error", "warning"]
    message: str
    variant: str = ""
    language: str = ""
    field: str = ""


def problems(campaign: Campaign) -> list[Problem]:
    """Everything found in a saved campaign's variants and texts, errors first."""
    return []
