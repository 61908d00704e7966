"""Reads a signed token (JWS, RFC 7515): who signed it, and what it then says.

Owns signatures and nothing else: the algorithm comes from a declared list, the key from the
provider's own key set (or, for HMAC, from the configuration), never from the token. What the claims
must be is said in ``id_token.py`` and ``logout_token.py``.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, cast

import msgspec
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwa import EdDSAAlgorithm, JWSAlgModel
from joserfc.jwk import Key, OctKey
from joserfc.jws import CompactSignature, JWSRegistry

from broker.model.errors import Reason
from broker.upstream.failures import refused
from broker.upstream.jwks import Keys, VerificationKey

ASYMMETRIC = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA", "Ed25519", "Ed448"),
)
HMAC = ("HS256", "HS384", "HS512")
MIN_SECRET = 32
MAX_HEADER = 16384
"""Some providers carry their certificate chain in the header (``x5c``), which is ignored."""


class _EdDSA(EdDSAAlgorithm):
    """RFC 9864 renames EdDSA; providers go on signing with the old name, without a warning."""

    security_warning = ""


class _Registry(JWSRegistry):
    """The algorithms that exist here at all: ``none`` does not."""

    algorithms: dict[str, JWSAlgModel] = {
        name: JWSRegistry.algorithms[name] for name in (*ASYMMETRIC, *HMAC)
    } | {"EdDSA": _EdDSA()}
    max_header_length = MAX_HEADER


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """The claims of a token whose signature is good. Made by ``Signatures.verified`` alone."""

    header: Mapping[str, Any]
    claims: Mapping[str, Any] = field(repr=False)
    key_issuer: str | None = None
    """The only issuer the signing key serves, if the provider restricts it."""


@dataclass(frozen=True, kw_only=True)
class Signatures:
    """By which algorithms and keys a provider may sign.

    ``algorithms`` are either all asymmetric, with ``keys``, or HMAC, with ``secret``: a public key
    is never tried as a secret, because the two lists never meet.
    """

    algorithms: tuple[str, ...]
    keys: Keys
    secret: str | None = field(default=None, repr=False)

    @cached_property
    def _registry(self) -> JWSRegistry:
        # Header parameters we do not know are ignored (RFC 7515 4), except in `crit`.
        return _Registry(algorithms=self.algorithms, strict_check_header=False)

    @cached_property
    def _shared(self) -> Key:
        """OIDC Core 10.1: the octets of the client secret, as many as RFC 7518 3.2 asks for."""
        if len(self.secret or "") < MIN_SECRET:
            raise refused(
                Reason.OIDC_NOT_CONFIGURED, expected=f"a client_secret of {MIN_SECRET} characters"
            )
        return OctKey.import_key({"kty": "oct", "k": _base64url(self.secret or "")})

    def verified(self, token: str) -> Signed:
        """RFC 7515 5.2. Raises ``UpstreamError``."""
        parts = _parsed(token, self._registry)
        header = parts.headers()
        self._check_algorithm(header)
        _check_critical(header)
        for candidate in self._candidates(header):
            if self._is_good(parts, candidate.key):
                return Signed(
                    header=header, claims=_claims(parts.payload), key_issuer=candidate.issuer
                )
        raise refused(Reason.OIDC_SIGNATURE, expected="a signature by a key of the provider")

    def _check_algorithm(self, header: Mapping[str, Any]) -> None:
        """RFC 8725 3.1: what the provider is declared to use, not what the token asks for."""
        if header.get("alg") not in self.algorithms:
            raise refused(
                Reason.OIDC_ALGORITHM,
                expected=", ".join(self.algorithms),
                received=header.get("alg"),
            )

    def _candidates(self, header: Mapping[str, Any]) -> Iterator[VerificationKey]:
        if header["alg"] in HMAC:
            return iter((VerificationKey(None, self._shared),))
        kid = header.get("kid")
        return self.keys.matching(kid if isinstance(kid, str) else None)

    def _is_good(self, parts: CompactSignature, key: Key) -> bool:
        try:
            return jws.validate_compact(parts, key, registry=self._registry)
        except (JoseError, ValueError):  # another kind of key than the algorithm needs
            return False


def _parsed(token: str, registry: JWSRegistry) -> CompactSignature:
    try:
        parts = jws.extract_compact(token.encode(), registry=registry)
    except (JoseError, ValueError, TypeError, RecursionError) as error:
        raise refused(Reason.OIDC_TOKEN_MALFORMED, expected="a signed JWT") from error
    if not isinstance(parts.protected, dict):
        raise refused(Reason.OIDC_TOKEN_MALFORMED, expected="a JOSE header")
    return parts


def _check_critical(header: Mapping[str, Any]) -> None:
    """RFC 7515 4.1.11: no extension is understood here, so none may be critical."""
    if "crit" in header:
        raise refused(Reason.OIDC_CRITICAL, expected="no crit", received=header["crit"])


def _claims(payload: bytes) -> Mapping[str, Any]:
    """RFC 7519 7.2: a JSON object, read strictly, so that every string in it is real text."""
    try:
        return cast("Mapping[str, Any]", msgspec.json.decode(payload, type=dict[str, Any]))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise refused(Reason.OIDC_TOKEN_MALFORMED, expected="claims in JSON") from error


def _base64url(secret: str) -> str:
    return base64.urlsafe_b64encode(secret.encode()).rstrip(b"=").decode()
