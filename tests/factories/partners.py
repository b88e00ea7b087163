"""Partners and their keys."""

from typing import Any

import factory

from loyalty.partners.keys import create_key
from loyalty.partners.models import ApiKey, Partner, Scope


class PartnerFactory(factory.django.DjangoModelFactory[Partner]):
    class Meta:
        model = Partner

    slug = factory.Sequence(lambda number: f"partner-{number}")
    name = factory.Sequence(lambda number: f"Partner {number}")


def key_for(
    partner: Partner, *, scopes: tuple[str, ...] = tuple(Scope.values), **options: Any
) -> tuple[ApiKey, str]:
    """A key of the partner and its text."""
    return create_key(partner=partner, name="test", scopes=scopes, **options)
