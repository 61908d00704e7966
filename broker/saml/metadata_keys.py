"""The keys in a provider's metadata: those its signatures are verified with, and those left out.

A certificate is a container for its key here: its dates, its issuer and its own signature are not
consulted. They are told, so that an administrator can be.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from broker.saml.algorithms import PublicKey, is_strong
from broker.saml.xml import DS, MD, Element, name, text

_ARMOUR = re.compile(r"-----[A-Z ]+-----|\s+")
_BY_SHA1 = (
    x509.SignatureAlgorithmOID.RSA_WITH_SHA1,
    x509.SignatureAlgorithmOID.ECDSA_WITH_SHA1,
    x509.SignatureAlgorithmOID.DSA_WITH_SHA1,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationKey:
    """A key the provider may sign with. All but the key is for reports only."""

    key: PublicKey
    expires_at: float
    is_for_any_use: bool = False
    """Whether the document does not say what it is for: it may be the one that is encrypted to."""
    is_certified_by_sha1: bool = False


class Unusable(StrEnum):
    """Why a certificate gives no key to verify with."""

    UNREADABLE = "unreadable"
    TOO_WEAK = "too weak"
    WRONG_KIND = "of a kind that SAML signatures are not made with here"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyLeftOut:
    """A key of the document that no signature is verified with, for reports.

    One whose certificate has expired is not among them: it counts (see ``VerificationKey.expires_at``).
    """

    why: Unusable
    detail: str
    """What kind of key, or what the reader made of it. Fit for the log."""

    def __str__(self) -> str:
        return f"{self.why} ({self.detail})"


def signing_keys(role: Element) -> Iterator[VerificationKey | KeyLeftOut]:
    """The keys for signing; one without ``use`` is for everything (metadata 2.4.1.1)."""
    for descriptor in role.iterchildren(name(MD, "KeyDescriptor")):
        use = descriptor.get("use")
        if use in (None, "signing"):
            certificates = list(descriptor.iter(name(DS, "X509Certificate")))
            if not certificates:
                yield KeyLeftOut(why=Unusable.UNREADABLE, detail="no certificate")
            for certificate in certificates:
                yield _key(text(certificate), is_for_any_use=use is None)


def _key(encoded: str, *, is_for_any_use: bool) -> VerificationKey | KeyLeftOut:
    """One that cannot be used is left out, and hides no other one of the provider."""
    try:
        certificate = x509.load_der_x509_certificate(b64decode(_ARMOUR.sub("", encoded)))
        key = certificate.public_key()
        expires_at = certificate.not_valid_after_utc.timestamp()
        by_sha1 = certificate.signature_algorithm_oid in _BY_SHA1
    except UnsupportedAlgorithm as fault:
        return KeyLeftOut(why=Unusable.WRONG_KIND, detail=str(fault)[:120])
    except Exception as fault:  # noqa: BLE001  # x509.InvalidVersion and its like share no base class
        return KeyLeftOut(why=Unusable.UNREADABLE, detail=type(fault).__name__)
    if not isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
        return KeyLeftOut(
            why=Unusable.WRONG_KIND, detail=type(key).__name__.removesuffix("PublicKey")
        )
    if not is_strong(key):
        return KeyLeftOut(why=Unusable.TOO_WEAK, detail=_described(key))
    return VerificationKey(
        key=key,
        expires_at=expires_at,
        is_for_any_use=is_for_any_use,
        is_certified_by_sha1=by_sha1,
    )


def _described(key: PublicKey) -> str:
    kind = "RSA" if isinstance(key, rsa.RSAPublicKey) else key.curve.name
    return f"{kind}, {key.key_size} bits"
