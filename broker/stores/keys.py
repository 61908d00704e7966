"""Key material of this installation: a directory for each pool, made when the pool is first used.

Owns which files there are and what they mean; ``key_making.py`` makes them. The files of a role
are numbered and the highest number comes first, so a rotation adds a file and retiring a key
removes one. A file is never changed and never made anew:

``id-token.<alg>.<n>.pem``, ``access-token.<alg>.<n>.pem``
    a private key each: an ID token is signed by another key than an access token
``saml-signing.<n>.pem``, ``saml-encryption.<n>.pem``
    a private key and its self-signed certificate
"""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import cast

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from broker.model.errors import StoreUnavailableError
from broker.model.pool import SigningAlgorithm, UserPool
from broker.model.tokens import CertifiedKey, PoolKeys, SigningKey
from broker.ports import Clock
from broker.stores.key_making import (
    PrivateKey,
    certified_pem,
    files_of,
    make_missing,
    private_pem,
    token_key_pem,
)

TOKEN_ROLES = ("id-token", "access-token")
SAML_ROLES = ("saml-signing", "saml-encryption")


class _UnusableFileError(Exception):
    """Somebody has to look at it: the broker does not replace a key."""


class FileKeyStore:
    """``ports.KeyStore`` below one directory. A pool's keys are read once; make a new store to
    read them again."""

    def __init__(self, directory: Path, *, clock: Clock) -> None:
        self._directory = directory
        self._clock = clock
        self._read: dict[tuple[str, SigningAlgorithm], PoolKeys] = {}

    def pool_keys(self, pool: UserPool) -> PoolKeys:
        """Raises ``StoreUnavailableError`` for a directory or a file that cannot be used."""
        name = (pool.id, pool.signing_algorithm)
        found = self._read.get(name)
        return found or self._read.setdefault(name, self._load_or_make(pool))

    def make_all(self, pools: Iterable[UserPool]) -> None:
        """Make what is missing, so that no sign-in waits for it (a fifth of a second a pool)."""
        for pool in pools:
            self.pool_keys(pool)

    def ping(self) -> None:
        """Raises ``StoreUnavailableError`` if keys can be neither read nor made."""
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.scandir(self._directory).close()
        except OSError as error:
            raise StoreUnavailableError(f"keys: {error}") from error

    def _load_or_make(self, pool: UserPool) -> PoolKeys:
        directory = self._directory / pool.id
        try:
            make_missing(directory, self._recipes(pool))
            return _load(directory, pool.signing_algorithm)
        except (OSError, _UnusableFileError) as error:
            raise StoreUnavailableError(f"keys of pool {pool.id}: {error}") from error

    def _recipes(self, pool: UserPool) -> Mapping[str, Callable[[], bytes]]:
        """Role -> what makes its first file."""
        token_key = partial(token_key_pem, pool.signing_algorithm)
        certified = partial(certified_pem, common_name=pool.id, now=self._clock.now())
        return {
            **{_token_role(role, pool.signing_algorithm): token_key for role in TOKEN_ROLES},
            **dict.fromkeys(SAML_ROLES, certified),
        }


def _token_role(role: str, algorithm: SigningAlgorithm) -> str:
    return f"{role}.{algorithm.value.lower()}"


def _load(directory: Path, signing: SigningAlgorithm) -> PoolKeys:
    """Keys of the algorithm the pool has left behind come last: they only verify."""
    algorithms = sorted(SigningAlgorithm, key=lambda algorithm: algorithm is not signing)
    id_token, access_token = (
        tuple(
            _signing_key(path, algorithm)
            for algorithm in algorithms
            for path in files_of(directory, _token_role(role, algorithm))
        )
        for role in TOKEN_ROLES
    )
    saml_signing, saml_encryption = (
        tuple(_certified_key(path) for path in files_of(directory, role)) for role in SAML_ROLES
    )
    return PoolKeys(
        id_token=id_token,
        access_token=access_token,
        saml_signing=saml_signing,
        saml_encryption=saml_encryption,
    )


def _signing_key(path: Path, algorithm: SigningAlgorithm) -> SigningKey:
    key = _private_key(path)
    if not isinstance(key, _KEY_TYPES[algorithm]):
        raise _UnusableFileError(f"{path.name} holds no key for {algorithm}")
    return SigningKey(kid=key_id(key), algorithm=algorithm, private_pem=private_pem(key))


_KEY_TYPES = {
    SigningAlgorithm.RS256: rsa.RSAPrivateKey,
    SigningAlgorithm.ES256: ec.EllipticCurvePrivateKey,
}


def key_id(key: PrivateKey) -> str:
    """``kid``: base64 of the SHA-256 of the public key, which looks like Cognito's."""
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return b64encode(sha256(public).digest()).decode()


def _certified_key(path: Path) -> CertifiedKey:
    key = private_pem(_private_key(path))
    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
    except ValueError as error:
        raise _UnusableFileError(f"{path.name} holds no certificate: {error}") from error
    return CertifiedKey(private_pem=key, certificate_pem=certificate.public_bytes(Encoding.PEM))


def _private_key(path: Path) -> PrivateKey:
    try:
        return cast("PrivateKey", load_pem_private_key(path.read_bytes(), password=None))
    except (TypeError, ValueError) as error:
        raise _UnusableFileError(f"{path.name} holds no private key: {error}") from error
