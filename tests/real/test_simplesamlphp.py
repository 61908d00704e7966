"""Sign-ins at SimpleSAMLphp, in a real browser, through a broker that runs as a user runs it."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import pytest
from lxml import etree
from playwright.sync_api import Browser

from tests.kit import simplesamlphp
from tests.kit.saml_document import ASSERTION, PROTOCOL, SUCCESS
from tests.kit.scene import APP, Scene, Watched, origin
from tests.kit.servers import free_port
from tests.kit.serving import Serving, serving
from tests.kit.simplesamlphp import SimpleSamlPhp
from tests.kit.world import POOL_ID, WEB
from tests.kit.wsgi import served

pytestmark = pytest.mark.chromium

SP_ENTITY_ID = f"urn:amazon:cognito:sp:{POOL_ID}"
SSO, SLO = "/saml2/idp/SSOService.php", "/saml2/idp/SingleLogoutService.php"
SIGNATURE = "{http://www.w3.org/2000/09/xmldsig#}Signature"


@dataclass(frozen=True, kw_only=True)
class AtSimpleSamlPhp(Scene):
    """The person at SimpleSAMLphp's pages."""

    idp: SimpleSamlPhp

    def is_asked_for_the_password(self) -> None:
        self.see(self.page.get_by_label("Password"))
        assert self.page.url.startswith(self.idp.url)

    def give_the_password(self) -> dict[str, str]:
        """Sign in; what the app gets at its callback."""
        self.is_asked_for_the_password()
        self.page.get_by_label("Username").fill(simplesamlphp.USER)
        self.page.get_by_label("Password").fill(simplesamlphp.PASSWORD)
        self.page.get_by_role("button", name="Login").click()
        return self.at_the_callback()

    def sign_in(self, provider_name: str = "Corp") -> dict[str, str]:
        self.page.goto(self.authorize_url(provider_name))
        return self.give_the_password()

    def sign_out(self) -> None:
        self.leave()
        self.is_signed_out_at_the_app()


@pytest.fixture(scope="module")
def idp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleSamlPhp]:
    with simplesamlphp.running(tmp_path_factory.mktemp("simplesamlphp")) as server:
        yield server


@pytest.fixture(scope="module")
def app() -> Iterator[str]:
    with served(APP) as url:
        yield url


@pytest.fixture(scope="module")
def broker(
    tmp_path_factory: pytest.TempPathFactory, certs: Path, app: str, idp: SimpleSamlPhp
) -> Iterator[Serving]:
    port = free_port()
    document = configuration(origin(port), app, idp)
    folder = tmp_path_factory.mktemp("broker")
    with serving(folder, document, certs=certs, port=port) as running:
        idp.trust(running.get("/saml2/metadata").body)
        yield running


@pytest.fixture
def scene(
    app: str, broker: Serving, idp: SimpleSamlPhp, chromium: Browser
) -> Iterator[AtSimpleSamlPhp]:
    yield AtSimpleSamlPhp(app=app, broker=broker, idp=idp, page=chromium.new_page())
    idp.set()


def configuration(domain: str, app: str, idp: SimpleSamlPhp) -> dict[str, Any]:
    client = {
        **WEB,
        "CallbackURLs": [f"{app}/callback"],
        "LogoutURLs": [f"{app}/signed-out"],
        "AllowedOAuthScopes": ["openid", "email", "profile"],
        "ReadAttributes": ["email", "email_verified", "name", "custom:groups"],
        "SupportedIdentityProviders": ["Corp", "Sealed"],
    }
    pool = {
        "Id": POOL_ID,
        "Domain": domain,
        "UserPoolClients": [client],
        "IdentityProviders": [
            provider(idp, "Corp", IDPInit="true", IDPSignout="true"),
            provider(idp, "Sealed", EncryptedResponses="true"),
        ],
        "SchemaAttributes": [{"Name": "groups", "AttributeDataType": "String", "Mutable": True}],
    }
    return {"UserPools": [pool]}


def provider(idp: SimpleSamlPhp, name: str, **details: str) -> dict[str, Any]:
    described = {"MetadataURL": idp.metadata_url, "RequestSigningAlgorithm": "rsa-sha256"}
    return {
        "ProviderName": name,
        "ProviderType": "SAML",
        "ProviderDetails": {**described, **details},
        "AttributeMapping": {"email": "mail", "name": "displayName", "custom:groups": "groups"},
    }


class WatchedMessages(Watched):
    """The SAML messages that cross the browser, by the path they go to."""

    def posted(self, path: str, field: str) -> etree._Element:
        """The one message posted to ``path`` in ``field``."""
        bodies = [
            parse_qs(request.post_data or "")
            for request in self.requests
            if request.method == "POST" and urlsplit(request.url).path == path
        ]
        (message,) = [body[field][0] for body in bodies if field in body]
        return etree.fromstring(base64.b64decode(message))

    def redirected(self, path: str, field: str) -> tuple[etree._Element, dict[str, str]]:
        """The one message in the query of a redirect to ``path``, and that query."""
        addresses = [urlsplit(request.url) for request in self.requests]
        queries = [dict(parse_qsl(each.query)) for each in addresses if each.path == path]
        (query,) = [query for query in queries if field in query]
        message = zlib.decompress(base64.b64decode(query[field]), -zlib.MAX_WBITS)
        return etree.fromstring(message), query


