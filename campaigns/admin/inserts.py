"""The inserts that a campaign's texts can use, as buttons: what each is called and the Liquid that it puts in."""

from dataclasses import dataclass
from typing import Any

from campaigns.models import Campaign
from campaigns.rendering.inserts import INSERTS, Insert


@dataclass(frozen=True, slots=True)
class Chip:
    label: Any
    liquid: str


def inserts_of(campaign: Campaign) -> list[Chip]:
    """Those that have a value in this campaign, in the order of the one list of them."""
    return [Chip(insert.label, _liquid(insert)) for insert in INSERTS if not insert.missing(campaign)]


def _liquid(insert: Insert) -> str:
    if insert.of_each:
        return f"{{% for each in {insert.path} %}}{{{{ each.{insert.of_each[0]} }}}} {{% endfor %}}"
    return f"{{{{ {insert.path} }}}}"
