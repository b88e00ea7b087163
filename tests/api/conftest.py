"""Two partners with a till each, and Aino, a member of the first. Imports wait until Django is set up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from loyalty.partners.models import Partner
    from members.models import Member
    from tests.api.till import Till


@pytest.fixture(autouse=True)
def _noon(monkeypatch: pytest.MonkeyPatch) -> None:
    from loyalty import clock
    from tests.factories.members import NOON

    monkeypatch.setattr(clock, "now", lambda: NOON)


@pytest.fixture
def shop(db: None) -> Partner:
    from tests.factories.partners import PartnerFactory

    return PartnerFactory(slug="shop")


@pytest.fixture
def till(shop: Partner) -> Till:
    from tests.api.till import Till

    return Till(shop)


@pytest.fixture
def other(db: None) -> Till:
    """Another partner's."""
    from tests.api.till import Till
    from tests.factories.partners import PartnerFactory

    return Till(PartnerFactory(slug="other"))


@pytest.fixture
def aino(shop: Partner) -> Member:
    from tests.factories.members import member

    return member(partner=shop, external_id="c-1", email="aino@example.com")
