"""Keys, made once per run: RSA key generation is the slowest thing in these tests."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa


def new_rsa(bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


@pytest.fixture(scope="session")
def idp_key() -> rsa.RSAPrivateKey:
    return new_rsa()


@pytest.fixture(scope="session")
def other_key() -> rsa.RSAPrivateKey:
    return new_rsa()


@pytest.fixture(scope="session")
def short_key() -> rsa.RSAPrivateKey:
    return new_rsa(1024)


@pytest.fixture(scope="session")
def pool_key() -> rsa.RSAPrivateKey:
    return new_rsa()


@pytest.fixture(scope="session")
def ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())
