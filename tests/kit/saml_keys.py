"""Key pairs and certificates for tests: made at run time, once per process and name, never stored.

Owns the keys. Whether a pair belongs to an identity provider, to the broker or to an attacker is
said by the name it is asked for under.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, cached_property

import xmlsec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey

_CURVES = {
    "ec-192": ec.SECP192R1,
    "ec-256": ec.SECP256R1,
    "ec-384": ec.SECP384R1,
    "ec-521": ec.SECP521R1,
}


@dataclass(frozen=True)
class KeyPair:
    """A private key and its self-signed certificate."""

    private: PrivateKey
    certificate: x509.Certificate

    @property
    def is_rsa(self) -> bool:
        return isinstance(self.private, rsa.RSAPrivateKey)

    @cached_property
    def private_pem(self) -> bytes:
        return self.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    @cached_property
    def certificate_pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    @cached_property
    def certificate_base64(self) -> str:
        """The certificate as ``ds:X509Certificate`` carries it."""
        return base64.b64encode(self.certificate.public_bytes(Encoding.DER)).decode()

    @cached_property
    def xmlsec_key(self) -> xmlsec.Key:
        """Adopting a key costs libxmlsec milliseconds, so it is done once."""
        return xmlsec.Key.from_memory(self.private_pem, xmlsec.KeyFormat.PEM)


@cache
def key_pair(name: str, kind: str = "rsa-2048", *, expired: bool = False) -> KeyPair:
    """The pair called ``name``. ``kind``: ``rsa-<bits>``, ``ec-256``, ``ec-384``, ``ec-521``,
    ``ec-192`` or ``ed25519``.

    Certificates are valid for all of this century, so that tests may move their clock;
    ``expired`` ones ended before it.
    """
    private = _private_key(kind)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    first, last = (1990, 1999) if expired else (2000, 2099)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime(first, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(last, 1, 1, tzinfo=UTC))
    )
    is_edwards = isinstance(private, ed25519.Ed25519PrivateKey)
    return KeyPair(private, builder.sign(private, None if is_edwards else hashes.SHA256()))


def _private_key(kind: str) -> PrivateKey:
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    family, size = kind.split("-")
    if family == "rsa":
        return rsa.generate_private_key(public_exponent=65537, key_size=int(size))
    return ec.generate_private_key(_CURVES[kind]())
