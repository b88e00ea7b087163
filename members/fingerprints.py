"""What tells a device, an address or a means of payment apart, kept by its keyed hash only.

Partners and the portal give such a fingerprint along with a member or an activity. It is hashed where it comes in and
told on as hash; who compares them stands on an upper floor.
"""

from collections.abc import Mapping

from django.utils.crypto import salted_hmac

GIVEN = ("device", "address", "payment")
"""What can be given from outside."""
_SALT = "kantis.members.fingerprints"


def digest(kind: str, value: str) -> str:
    """The keyed hash of a value (64 hexadecimal digits): without ``SECRET_KEY`` nobody can try values against it.

    Equal values of two kinds have different hashes.
    """
    return salted_hmac(_SALT, f"{kind}\x1f{value}", algorithm="sha256").hexdigest()


def digests(given: Mapping[str, str]) -> dict[str, str]:
    """The hashes of the fingerprints given, by kind; blank ones and unknown kinds are left out."""
    cleaned = {kind: _cleaned(kind, given.get(kind) or "") for kind in GIVEN}
    return {kind: digest(kind, value) for kind, value in cleaned.items() if value}


def _cleaned(kind: str, value: str) -> str:
    """An address whatever its case and blanks; the others as they are, for they may be somebody's own hashes."""
    return " ".join(value.casefold().split()) if kind == "address" else value.strip()
