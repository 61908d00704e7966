"""The keys of the parties, by their names."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tests.saml import builders


@pytest.fixture(scope="session")
def idp_key() -> rsa.RSAPrivateKey:
    return builders.rsa_key("idp")


@pytest.fixture(scope="session")
def other_key() -> rsa.RSAPrivateKey:
    return builders.rsa_key("other")


@pytest.fixture(scope="session")
def short_key() -> rsa.RSAPrivateKey:
    return builders.rsa_key("short", 1024)


@pytest.fixture(scope="session")
def pool_key() -> rsa.RSAPrivateKey:
    return builders.rsa_key("pool")


@pytest.fixture(scope="session")
def ec_key() -> ec.EllipticCurvePrivateKey:
    return builders.ec_key("idp")
