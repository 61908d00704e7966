"""A whole broker in the test process, with an app, a SAML identity provider and browsers.

The configuration goes through ``settings.load`` and the parts are joined by ``wiring.build``, so a test
meets what a user meets. Only the clock is ours.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import yaml
from cryptography import x509
from flask import Flask
from joserfc import jwt
from joserfc.jwk import KeySet
from werkzeug.test import TestResponse

from broker import installation, settings, wiring
from broker.app import create_app
from broker.login.broker import Broker
from tests.kit.browser import Browser
from tests.kit.clock import ManualClock
from tests.kit.saml_idp import AuthnRequest, SamlIdp

POOL_ID = "eu-west-1_Test01"
ORIGIN = "https://auth.example.test"
CALLBACK = "https://app.example.test/callback"
SECRET = "a-secret-for-tests-0123456789"
VERIFIER = "v" * 43
CHALLENGE = (
    base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
)

WEB: dict[str, Any] = {
    "ClientId": "web",
    "ClientName": "The web app",
    "ClientSecret": SECRET,
    "CallbackURLs": [CALLBACK],
    "LogoutURLs": ["https://app.example.test/"],
    "AllowedOAuthFlowsUserPoolClient": True,
    "AllowedOAuthFlows": ["code"],
    "AllowedOAuthScopes": ["openid", "email", "profile", "phone", "api/read"],
    "SupportedIdentityProviders": ["Corp"],
}
PUBLIC: dict[str, Any] = {
    **{name: value for name, value in WEB.items() if name != "ClientSecret"},
    "ClientId": "spa",
    "ClientName": "The single-page app",
}
API: dict[str, Any] = {
    "Identifier": "api",
    "Name": "api",
    "Scopes": [{"ScopeName": "read", "ScopeDescription": "read things"}],
}
EMAIL_CLAIM = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress"


def saml_provider(idp: SamlIdp, name: str = "Corp", **changes: Any) -> dict[str, Any]:
    """An ``IdentityProviders`` entry for ``idp``; ``details`` are added to its ProviderDetails."""
    details = {"MetadataFile": idp.metadata(), **changes.pop("details", {})}
    return {
        "ProviderName": name,
        "ProviderType": "SAML",
        "ProviderDetails": details,
        "AttributeMapping": {"email": EMAIL_CLAIM, "name": "displayName"},
        **changes,
    }


@dataclass(kw_only=True)
class World:
    """The broker of one test."""

    clock: ManualClock
    idp: SamlIdp
    broker: Broker
    app: Flask
    origin: str = ORIGIN
    browsers: list[Browser] = field(default_factory=list)

    def browser(self, **how: Any) -> Browser:
        """A person's browser, with no cookies yet."""
        return Browser(app=self.app, clock=self.clock, origin=self.origin, **how)

    # -- what an app does -------------------------------------------------------------------

    def authorize_url(self, **changes: str | None) -> str:
        """``/oauth2/authorize`` as the web app asks; None leaves a parameter out."""
        params: dict[str, str | None] = {
            "response_type": "code",
            "client_id": "web",
            "redirect_uri": CALLBACK,
            "scope": "openid email profile",
            "state": "state-1",
            "nonce": "nonce-1",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
            **changes,
        }
        return "/oauth2/authorize?" + urlencode({n: v for n, v in params.items() if v is not None})

    def redeem(self, code: str, **changes: str | None) -> TestResponse:
        """The token request of the web app; None leaves a field out."""
        fields: dict[str, str | None] = {
            "grant_type": "authorization_code",
            "client_id": "web",
            "client_secret": SECRET,
            "code": code,
            "redirect_uri": CALLBACK,
            "code_verifier": VERIFIER,
            **changes,
        }
        return self.token({n: v for n, v in fields.items() if v is not None})

    def token(
        self, fields: Mapping[str, str], *, headers: Mapping[str, str] | None = None
    ) -> TestResponse:
        return self.browser().post("/oauth2/token", fields, headers=headers)

    def userinfo(self, access_token: str) -> TestResponse:
        headers = {"Authorization": f"Bearer {access_token}"}
        return self.browser().get("/oauth2/userInfo", headers=headers)

    def verified(self, token: str) -> dict[str, Any]:
        """The claims of a token, checked against the JWKS the broker publishes."""
        published = json.loads(self.browser().get("/.well-known/jwks.json").data)
        return dict(
            jwt.decode(
                token, KeySet.import_key_set(published), algorithms=["RS256", "ES256"]
            ).claims
        )

    # -- a sign-in --------------------------------------------------------------------------

    def begin(self, browser: Browser, **changes: str | None) -> AuthnRequest:
        """Authorize, and what the identity provider reads from the redirect."""
        response = browser.get(self.authorize_url(**changes))
        assert response.status_code == 302, response.data
        return self.idp.read_request(response.headers["Location"], certificate=self.certificate())

    def sign_in(self, browser: Browser, *, name_id: str = "alice", **answer: Any) -> dict[str, str]:
        """A whole sign-in at the IdP; the parameters the app gets at its callback."""
        form = self.idp.post(self.begin(browser), name_id=name_id, **answer)
        return callback(browser.post("/saml2/idpresponse", form))

    def tokens(self, browser: Browser | None = None, **answer: Any) -> dict[str, Any]:
        """A whole sign-in down to the token response."""
        code = self.sign_in(browser or self.browser(), **answer)["code"]
        response = self.redeem(code)
        assert response.status_code == 200, response.data
        body: dict[str, Any] = json.loads(response.data)
        return body

    def close(self) -> None:
        """Drop the connections that are kept for a next time."""
        self.broker.close()

    def certificate(self) -> x509.Certificate:
        """The pool's SAML signing certificate, which an administrator gives to the IdP."""
        pool = self.broker.pools[POOL_ID]
        keys = self.broker.issuers.keys.pool_keys(pool)
        return x509.load_pem_x509_certificate(keys.saml_signing[0].certificate_pem)


def callback(response: TestResponse) -> dict[str, str]:
    """The parameters of a redirect to the app's callback."""
    assert response.status_code == 302, (response.status_code, response.data)
    location = response.headers["Location"]
    url = urlsplit(location)
    assert location.startswith(CALLBACK), location
    return dict(parse_qsl(url.query or url.fragment, keep_blank_values=True))


def make_world(
    folder: Path,
    certs: Path,
    *,
    clients: list[dict[str, Any]] | None = None,
    providers: list[dict[str, Any]] | None = None,
    pool: Mapping[str, Any] | None = None,
    domain: str = ORIGIN,
    environ: Mapping[str, str] | None = None,
    clock: ManualClock | None = None,
) -> World:
    """A world from the members of its configuration that a test cares about."""
    clock = clock or ManualClock()
    idp = SamlIdp(clock=clock)
    document = {
        "UserPools": [
            {
                "Id": POOL_ID,
                "Name": "test",
                "Domain": domain,
                "UserPoolClients": [WEB, PUBLIC] if clients is None else clients,
                "IdentityProviders": [saml_provider(idp)] if providers is None else providers,
                "ResourceServers": [API],
                **(pool or {}),
            }
        ]
    }
    path = folder / "broker.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    environment = {"BROKER_STATE_DIR": str(folder / "var"), "BROKER_CERTS_DIR": str(certs)}
    loaded = settings.load(path, {**environment, **(environ or {})})
    installation.prepare_database(loaded)
    broker = wiring.build(loaded, clock=clock)
    return World(clock=clock, idp=idp, broker=broker, app=create_app(broker), origin=domain)
