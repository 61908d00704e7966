"""TLS certificates for ``localhost`` that no authority has signed."""

from __future__ import annotations

import datetime as dt
import ssl
import tempfile
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def self_signed(context: ssl.SSLContext) -> None:
    """Load one into a server's context."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "server.pem"
        path.write_bytes(_pem())
        context.load_cert_chain(path)


@cache
def _pem() -> bytes:
    """Private key and certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    return key_pem(key) + certificate_pem(key)


def write_pair(folder: Path, key: Key | None = None) -> tuple[Path, Path]:
    """Certificate and key as files in ``folder``, over those that are there."""
    chain, private = folder / "tls.crt", folder / "tls.key"
    key = key or ec.generate_private_key(ec.SECP256R1())
    chain.write_bytes(certificate_pem(key))
    private.write_bytes(key_pem(key))
    return chain, private


def key_pem(key: Key) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def certificate_pem(key: Key) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(Encoding.PEM)
