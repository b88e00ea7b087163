"""Public identifiers: UUIDv7 (RFC 9562), sorted by time of birth. Bigints stay inside."""

import uuid

from uuid6 import uuid7


def new_public_id() -> uuid.UUID:
    """A fresh UUIDv7 as a plain ``uuid.UUID``."""
    return uuid.UUID(int=uuid7().int)
