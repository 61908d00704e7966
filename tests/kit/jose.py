"""Signs JSON Web Tokens for tests, by hand over ``cryptography``.

Deliberately not the library the broker verifies with, so that each judges the other; and willing to
sign anything in any way.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

_CURVES = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1()}
_NAMES = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}
_HASHES = {"256": hashes.SHA256, "384": hashes.SHA384, "512": hashes.SHA512}

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


@dataclass(frozen=True, kw_only=True)
class JoseKey:
    """A key pair and its name in a JWKS."""

    kid: str
    private: PrivateKey = field(repr=False)

    def jwk(self, **changes: Any) -> dict[str, Any]:
        """The public half as RFC 7517 writes it; None leaves a member out."""
        entry = {"kid": self.kid, "use": "sig", **self._public(), **changes}
        return {name: value for name, value in entry.items() if value is not None}

    def public_pem(self) -> bytes:
        return self.private.public_key().public_bytes(
            Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
        )

    def private_pem(self) -> str:
        return self.private.private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        ).decode()

    def _public(self) -> dict[str, str]:
        public = self.private.public_key()
        if isinstance(public, rsa.RSAPublicKey):
            numbers = public.public_numbers()
            return {"kty": "RSA", "n": _number(numbers.n), "e": _number(numbers.e)}
        if isinstance(public, ec.EllipticCurvePublicKey):
            point, size = public.public_numbers(), (public.curve.key_size + 7) // 8
            return {
                "kty": "EC",
                "crv": _NAMES[public.curve.name],
                "x": base64url(point.x.to_bytes(size)),
                "y": base64url(point.y.to_bytes(size)),
            }
        raw = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
        return {"kty": "OKP", "crv": "Ed25519", "x": base64url(raw)}


@cache
def rsa_key(kid: str = "rsa-1", bits: int = 2048) -> JoseKey:
    """One key per name and test process: making one takes 50 ms."""
    return JoseKey(kid=kid, private=rsa.generate_private_key(65537, bits))


@cache
def ec_key(kid: str = "ec-1", curve: str = "P-256") -> JoseKey:
    return JoseKey(kid=kid, private=ec.generate_private_key(_CURVES[curve]))


@cache
def ed_key(kid: str = "ed-1") -> JoseKey:
    return JoseKey(kid=kid, private=ed25519.Ed25519PrivateKey.generate())


def signed(
    claims: Mapping[str, Any] | bytes,
    key: JoseKey | bytes | None,
    *,
    alg: str = "RS256",
    **header: Any,
) -> str:
    """A compact JWS. ``key``: a pair, the bytes of an HMAC secret, or None for no signature.

    Header members given as None are left out.
    """
    kid = key.kid if isinstance(key, JoseKey) else None
    full = {"alg": alg, "kid": kid, "typ": "JWT", **header}
    head = json.dumps({name: value for name, value in full.items() if value is not None})
    payload = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    data = f"{base64url(head.encode())}.{base64url(payload)}"
    return f"{data}.{base64url(_signature(data.encode(), key, alg))}"


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decoded(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims of a token, unchecked."""
    head, payload, _ = token.split(".")
    return tuple(json.loads(base64.urlsafe_b64decode(p + "==")) for p in (head, payload))  # type: ignore[return-value]  # two of them


def _signature(data: bytes, key: JoseKey | bytes | None, alg: str) -> bytes:
    if key is None or alg == "none":
        return b""
    if isinstance(key, bytes):
        return hmac.digest(key, data, getattr(hashlib, f"sha{alg[-3:]}"))
    private = key.private
    if isinstance(private, ed25519.Ed25519PrivateKey):
        return private.sign(data)
    digest = _HASHES[alg[-3:]]()
    if isinstance(private, ec.EllipticCurvePrivateKey):
        size = (private.curve.key_size + 7) // 8
        r, s = decode_dss_signature(private.sign(data, ec.ECDSA(digest)))
        return r.to_bytes(size) + s.to_bytes(size)
    if alg.startswith("PS"):
        pss = padding.PSS(mgf=padding.MGF1(digest), salt_length=digest.digest_size)
        return private.sign(data, pss, digest)
    return private.sign(data, padding.PKCS1v15(), digest)


def _number(value: int) -> str:
    return base64url(value.to_bytes((value.bit_length() + 7) // 8))
