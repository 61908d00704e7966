"""Sign-ins at oidc-provider (npm, OpenID certified), in a real browser, through a broker that runs as a
user runs it. The provider demands PKCE and nonce, and ends sessions by back channel."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.kit import node
from tests.kit.jose import ec_key
from tests.kit.scene import APP, Scene, Watched, origin, secluded_page
from tests.kit.servers import free_port
from tests.kit.serving import Serving, serving
from tests.kit.world import POOL_ID, WEB
from tests.kit.wsgi import served

pytestmark = pytest.mark.chromium

CALLBACK, RETURN = "/oauth2/idpresponse", "/oauth2/logoutresponse"
SECRET = "a secret: with/odd+characters & 40 of them"


@dataclass(frozen=True, kw_only=True)
class AtProvider(Scene):
    """The person at the provider's pages."""

    issuer: str

    def answer_login(self, name: str) -> None:
        self.see(self.page.get_by_role("heading", name="Sign-in"))
        assert self.page.url.startswith(f"{self.issuer}/interaction/")
        self.page.get_by_placeholder("Enter any login").fill(name)
        self.page.get_by_placeholder("and password").fill("any")
        self.page.get_by_role("button", name="Sign-in").click()

    def consent(self) -> None:
        self.see(self.page.get_by_role("heading", name="Authorize"))
        self.page.get_by_role("button", name="Continue").click()

    def sign_in(self, name: str, provider: str = "Certified", **more: str) -> dict[str, str]:
        self.page.goto(self.authorize_url(provider, **more))
        self.answer_login(name)
        self.consent()
        return self.at_the_callback()

    def confirm_sign_out(self) -> None:
        self.see(self.page.get_by_text("Do you want to sign-out from"))
        self.page.get_by_role("button", name="Yes, sign me out").click()

    def is_asked_to_sign_in(self, provider: str = "Certified") -> None:
        self.page.goto(self.authorize_url(provider))
        self.see(self.page.get_by_placeholder("and password"))

    def is_dead(self, refresh_token: str) -> bool:
        reply = self.refresh(refresh_token)
        return (reply.status, json.loads(reply.body).get("error")) == (400, "invalid_grant")


@pytest.fixture(scope="module")
def app() -> Iterator[str]:
    with served(APP) as url:
        yield url


@pytest.fixture(scope="module")
def broker_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def issuer(broker_port: int) -> Iterator[str]:
    port = free_port()
    with node.running("openid_provider.mjs") as program:
        program.tell({"port": port, "clients": clients(broker_port)})
        assert program.hear() == {"listening": port}
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def broker(
    tmp_path_factory: pytest.TempPathFactory, certs: Path, app: str, issuer: str, broker_port: int
) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("broker")
    document = configuration(origin(broker_port), app, issuer)
    with serving(folder, document, certs=certs, port=broker_port) as running:
        yield running


@pytest.fixture
def scene(app: str, broker: Serving, issuer: str, chromium: Browser) -> AtProvider:
    return AtProvider(app=app, broker=broker, issuer=issuer, page=secluded_page(chromium))


def clients(broker_port: int) -> list[dict[str, Any]]:
    """What an administrator registers at the provider: one client for each way to sign."""
    domain = origin(broker_port)
    registered = {
        "redirect_uris": [domain + CALLBACK],
        "post_logout_redirect_uris": [domain + RETURN],
        "backchannel_logout_uri": f"http://127.0.0.1:{broker_port}/oauth2/backchannel-logout",
    }
    return [
        {
            "client_id": "plain",
            "client_secret": SECRET,
            "token_endpoint_auth_method": "client_secret_post",
            **registered,
        },
        {
            "client_id": "elliptic",
            "jwks": {"keys": [ec_key("broker").jwk(alg="ES256")]},
            "token_endpoint_auth_method": "private_key_jwt",
            "id_token_signed_response_alg": "ES256",
            **registered,
        },
    ]


def configuration(domain: str, app: str, issuer: str) -> dict[str, Any]:
    client = {
        **WEB,
        "CallbackURLs": [f"{app}/callback"],
        "LogoutURLs": [f"{app}/signed-out"],
        "AllowedOAuthScopes": ["openid", "email", "profile"],
        "ReadAttributes": ["email", "email_verified", "name", "custom:country", "custom:groups"],
        "SupportedIdentityProviders": ["Certified", "Elliptic"],
    }
    elliptic = {
        "client_id": "elliptic",
        "private_key": ec_key("broker").private_pem(),
        "key_id": "broker",
        "token_endpoint_auth_signing_alg": "ES256",
        "id_token_signed_response_alg": "ES256",
        "authorize_url": f"{issuer}/auth?response_mode=form_post",
    }
    pool = {
        "Id": POOL_ID,
        "Domain": domain,
        "UserPoolClients": [client],
        "IdentityProviders": [
            provider("Certified", issuer, {"client_id": "plain", "client_secret": SECRET}),
            provider("Elliptic", issuer, elliptic),
        ],
        "SchemaAttributes": [
            {"Name": name, "AttributeDataType": "String", "Mutable": True}
            for name in ("country", "groups")
        ],
    }
    return {"UserPools": [pool]}


