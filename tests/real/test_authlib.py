"""Authlib's OAuth client: sign in, refresh, read, revoke, for the app and for itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import OAuth2Client
from joserfc import jwt
from joserfc.jwk import KeySet

from tests.kit.live import CALLBACK, SERVER, SPA, Live, live
from tests.kit.world import SECRET

ODD_SECRET = "p+lus-and/slash=42"
"""What clients encode in different ways before they send it by Basic."""

ODD = {**SERVER, "ClientId": "odd", "ClientSecret": ODD_SECRET}
MACHINE = {
    "ClientId": "machine",
    "ClientSecret": SECRET,
    "AllowedOAuthFlowsUserPoolClient": True,
    "AllowedOAuthFlows": ["client_credentials"],
    "AllowedOAuthScopes": ["api/read"],
}


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory, certs: Path) -> Iterator[Live]:
    folder = tmp_path_factory.mktemp("authlib")
    with live(folder, certs, clients=[SERVER, SPA, ODD, MACHINE]) as running:
        yield running


@pytest.fixture(scope="module")
def metadata(broker: Live) -> dict[str, Any]:
    url = f"{broker.issuer}/.well-known/openid-configuration"
    found: dict[str, Any] = httpx2.get(url, trust_env=False).json()
    return found


def session(client_id: str, secret: str | None, **how: Any) -> Any:
    return OAuth2Client(
        client_id,
        secret,
        redirect_uri=CALLBACK,
        scope="openid email",
        code_challenge_method="S256",
        trust_env=False,
        **how,
    )


CLIENTS = [
    ("web", SECRET, "client_secret_basic"),
    ("web", SECRET, "client_secret_post"),
    ("odd", ODD_SECRET, "client_secret_basic"),
    ("odd", ODD_SECRET, "client_secret_post"),
    ("spa", None, "none"),
]


@pytest.mark.parametrize(("client_id", "secret", "method"), CLIENTS)
def test_the_whole_life_of_a_sign_in(
    broker: Live, metadata: dict[str, Any], client_id: str, secret: str | None, method: str
) -> None:
    verifier = "authlib-" * 6
    with (
        session(client_id, secret, token_endpoint_auth_method=method) as app,
        broker.person() as who,
    ):
        url, state = app.create_authorization_url(
            metadata["authorization_endpoint"], code_verifier=verifier, nonce="n-1"
        )
        back = who.follows(url)
        token = app.fetch_token(
            metadata["token_endpoint"],
            authorization_response=back,
            code_verifier=verifier,
            state=state,
        )
        keys = KeySet.import_key_set(httpx2.get(metadata["jwks_uri"], trust_env=False).json())
        claims = jwt.decode(token["id_token"], keys, algorithms=["RS256"]).claims
        jwt.JWTClaimsRegistry(
            iss={"essential": True, "value": metadata["issuer"]},
            aud={"essential": True, "value": client_id},
            nonce={"essential": True, "value": "n-1"},
        ).validate(claims)

        info = app.get(metadata["userinfo_endpoint"]).json()
        assert info["sub"] == claims["sub"]
        assert info["email"] == "alice@example.test"

        first = token["access_token"]
        app.refresh_token(metadata["token_endpoint"], refresh_token=token["refresh_token"])
        assert app.token["access_token"] != first

        revoked = app.revoke_token(metadata["revocation_endpoint"], token["refresh_token"])
        assert revoked.status_code == 200
        assert app.get(metadata["userinfo_endpoint"]).status_code == 401
        with pytest.raises(OAuthError, match="invalid_grant"):
            app.refresh_token(metadata["token_endpoint"], refresh_token=token["refresh_token"])

        # Signed out, the person has to go to the provider again.
        assert not who.is_sent_to_the_provider(url)
        home = "https://app.example.test/"
        leave = f"{metadata['end_session_endpoint']}?id_token_hint={token['id_token']}"
        assert who.follows(f"{leave}&post_logout_redirect_uri={home}") == home
        assert who.is_sent_to_the_provider(url)


def test_a_machine(metadata: dict[str, Any]) -> None:
    with OAuth2Client("machine", SECRET, scope="api/read", trust_env=False) as machine:
        token = machine.fetch_token(metadata["token_endpoint"], grant_type="client_credentials")
    assert set(token) >= {"access_token", "expires_in", "token_type"}
    assert "refresh_token" not in token
    assert "id_token" not in token


def test_errors_reach_the_library_by_name(metadata: dict[str, Any]) -> None:
    with (
        OAuth2Client("machine", "wrong", scope="api/read", trust_env=False) as machine,
        pytest.raises(OAuthError, match="invalid_client"),
    ):
        machine.fetch_token(metadata["token_endpoint"], grant_type="client_credentials")
    with (
        OAuth2Client("machine", SECRET, scope="openid", trust_env=False) as machine,
        pytest.raises(OAuthError, match="invalid_scope"),
    ):
        machine.fetch_token(metadata["token_endpoint"], grant_type="client_credentials")