def is_success(message: etree._Element) -> bool:
    return [code.get("Value") for code in message.iter(f"{{{PROTOCOL}}}StatusCode")] == [SUCCESS]


def assert_is_alice(claims: dict[str, Any], provider_name: str = "Corp") -> None:
    assert claims["cognito:username"] == f"{provider_name}_alice@simplesamlphp"
    assert claims["email"] == "alice@b.test"
    assert claims["name"] == "Alice Äöü & <Søn>"
    assert claims["custom:groups"] == "[staff, engineering]"
    assert claims["identities"][0]["issuer"] == simplesamlphp.ENTITY_ID


def test_a_sign_in_that_begins_at_the_app(scene: AtSimpleSamlPhp) -> None:
    watched = WatchedMessages(scene.page)
    answer = scene.sign_in()
    assert answer["state"] == "state-1"
    claims = scene.claims(scene.tokens(answer["code"])["id_token"])
    assert_is_alice(claims)
    assert claims["nonce"] == "nonce-1"
    _, query = watched.redirected(SSO, "SAMLRequest")
    assert query["SigAlg"] == simplesamlphp.RSA_SHA256


def test_a_sign_in_that_begins_at_the_identity_provider(scene: AtSimpleSamlPhp) -> None:
    relay_state = urlsplit(scene.authorize_url("Corp")).query
    scene.page.goto(scene.idp.sign_in_url(SP_ENTITY_ID, relay_state))
    answer = scene.give_the_password()
    assert_is_alice(scene.claims(scene.tokens(answer["code"])["id_token"]))


def test_encrypted_assertions(scene: AtSimpleSamlPhp) -> None:
    scene.idp.set(**{"assertion.encryption": True})
    watched = WatchedMessages(scene.page)
    answer = scene.sign_in("Sealed")
    assert_is_alice(scene.claims(scene.tokens(answer["code"])["id_token"]), "Sealed")
    response = watched.posted("/saml2/idpresponse", "SAMLResponse")
    assert response.find(f"{{{ASSERTION}}}EncryptedAssertion") is not None
    assert response.find(f"{{{ASSERTION}}}Assertion") is None


def test_a_plain_assertion_where_encrypted_ones_are_required(scene: AtSimpleSamlPhp) -> None:
    answer = scene.sign_in("Sealed")
    assert answer["error"] == "server_error"
    assert "code" not in answer


def test_a_sign_out_at_the_app_ends_both_sessions(scene: AtSimpleSamlPhp) -> None:
    scene.sign_in()
    watched = WatchedMessages(scene.page)
    scene.sign_out()
    asked, query = watched.redirected(SLO, "SAMLRequest")
    assert query["SigAlg"] == simplesamlphp.RSA_SHA256
    assert asked.findtext(f"{{{ASSERTION}}}NameID") == "alice@simplesamlphp"
    answer = watched.posted("/saml2/logout", "SAMLResponse")
    assert answer.get("InResponseTo") == asked.get("ID")
    assert answer.find(SIGNATURE) is not None
    assert is_success(answer)
    scene.page.goto(scene.authorize_url("Corp"))
    scene.give_the_password()


def test_without_single_logout_the_identity_provider_asks_nothing_again(
    scene: AtSimpleSamlPhp,
) -> None:
    scene.idp.set(**{"assertion.encryption": True})
    scene.sign_in("Sealed")
    scene.sign_out()
    scene.page.goto(scene.authorize_url("Sealed"))
    assert scene.at_the_callback()["code"]


def test_a_sign_out_at_the_identity_provider_ends_session_and_tokens(
    scene: AtSimpleSamlPhp,
) -> None:
    tokens = scene.tokens(scene.sign_in()["code"])
    assert scene.refresh(tokens["refresh_token"]).status == 200
    cookies = scene.page.context.cookies(scene.origin)
    watched = WatchedMessages(scene.page)
    scene.page.goto(scene.idp.sign_out_url)
    scene.see(scene.page.get_by_text("You have been logged out."))
    assert scene.page.url == scene.idp.signed_out_url
    asked = watched.posted("/saml2/logout", "SAMLRequest")
    answer, query = watched.redirected(SLO, "SAMLResponse")
    assert query["SigAlg"] == simplesamlphp.RSA_SHA256
    assert answer.get("InResponseTo") == asked.get("ID")
    assert is_success(answer)
    dead = scene.refresh(tokens["refresh_token"])
    assert (dead.status, json.loads(dead.body)["error"]) == (400, "invalid_grant")
    scene.page.context.add_cookies(cookies)  # a browser that kept its cookie is signed out too
    scene.page.goto(scene.authorize_url("Corp", prompt="none"))
    assert scene.at_the_callback()["error"] == "login_required"


def test_simplesamlphp_looks_at_the_signatures_of_requests(scene: AtSimpleSamlPhp) -> None:
    """Or the stories above would prove nothing about them."""
    watched = WatchedMessages(scene.page)
    scene.sign_in()
    scene.sign_out()
    for path in (SSO, SLO):
        _, query = watched.redirected(path, "SAMLRequest")
        unsigned = {name: query[name] for name in ("SAMLRequest", "RelayState")}
        scene.page.goto(f"{scene.idp.url}{path}?{urlencode(unsigned)}")
        scene.see(scene.page.get_by_text("no signature found on message").first)
