"""What the broker knows of an answer before it looks at it: what the rules of ``rules.py`` compare with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric import rsa

from broker.saml.algorithms import PublicKey

MAX_SKEW = 180
MAX_AGE = 360
"""How long ago an assertion nobody asked for may have been issued."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectations:
    """Of one message.

    ``issuer`` is the entity id of the one provider this sign-in is with, ``keys`` are that
    provider's. ``request_id`` of None means that no request was sent (IdP-initiated).
    ``signed_in_since``: before it, give or take ``skew``, the person must not have signed in.
    ``authn_contexts``: classes of which one must be how. None and empty: any will do.
    ``decryption_keys`` is asked only when there is something to decrypt.
    """

    acs_url: str
    audience: str
    issuer: str
    keys: Sequence[PublicKey]
    request_id: str | None
    now: float
    skew: int = 120
    max_age: int = MAX_AGE
    signed_in_since: float | None = None
    authn_contexts: Sequence[str] = ()
    require_encryption: bool = False
    decryption_keys: Callable[[], Sequence[rsa.RSAPrivateKey]] = field(default=tuple, repr=False)
    allow_sha1: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.skew <= MAX_SKEW:
            raise ValueError(f"skew must be 0 to {MAX_SKEW} seconds")

    def is_past(self, end: float) -> bool:
        """Whether a NotOnOrAfter is over, by a clock that may be ``skew`` ahead of the IdP's."""
        return self.now - self.skew >= end

    def is_future(self, start: float) -> bool:
        """Whether a NotBefore is still to come, by a clock that may be ``skew`` behind."""
        return self.now + self.skew < start
