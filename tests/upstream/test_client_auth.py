"""How the broker authenticates at token endpoints."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey

from broker.model.errors import Reason, UpstreamError
from broker.model.pool import OAuthSettings
from broker.upstream.client_auth import ASSERTION_TYPE, armoured, configured
from broker.upstream.discovery import ProviderMetadata
from tests.kit.clock import ManualClock
from tests.kit.jose import JoseKey, ec_key, ed_key, rsa_key

TOKEN_URL = "https://op.example/token"


def metadata(*methods: str) -> ProviderMetadata:
    return ProviderMetadata(issuer="https://op.example", token_url=TOKEN_URL, auth_methods=methods)


@pytest.mark.parametrize(
    "methods",
    [(), ("client_secret_post",), ("client_secret_basic", "client_secret_post"), ("unheard_of",)],
)
def test_the_secret_goes_into_the_body(methods: tuple[str, ...], clock: ManualClock) -> None:
    settings = OAuthSettings(client_id="id", client_secret="secret")

    credentials = configured(settings, clock)(metadata(*methods))

    assert credentials.form == {"client_id": "id", "client_secret": "secret"}
    assert credentials.headers == {}


def test_basic_where_only_that_is_offered(clock: ManualClock) -> None:
    settings = OAuthSettings(client_id="id:1", client_secret="s e/c+ré%t")

    credentials = configured(settings, clock)(metadata("client_secret_basic"))

    pair = base64.b64decode(credentials.headers["Authorization"].removeprefix("Basic "))
    assert pair == b"id%3A1:s+e%2Fc%2Br%C3%A9%25t"
    assert credentials.form == {}


@pytest.mark.parametrize(
    ("key", "kind", "extra", "alg"),
    [
        (rsa_key(), RSAKey, {}, "RS256"),
        (rsa_key(), RSAKey, {"token_endpoint_auth_signing_alg": "PS256"}, "PS256"),
        (ec_key(), ECKey, {}, "ES256"),
        (ec_key("p384", "P-384"), ECKey, {}, "ES384"),
        (ed_key(), OKPKey, {}, "Ed25519"),
    ],
)
def test_a_private_key_signs_an_assertion(
    clock: ManualClock, key: JoseKey, kind: Any, extra: dict[str, str], alg: str
) -> None:
    settings = OAuthSettings(
        client_id="id", extra={"private_key": key.private_pem(), "key_id": "k1", **extra}
    )
    authenticate = configured(settings, clock)

    first, second = (authenticate(metadata("private_key_jwt")).form for _ in range(2))

    assertion = jwt.decode(
        first["client_assertion"], kind.import_key(key.public_pem()), algorithms=[alg]
    )
    assert first["client_id"] == "id"
    assert first["client_assertion_type"] == ASSERTION_TYPE
    assert "client_secret" not in first
    assert (assertion.header["alg"], assertion.header["kid"]) == (alg, "k1")
    now = int(clock.now())
    jti = assertion.claims.pop("jti")
    assert assertion.claims == {
        "iss": "id",
        "sub": "id",
        "aud": TOKEN_URL,
        "iat": now,
        "exp": now + 300,
    }
    assert len(jti) >= 16
    assert first["client_assertion"] != second["client_assertion"]


@pytest.mark.parametrize("key", [rsa_key(), ec_key()])
def test_a_key_may_be_pasted_in_any_form(key: JoseKey) -> None:
    pem = key.private_pem()
    bare = "".join(pem.splitlines()[1:-1])

    for pasted in (pem, pem.strip(), pem.replace("\n", "\\n"), bare, f"  {bare}\n", pem + "\n\n"):
        loaded = load_pem_private_key(armoured(pasted).encode(), password=None)
        assert loaded.public_key() == key.private.public_key()


@pytest.mark.parametrize("pem", ["nonsense", "-----BEGIN PRIVATE KEY-----", "", "AAAA", "é"])
def test_what_is_no_key_is_a_fault_of_the_configuration(clock: ManualClock, pem: str) -> None:
    settings = OAuthSettings(client_id="id", extra={"private_key": pem})

    with pytest.raises(UpstreamError) as caught:
        configured(settings, clock)(metadata())

    assert caught.value.reason is Reason.OIDC_NOT_CONFIGURED
    assert pem not in str(caught.value) or not pem
