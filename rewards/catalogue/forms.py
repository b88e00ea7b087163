"""What members say in the portal about rewards: how to list them, and what they never want."""

from collections.abc import Mapping
from dataclasses import dataclass

from rewards.catalogue.listing import Sort


@dataclass(frozen=True, slots=True)
class Chosen:
    """How the member asked to see the catalogue, as it stands in the address; what is unknown counts as not given."""

    category: str
    tag: str
    sort: Sort
    favourites: bool
    available: bool

    @classmethod
    def of(cls, query: Mapping[str, str]) -> "Chosen":
        sort = query.get("sort", "")
        return cls(
            category=query.get("category", "")[:50].replace("\x00", ""),
            tag=query.get("tag", "")[:50].replace("\x00", ""),
            sort=Sort(sort) if sort in set(Sort) else Sort.AFFORDABLE,
            favourites=query.get("favourites") == "1",
            available=query.get("available") == "1",
        )

    @property
    def is_on(self) -> bool:
        """Whether anything is left out of the list."""
        return bool(self.category or self.tag or self.favourites or self.available)
