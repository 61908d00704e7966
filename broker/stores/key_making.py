"""Makes keys and writes their files: each whole, for the owner alone, and by one process.

How files are called is in ``key_files.py``, how they are read in ``keys.py``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from broker.model.pool import SigningAlgorithm
from broker.stores.key_files import files_in, next_name
from broker.stores.locks import file_lock

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

CERTIFICATE_DAYS = 3650
"""Identity providers pin the certificate: it changes when somebody rotates it, not by itself."""


def make_missing(directory: Path, recipes: Mapping[str, Callable[[], bytes]]) -> None:
    """One process makes, the others wait and find. A directory that is complete is not written
    to, so it may be read-only."""
    if not directory.is_dir() or _missing(directory, recipes):
        with sole_maker(directory):
            for role in _missing(directory, recipes):
                write_key(directory / next_name(role, {}), recipes[role]())


@contextmanager
def sole_maker(directory: Path) -> Iterator[None]:
    """Alone among processes, in a directory that exists."""
    for each in (directory.parent, directory):
        each.mkdir(mode=0o700, parents=True, exist_ok=True)
    with file_lock(directory / ".lock"):
        yield


def _missing(directory: Path, roles: Iterable[str]) -> Sequence[str]:
    found = files_in(directory)
    return [role for role in roles if role not in found]


def write_key(path: Path, content: bytes) -> None:
    """Whole or not at all, also if the machine stops in the middle."""
    unfinished = path.with_name(f".{path.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    unfinished.rename(path)


def _rsa_key() -> PrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _p256_key() -> PrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


_TOKEN_KEYS: Mapping[SigningAlgorithm, Callable[[], PrivateKey]] = {
    SigningAlgorithm.RS256: _rsa_key,
    SigningAlgorithm.ES256: _p256_key,
}


def token_key_pem(algorithm: SigningAlgorithm) -> bytes:
    return private_pem(_TOKEN_KEYS[algorithm]())


def private_pem(key: PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def certified_pem(*, common_name: str, now: float) -> bytes:
    """RSA, because every identity provider can encrypt to it and verify it."""
    key = _rsa_key()
    return private_pem(key) + _self_signed(key, common_name, now).public_bytes(Encoding.PEM)


def _self_signed(key: PrivateKey, common_name: str, now: float) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    today = datetime.fromtimestamp(now, UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - timedelta(days=1))  # the identity provider's clock may be behind
        .not_valid_after(today + timedelta(days=CERTIFICATE_DAYS))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, SHA256())
    )
