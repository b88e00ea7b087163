"""The seed of a draw, kept from everybody until the draw is held.

The database holds 32 random bytes; the seed is their HMAC under the server's secret key. So a copy of the database, the
admin, the history, the API and the logs do not tell it; who has both the database and the server's settings can work it
out, and docs/draws.md says so. The promise (the seed's SHA-256) is published when the draw opens.
"""

import hashlib
import secrets

from django.conf import settings
from django.utils.crypto import salted_hmac

from rewards.models import Draw

_SALT = "rewards.draws.seed"
BYTES = 32


class SeedLost(RuntimeError):
    """The seed that was promised cannot be made again: the server's secret key is another one."""


def seal() -> tuple[bytes, str]:
    """What to keep for a new seed, and the seed's SHA-256 in hexadecimal."""
    sealed = secrets.token_bytes(BYTES)
    return sealed, commitment_to(_seed(sealed, settings.SECRET_KEY))


def unseal(draw: Draw) -> bytes:
    """The seed that was promised. Raises SeedLost when neither the secret key nor its fallbacks give it."""
    for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
        seed = _seed(bytes(draw.sealed or b""), key)
        if secrets.compare_digest(commitment_to(seed), draw.commitment):
            return seed
    raise SeedLost(f"The seed of draw {draw.code} cannot be made from the secret key in use.")


def commitment_to(seed: bytes) -> str:
    return hashlib.sha256(seed).hexdigest()


def _seed(sealed: bytes, key: str) -> bytes:
    return salted_hmac(_SALT, sealed, secret=key, algorithm="sha256").digest()
