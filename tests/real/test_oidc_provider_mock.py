"""Sign-ins at oidc-provider-mock (PyPI, on Authlib), in a real browser. It supports no PKCE and sends no
``iss``, and makes no difference between clients: what a small provider looks like."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.kit.scene import APP, PATIENCE, Scene, Watched, origin, secluded_page
from tests.kit.servers import free_port
from tests.kit.serving import Serving, serving
from tests.kit.world import POOL_ID, WEB
from tests.kit.wsgi import served

pytestmark = [
    pytest.mark.chromium,
    # It uses parts of Authlib that Authlib is about to drop.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


@dataclass(frozen=True, kw_only=True)
class AtProvider(Scene):
    """The person at the provider's pages."""

    issuer: str

    def answer(self, button: str) -> dict[str, str]:
        self.page.goto(self.authorize_url("Mock"))
        self.page.get_by_role("button", name=button).click(timeout=PATIENCE)
        return self.at_the_callback()


@pytest.fixture(scope="module")
def app() -> Iterator[str]:
    with served(APP) as url:
        yield url


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    with warnings.catch_warnings(record=True):  # the same, at import
        import oidc_provider_mock
    claims = {"email": "jané@mock.example", "name": "Jané", "roles": ["a b", "c"]}
    users = [oidc_provider_mock.User(sub="jané|1", claims=claims)]
    with served(oidc_provider_mock.app(user_claims=users)) as url:
        yield url


@pytest.fixture(scope="module")
def broker(
    tmp_path_factory: pytest.TempPathFactory, certs: Path, app: str, issuer: str
) -> Iterator[Serving]:
    port = free_port()
    folder = tmp_path_factory.mktemp("broker")
    with serving(folder, configuration(origin(port), app, issuer), certs=certs, port=port) as up:
        yield up


@pytest.fixture
def scene(app: str, broker: Serving, issuer: str, chromium: Browser) -> AtProvider:
    return AtProvider(app=app, broker=broker, issuer=issuer, page=secluded_page(chromium))


def configuration(domain: str, app: str, issuer: str) -> dict[str, Any]:
    client = {
        **WEB,
        "CallbackURLs": [f"{app}/callback"],
        "LogoutURLs": [f"{app}/signed-out"],
        "AllowedOAuthScopes": ["openid", "email", "profile"],
        "ReadAttributes": ["email", "email_verified", "name", "custom:roles"],
        "SupportedIdentityProviders": ["Mock"],
    }
    provider = {
        "ProviderName": "Mock",
        "ProviderType": "OIDC",
        "ProviderDetails": {
            "client_id": "any",
            "client_secret": "any",
            "oidc_issuer": issuer,
            "authorize_scopes": "openid email profile",
            "attributes_request_method": "POST",
            "IDPSignout": "true",
        },
        "AttributeMapping": {"email": "email", "name": "name", "custom:roles": "roles"},
    }
    pool = {
        "Id": POOL_ID,
        "Domain": domain,
        "UserPoolClients": [client],
        "IdentityProviders": [provider],
        "SchemaAttributes": [{"Name": "roles", "AttributeDataType": "String", "Mutable": True}],
    }
    return {"UserPools": [pool]}


def test_a_sign_in(scene: AtProvider) -> None:
    watched = Watched(scene.page)
    claims = scene.claims(scene.tokens(scene.answer("jané|1")["code"])["id_token"])
    assert claims["cognito:username"] == "Mock_jané|1"
    assert claims["email"] == "jané@mock.example"
    assert claims["name"] == "Jané"
    assert claims["custom:roles"] == "[a+b, c]"
    assert claims["identities"][0]["issuer"] == scene.issuer
    assert "code_challenge" not in watched.query(f"{scene.issuer}/oauth2/authorize")


def test_the_person_says_no(scene: AtProvider) -> None:
    """Its ``access_denied`` comes without ``state``: nothing proves whose sign-in has ended."""
    scene.page.goto(scene.authorize_url("Mock"))
    scene.page.get_by_role("button", name="Deny").click(timeout=PATIENCE)
    scene.see(scene.page.get_by_role("heading", name="Your sign-in could not be verified"))
    assert scene.page.url.startswith(f"{scene.origin}/oauth2/idpresponse?error=access_denied")
    assert "code" in scene.answer("jané|1")


def test_a_sign_out_at_the_app_goes_round_by_the_provider(scene: AtProvider) -> None:
    scene.answer("jané|1")
    watched = Watched(scene.page)
    scene.leave()
    scene.page.get_by_role("button", name="End session").click(timeout=PATIENCE)
    scene.is_signed_out_at_the_app()
    asked = watched.query(f"{scene.issuer}/oauth2/end_session")
    assert asked["id_token_hint"].count(".") == 2
    assert watched.query(f"{scene.origin}/oauth2/logoutresponse") == {"state": asked["state"]}
    scene.page.goto(scene.authorize_url("Mock", prompt="none"))
    assert scene.at_the_callback()["error"] == "login_required"
