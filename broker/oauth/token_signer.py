"""One token key at work: signs in compact form, and knows again what it has signed.

No reader of JWS is needed for that. The header of a token of ours is the same text every time, so a token
either begins with it or is none of ours: there is no header to parse, and no algorithm or key for a token
to choose. Tokens of others are read by joserfc, in ``broker/upstream/signed.py``.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import cast

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)
from joserfc.jwk import ECKey, RSAKey

from broker.model.pool import SigningAlgorithm
from broker.model.tokens import Claims, SigningKey

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, object]).decode
_P256_BYTES = 32
_SHA256 = hashes.SHA256()
_PKCS1 = padding.PKCS1v15()
_ECDSA = ec.ECDSA(_SHA256)


def _base64url(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def _decoded(text: bytes) -> bytes:
    """Raises ``ValueError`` for a length that base64 cannot have."""
    return base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4))


def _fixed_length(der: bytes) -> bytes:
    """An ECDSA signature as JWS wants it: r and s, side by side."""
    r, s = decode_dss_signature(der)
    return r.to_bytes(_P256_BYTES) + s.to_bytes(_P256_BYTES)


@dataclass(frozen=True)
class TokenSigner:
    """One private key, ready to sign: header ``{"kid","alg"}`` encoded, key object loaded."""

    key: SigningKey

    @cached_property
    def _beginning(self) -> bytes:
        """The encoded header and the dot behind it."""
        header = {"kid": self.key.kid, "alg": self.key.algorithm.value}
        return _base64url(_encode(header)) + b"."

    @cached_property
    def _private(self) -> rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey:
        # The key store has read this key, and checked it; once more would take 14 ms.
        loaded = load_pem_private_key(
            self.key.private_pem, password=None, unsafe_skip_rsa_key_validation=True
        )
        return cast("rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey", loaded)

    @cached_property
    def _public(self) -> rsa.RSAPublicKey | ec.EllipticCurvePublicKey:
        return self._private.public_key()

    def sign(self, payload: Claims) -> str:
        """JWS compact serialization (RFC 7515 7.1)."""
        signed = self._beginning + _base64url(_encode(payload))
        return (signed + b"." + _base64url(self._signature(signed))).decode()

    def verified(self, token: str) -> Claims | None:
        """The claims of a token that this key has signed, in compact form to the letter; None for any
        other text."""
        try:
            text = token.encode("ascii")
        except UnicodeEncodeError:
            return None
        if not text.startswith(self._beginning):
            return None
        signed, _, encoded = text.rpartition(b".")
        try:
            signature = _decoded(encoded)
            if _base64url(signature) != encoded:  # the decoder skips what is no base64
                return None
            self._verify(signature, signed)
            return _decode(_decoded(signed[len(self._beginning) :]))
        except (InvalidSignature, ValueError):
            return None

    @cached_property
    def _signature(self) -> Callable[[bytes], bytes]:
        """RFC 7518 3.3 and 3.4."""
        private = self._private
        if isinstance(private, rsa.RSAPrivateKey):
            return lambda data: private.sign(data, _PKCS1, _SHA256)
        return lambda data: _fixed_length(private.sign(data, _ECDSA))

    def _verify(self, signature: bytes, data: bytes) -> None:
        """Raises ``InvalidSignature``, also for an ECDSA one that is not r and s at their full length
        (RFC 7518 3.4): with zeros more or less they would be the same numbers."""
        if isinstance(self._public, rsa.RSAPublicKey):
            self._public.verify(signature, data, _PKCS1, _SHA256)
            return
        if len(signature) != 2 * _P256_BYTES:
            raise InvalidSignature
        r, s = signature[:_P256_BYTES], signature[_P256_BYTES:]
        der = encode_dss_signature(int.from_bytes(r), int.from_bytes(s))
        self._public.verify(der, data, _ECDSA)

    def public_jwk(self) -> dict[str, object]:
        """The public half as JWKS member (RFC 7517 4)."""
        pem = self._public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        kind = RSAKey if self.key.algorithm is SigningAlgorithm.RS256 else ECKey
        public = kind.import_key(pem).as_dict(private=False)
        return {
            "alg": self.key.algorithm.value,
            "kid": self.key.kid,
            "use": "sig",
            **{
                name: value
                for name, value in public.items()
                if name in ("kty", "n", "e", "crv", "x", "y")
            },
        }
