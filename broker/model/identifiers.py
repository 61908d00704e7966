"""Names for what needs one that nobody else has, and nobody can guess."""

from __future__ import annotations

from os import urandom

_VARIANT = "89ab"


def new_uuid() -> str:
    """A random UUID, version 4 (RFC 9562 5.4), as text.

    A sign-in needs seven. ``uuid.uuid4`` makes an object of each first, with checks for all the ways to
    make one, and takes three times as long.
    """
    digits = urandom(16).hex()
    variant = _VARIANT[int(digits[16], 16) % 4]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"
