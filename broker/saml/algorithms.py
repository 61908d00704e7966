"""Which keys, hashes and signature algorithms are good enough, and verifying with them.

An allow-list: RSA (PKCS#1 v1.5, at least 2048 bits) and ECDSA, with SHA-256, SHA-384 or SHA-512.
SHA-1 is let in for a provider that cannot do better and says so; HMAC and the rest are not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from broker.saml.xml import DS, XENC, RefusedError

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey

MIN_RSA_BITS = 2048
MIN_CURVE_BITS = 256

_MORE = "http://www.w3.org/2001/04/xmldsig-more#"
RSA_SHA256 = f"{_MORE}rsa-sha256"
_PKCS1 = padding.PKCS1v15()


class SignatureError(RefusedError):
    """A signature that is missing, malformed, not allowed or not good."""


@dataclass(frozen=True, slots=True)
class _Method:
    """A signature algorithm: the kind of key it takes, and its hash."""

    key_type: type[rsa.RSAPublicKey] | type[ec.EllipticCurvePublicKey]
    hash: hashes.HashAlgorithm


_DIGESTS: dict[str, hashes.HashAlgorithm] = {
    f"{XENC}sha256": hashes.SHA256(),
    f"{_MORE}sha384": hashes.SHA384(),
    f"{XENC}sha512": hashes.SHA512(),
}
_METHODS = {
    RSA_SHA256: _Method(rsa.RSAPublicKey, hashes.SHA256()),
    f"{_MORE}rsa-sha384": _Method(rsa.RSAPublicKey, hashes.SHA384()),
    f"{_MORE}rsa-sha512": _Method(rsa.RSAPublicKey, hashes.SHA512()),
    f"{_MORE}ecdsa-sha256": _Method(ec.EllipticCurvePublicKey, hashes.SHA256()),
    f"{_MORE}ecdsa-sha384": _Method(ec.EllipticCurvePublicKey, hashes.SHA384()),
    f"{_MORE}ecdsa-sha512": _Method(ec.EllipticCurvePublicKey, hashes.SHA512()),
}
# Forgeable since 2017 at a price; only for a provider that cannot do better and says so.
_SHA1 = hashes.SHA1()  # noqa: S303  # opt-in per provider: AllowSha1
_SHA1_DIGESTS: dict[str, hashes.HashAlgorithm] = {f"{DS}sha1": _SHA1}
_SHA1_METHODS = {
    f"{DS}rsa-sha1": _Method(rsa.RSAPublicKey, _SHA1),
    f"{_MORE}ecdsa-sha1": _Method(ec.EllipticCurvePublicKey, _SHA1),
}


def is_strong(key: PublicKey) -> bool:
    """Whether a key is long enough to verify with."""
    least = MIN_RSA_BITS if isinstance(key, rsa.RSAPublicKey) else MIN_CURVE_BITS
    return key.key_size >= least


def verify_detached(
    data: bytes,
    signature: bytes,
    algorithm: str,
    keys: Sequence[PublicKey],
    *,
    allow_sha1: bool = False,
) -> None:
    """Some key of the provider verifies. Which one is not said: rollover has two for a while.

    Raises ``SignatureError``.
    """
    method = _method(algorithm, allow_sha1=allow_sha1)
    usable = [key for key in keys if isinstance(key, method.key_type) and is_strong(key)]
    if not any(_verifies(key, data, signature, method.hash) for key in usable):
        raise SignatureError(f"a signature by one of {len(usable)} fitting keys", "another one")


def _method(uri: str, *, allow_sha1: bool) -> _Method:
    method = _METHODS.get(uri) or (_SHA1_METHODS.get(uri) if allow_sha1 else None)
    if method is None:
        raise SignatureError("RSA or ECDSA with SHA-256, SHA-384 or SHA-512", uri)
    return method


def digest_algorithm(uri: str, *, allow_sha1: bool) -> hashes.HashAlgorithm:
    """The hash of a DigestMethod. Raises ``SignatureError``."""
    algorithm = _DIGESTS.get(uri) or (_SHA1_DIGESTS.get(uri) if allow_sha1 else None)
    if algorithm is None:
        raise SignatureError("digest SHA-256, SHA-384 or SHA-512", uri)
    return algorithm


def _verifies(
    key: PublicKey, data: bytes, signature: bytes, algorithm: hashes.HashAlgorithm
) -> bool:
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, data, _PKCS1, algorithm)
        else:
            key.verify(_der(signature, key), data, ec.ECDSA(algorithm))
    except (InvalidSignature, ValueError):
        return False
    return True


def _der(signature: bytes, key: ec.EllipticCurvePublicKey) -> bytes:
    """XML Signature 6.4.3 writes r and s side by side, each as long as the curve's order."""
    size = (key.key_size + 7) // 8
    if len(signature) != 2 * size:
        raise ValueError("not r and s of this curve")
    r, s = signature[:size], signature[size:]
    return encode_dss_signature(int.from_bytes(r), int.from_bytes(s))
