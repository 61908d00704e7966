"""What stands in a store instead of a secret."""

from __future__ import annotations

from hashlib import sha256


def digest(*parts: str) -> str:
    """SHA-256 in hexadecimal.

    Codes, tokens and session ids are random, so a plain hash can be neither reversed nor guessed.
    Peers may send any string, lone surrogates included: they have to find nothing, not to fail.
    """
    return sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
