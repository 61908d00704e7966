"""Reads single key files: what is in them must be what their names say."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import cast

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from broker.model.pool import SigningAlgorithm
from broker.model.tokens import CertifiedKey, SigningKey
from broker.stores.key_files import Files, token_role
from broker.stores.key_making import PrivateKey, private_pem


class UnusableFileError(Exception):
    """Somebody has to look at it: the broker does not replace a key."""


def token_files(
    files: Files, role: str, signing: SigningAlgorithm
) -> Sequence[tuple[Path, SigningAlgorithm]]:
    """The files of a token role in the order of their use: the one that signs, then those that
    verify."""
    algorithms = sorted(SigningAlgorithm, key=lambda algorithm: algorithm is not signing)
    return [
        (path, algorithm)
        for algorithm in algorithms
        for path in reversed(files.get(token_role(role, algorithm), ()))
    ]


def signing_key(path: Path, algorithm: SigningAlgorithm) -> SigningKey:
    key = _private_key(path)
    if not isinstance(key, _KEY_TYPES[algorithm]):
        raise UnusableFileError(f"{path.name} holds no key for {algorithm}")
    return SigningKey(kid=key_id(key), algorithm=algorithm, private_pem=private_pem(key))


_KEY_TYPES = {
    SigningAlgorithm.RS256: rsa.RSAPrivateKey,
    SigningAlgorithm.ES256: ec.EllipticCurvePrivateKey,
}


def key_id(key: PrivateKey) -> str:
    """``kid``: base64 of the SHA-256 of the public key, which looks like Cognito's."""
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return b64encode(sha256(public).digest()).decode()


def certified_key(path: Path) -> CertifiedKey:
    """The pair in a file, whose certificate need not come after its key."""
    key = private_pem(_private_key(path))
    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
    except ValueError as error:
        raise UnusableFileError(f"{path.name} holds no certificate: {error}") from error
    return CertifiedKey(private_pem=key, certificate_pem=certificate.public_bytes(Encoding.PEM))


def _private_key(path: Path) -> PrivateKey:
    """The key in a file, whole: OpenSSL's own proof of that takes a hundred times as long as this
    one, which is what many pools spend their start with."""
    try:
        loaded = load_pem_private_key(
            path.read_bytes(), password=None, unsafe_skip_rsa_key_validation=True
        )
        key = cast("PrivateKey", loaded)
        _signs_what_it_verifies(key)
    except (TypeError, ValueError, InvalidSignature) as error:
        raise UnusableFileError(f"{path.name} holds no private key: {error}") from error
    return key


def _signs_what_it_verifies(key: PrivateKey) -> None:
    """A key whose parts do not belong together would give itself away in its first signature."""
    if isinstance(key, rsa.RSAPrivateKey):
        signature = key.sign(b"", padding.PKCS1v15(), SHA256())
        key.public_key().verify(signature, b"", padding.PKCS1v15(), SHA256())
    elif isinstance(key, ec.EllipticCurvePrivateKey):
        signature = key.sign(b"", ec.ECDSA(SHA256()))
        key.public_key().verify(signature, b"", ec.ECDSA(SHA256()))
