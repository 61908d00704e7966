"""The keys a provider signs with (RFC 7517), parsed once per fetch and never in a sign-in.

Only what stands in the provider's own key set counts. Keys that cannot verify a signature here are
left out rather than refused, because one odd entry must not lock everybody out: symmetric keys (a
"public" secret is none), encryption keys, short RSA keys, unknown curves, private parts.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

from cryptography.exceptions import UnsupportedAlgorithm
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey

from broker.model.errors import Reason, UpstreamError
from broker.model.pool import IdentityProvider
from broker.ports import Clock
from broker.upstream.cache import Cached, Ration
from broker.upstream.failures import error_answer, refused, unanswered
from broker.upstream.http import HttpClient, HttpError

FRESH_SECONDS = 600
STALE_SECONDS = 3600
"""A key that the provider withdrew is trusted no longer than this when it cannot be reached."""

MAX_KEYS = 100
_RSA_BITS = 2048
_OK = 200
_KINDS: Mapping[str, tuple[type[RSAKey | ECKey | OKPKey], tuple[str, ...]]] = {
    "RSA": (RSAKey, ("n", "e")),
    "EC": (ECKey, ("crv", "x", "y")),
    "OKP": (OKPKey, ("crv", "x")),
}
_CURVES: Mapping[object, frozenset[str]] = {
    "EC": frozenset({"P-256", "P-384", "P-521"}),
    "OKP": frozenset({"Ed25519", "Ed448"}),
}


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """One public key. ``issuer``: the only issuer it serves (Microsoft's extension), or None."""

    kid: str | None
    key: Key = field(repr=False)
    issuer: str | None = None


class Keys(Protocol):
    """Where a verifier gets its keys."""

    def matching(self, kid: str | None) -> Iterator[VerificationKey]:
        """The keys a signature may be made with, to be tried in turn: to ask for one more says that
        those before it did not verify it. Raises ``UpstreamError`` when there is none at all."""


@dataclass(frozen=True, kw_only=True)
class Jwks:
    """``Keys`` of one provider, for one kind of token: ``ration`` is for those who send it."""

    published: Cached[tuple[VerificationKey, ...]]
    ration: Ration

    def matching(self, kid: str | None) -> Iterator[VerificationKey]:
        """OIDC Core 10.1: by ``kid``, which may be absent only when there is a single key.

        Where none of the keys that are kept will do, the provider may have changed them, under a
        new name, an old one or none: they are fetched anew.
        """
        keys = self.published.get()
        found = _matching(keys, kid)
        yield from found
        newer = self.published.newer(keys, self.ration) or ()
        found_now = _matching(newer, kid)
        yield from found_now
        if not found and not found_now:
            raise _unknown(kid, newer or keys)


def published_keys(
    provider: IdentityProvider, uri: Callable[[], str], http: HttpClient, clock: Clock
) -> Cached[tuple[VerificationKey, ...]]:
    """The provider's key set. ``uri`` is asked for at each fetch: discovery may move it."""
    return Cached(
        fetch=lambda: _fetched(provider, uri(), http),
        clock=clock,
        fresh_seconds=FRESH_SECONDS,
        stale_seconds=STALE_SECONDS,
    )


def _fetched(provider: IdentityProvider, uri: str, http: HttpClient) -> tuple[VerificationKey, ...]:
    try:
        answer = http.get(uri)
    except HttpError as error:
        raise unanswered(error, asked="key set (jwks_uri)") from error
    document = answer.json()
    listed = document.get("keys") if isinstance(document, dict) else None
    if answer.status != _OK or not isinstance(listed, list):
        raise error_answer(provider, Reason.OIDC_JWKS, answer, getting="keys")
    return parse_keys(listed)


def parse_keys(listed: list[object]) -> tuple[VerificationKey, ...]:
    """The entries of a JWK set that can verify signatures."""
    parsed = (_parse(cast("dict[str, Any]", entry)) for entry in listed if isinstance(entry, dict))
    return tuple(key for key in parsed if key is not None)[:MAX_KEYS]


def _matching(keys: tuple[VerificationKey, ...], kid: str | None) -> tuple[VerificationKey, ...]:
    if kid is None:
        return keys if len(keys) == 1 else ()
    return tuple(key for key in keys if key.kid == kid)


def _unknown(kid: str | None, keys: tuple[VerificationKey, ...]) -> UpstreamError:
    known = ", ".join(str(key.kid) for key in keys)
    return refused(
        Reason.OIDC_KID_MISSING if kid is None else Reason.OIDC_KEY_UNKNOWN,
        expected=f"one of {known or 'no keys'}",
        received=kid or "no kid",
    )


def _parse(entry: Mapping[str, Any]) -> VerificationKey | None:
    """RFC 7517 4. None: not a key for signatures of the algorithms we know."""
    kind, members = _KINDS.get(str(entry.get("kty")), (None, ()))
    public = {name: entry.get(name) for name in members}
    alg, kid, issuer = entry.get("alg"), entry.get("kid"), entry.get("issuer")
    try:
        if kind is None or not _is_for_signatures(entry) or not _is_strong(entry["kty"], public):
            return None
        key = kind.import_key(
            {"kty": str(entry["kty"]), **{name: str(value) for name, value in public.items()}},
            {"alg": alg} if isinstance(alg, str) else None,
        )
    except (JoseError, ValueError, TypeError, UnsupportedAlgorithm):
        return None
    return VerificationKey(
        kid if isinstance(kid, str) else None, key, issuer if isinstance(issuer, str) else None
    )


def _is_for_signatures(entry: Mapping[str, Any]) -> bool:
    """RFC 7517 4.2 and 4.3."""
    operations = entry.get("key_ops")
    return entry.get("use", "sig") == "sig" and (
        not isinstance(operations, list) or "verify" in operations
    )


def _is_strong(kind: object, public: Mapping[str, Any]) -> bool:
    """Curves we know, of that kind; RSA of 2048 bits or more (NIST SP 800-131A)."""
    if not all(isinstance(value, str) for value in public.values()):
        return False
    if "crv" in public:
        return public["crv"] in _CURVES[kind]
    return int.from_bytes(base64.urlsafe_b64decode(public["n"] + "==")).bit_length() >= _RSA_BITS