def provider(name: str, issuer: str, details: dict[str, str]) -> dict[str, Any]:
    described = {
        "oidc_issuer": issuer,
        "authorize_scopes": "openid email profile",
        "attributes_request_method": "GET",
        "IDPSignout": "true",
    }
    return {
        "ProviderName": name,
        "ProviderType": "OIDC",
        "ProviderDetails": {**described, **details},
        "AttributeMapping": {
            "email": "email",
            "email_verified": "email_verified",
            "name": "name",
            "custom:country": "address.country",
            "custom:groups": "groups",
            "username": "sub",
        },
    }


def assert_is_zoe(claims: dict[str, Any], issuer: str, provider_name: str = "Certified") -> None:
    assert claims["cognito:username"] == f"{provider_name}_zoë"
    assert claims["email"] == "zoë@op.example"
    assert claims["email_verified"] is True
    assert claims["name"] == "Zoë Öberg"
    assert claims["custom:country"] == "NL"
    assert claims["custom:groups"] == "[staff, R%26D]"
    assert claims["nonce"] == "nonce-1"
    assert claims["identities"][0]["issuer"] == issuer


def test_a_sign_in(scene: AtProvider) -> None:
    watched = Watched(scene.page)
    answer = scene.sign_in("zoë", login_hint="zoë")
    assert answer["state"] == "state-1"
    assert_is_zoe(scene.claims(scene.tokens(answer["code"])["id_token"]), scene.issuer)

    asked = watched.query(f"{scene.issuer}/auth")
    assert asked["code_challenge_method"] == "S256"
    assert asked["login_hint"] == "zoë"
    assert asked["nonce"] != "nonce-1"
    told = watched.query(scene.origin + CALLBACK)
    assert told["iss"] == scene.issuer
    assert told["state"] == asked["state"]


def test_by_form_post_with_elliptic_keys_on_both_sides(scene: AtProvider) -> None:
    """The provider posts from another site; the broker proves itself by ``private_key_jwt``."""
    watched = Watched(scene.page)
    answer = scene.sign_in("zoë", "Elliptic")
    claims = scene.claims(scene.tokens(answer["code"])["id_token"])
    assert_is_zoe(claims, scene.issuer, "Elliptic")
    assert watched.to(scene.origin + CALLBACK).method == "POST"
    assert watched.form(scene.origin + CALLBACK)["iss"] == scene.issuer


def test_a_sign_in_that_is_cancelled_and_begun_again(scene: AtProvider) -> None:
    scene.page.goto(scene.authorize_url("Certified"))
    scene.page.get_by_role("link", name="Cancel").click()
    answer = scene.at_the_callback()
    assert answer["error"] == "access_denied"
    assert answer["error_description"] == (
        "Certified Error - access_denied End-User aborted interaction"
    )
    assert answer["state"] == "state-1"
    assert "code" in scene.sign_in("zoë")


def test_prompt_login_asks_a_person_who_is_signed_in(scene: AtProvider) -> None:
    scene.sign_in("zoë")
    scene.page.goto(scene.authorize_url("Certified", prompt="login"))
    scene.answer_login("zoë")
    assert "code" in scene.at_the_callback()


def test_a_sign_out_at_the_app_ends_both_sessions(scene: AtProvider) -> None:
    tokens = scene.tokens(scene.sign_in("max")["code"])
    watched = Watched(scene.page)
    scene.leave()
    scene.confirm_sign_out()
    scene.is_signed_out_at_the_app()

    asked = watched.query(f"{scene.issuer}/session/end")
    assert asked["client_id"] == "plain"
    assert asked["id_token_hint"].count(".") == 2
    assert watched.query(scene.origin + RETURN) == {"state": asked["state"]}
    assert scene.is_dead(tokens["refresh_token"])  # by the provider's back channel
    scene.is_asked_to_sign_in()


def test_a_sign_out_at_the_provider_ends_sessions_and_tokens(scene: AtProvider) -> None:
    """And those of nobody else."""
    others = scene.tokens(scene.sign_in("ann")["code"])
    scene.page.context.clear_cookies()
    tokens = scene.tokens(scene.sign_in("eva")["code"])
    assert scene.refresh(tokens["refresh_token"]).status == 200

    scene.page.goto(f"{scene.issuer}/session/end")
    scene.confirm_sign_out()
    scene.see(scene.page.get_by_role("heading", name="Sign-out Success"))
    assert scene.is_dead(tokens["refresh_token"])
    assert scene.refresh(others["refresh_token"]).status == 200
    scene.is_asked_to_sign_in()  # by a browser that has kept the broker's cookie
