"""Browser, identity provider and app in one: real HTTP over kept-alive connections."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from benchmarks import op
from benchmarks.idp import Asked, Idp
from benchmarks.op import Op

POOL_ID = "local_Bench01"
CLIENT, SECRET = "bench", "bench-secret-0123456789"
MACHINE, MACHINE_SECRET = "machine", "machine-secret-0123456789"
CALLBACK = "http://localhost:1/callback"
SAML, OIDC = "Bench", "OpenID"
STALLED = ("Stalled-1", "Stalled-2", "Stalled-3")
_VERIFIER = "b" * 64
_CHALLENGE = (
    base64.urlsafe_b64encode(hashlib.sha256(_VERIFIER.encode()).digest()).rstrip(b"=").decode()
)
_FORM = "application/x-www-form-urlencoded"


def configuration(port: int, idp: Idp, provider: Op) -> dict[str, Any]:
    """One pool, one SAML provider, OpenID providers that answer and that stall, two clients."""
    return {
        "UserPools": [
            {
                "Id": POOL_ID,
                "Domain": f"http://localhost:{port}",
                "UserPoolClients": [
                    {
                        "ClientId": CLIENT,
                        "ClientSecret": SECRET,
                        "CallbackURLs": [CALLBACK],
                        "AllowedOAuthFlowsUserPoolClient": True,
                        "AllowedOAuthFlows": ["code"],
                        "AllowedOAuthScopes": ["openid", "email", "profile"],
                        "SupportedIdentityProviders": [SAML, OIDC, *STALLED],
                    },
                    {
                        "ClientId": MACHINE,
                        "ClientSecret": MACHINE_SECRET,
                        "AllowedOAuthFlowsUserPoolClient": True,
                        "AllowedOAuthFlows": ["client_credentials"],
                        "AllowedOAuthScopes": ["api/read"],
                    },
                ],
                "IdentityProviders": [
                    {
                        "ProviderName": SAML,
                        "ProviderType": "SAML",
                        "ProviderDetails": {"MetadataFile": idp.metadata(), "IDPInit": "true"},
                        "AttributeMapping": {"email": "email", "name": "displayName"},
                    },
                    _oidc(OIDC, provider.url),
                    *(_oidc(name, f"{provider.url}/{name.lower()}") for name in STALLED),
                ],
                "ResourceServers": [
                    {
                        "Identifier": "api",
                        "Name": "api",
                        "Scopes": [{"ScopeName": "read", "ScopeDescription": "read"}],
                    }
                ],
            }
        ]
    }


def _oidc(name: str, issuer: str) -> dict[str, Any]:
    return {
        "ProviderName": name,
        "ProviderType": "OIDC",
        "ProviderDetails": {
            "client_id": op.CLIENT,
            "client_secret": op.SECRET,
            "oidc_issuer": issuer,
            "authorize_scopes": "openid email profile",
            "attributes_request_method": "GET",
        },
        "AttributeMapping": {"email": "email", "name": "name", "username": "sub"},
    }


@dataclass
class Person:
    """One connection, one person, one app. Each call is one operation that is measured."""

    port: int
    idp: Idp
    op: Op
    name_id: str
    host: str = "localhost"
    tokens: dict[str, str] = field(default_factory=dict)
    _local: threading.local = field(default_factory=threading.local)

    def saml_login(self) -> None:
        """Authorize, assertion consumer service, token: three requests."""
        self.saml_login_at(SAML, self.idp)

    def saml_login_at(self, provider: str, idp: Idp) -> None:
        location, cookie = self._begin(provider)
        asked = idp.read(location)
        form = {
            "SAMLResponse": idp.answer(asked, self.name_id),
            "RelayState": asked.relay_state,
        }
        location, _ = self._redirect("POST", "/saml2/idpresponse", form, {"Cookie": cookie})
        self._redeem(location)

    def saml_idp_initiated(self) -> None:
        """Assertion consumer service, token: the provider begins, nobody asked."""
        asked = Asked(
            id="",
            acs=f"http://localhost:{self.port}/saml2/idpresponse",
            issuer=f"urn:amazon:cognito:sp:{POOL_ID}",
            relay_state="",
        )
        relay_state = {
            "identity_provider": SAML,
            "client_id": CLIENT,
            "redirect_uri": CALLBACK,
            "response_type": "code",
            "scope": "openid email profile",
        }
        form = {
            "SAMLResponse": self.idp.answer(asked, self.name_id),
            "RelayState": urlencode(relay_state),
        }
        location, _ = self._redirect("POST", "/saml2/idpresponse", form)
        self._redeem(location, verifier=None)

    def oidc_login(self) -> None:
        """Authorize, callback, token; behind the callback the broker asks for tokens and userinfo."""
        location, cookie = self._begin(OIDC)
        query = urlencode(self.op.answer(location, self.name_id))
        path = f"/oauth2/idpresponse?{query}"
        location, _ = self._redirect("GET", path, headers={"Cookie": cookie})
        self._redeem(location)

    def return_from(self, provider: str) -> Callable[[], None]:
        """Off to ``provider``. The way back is another call, which must end in time, if in an error."""
        location, cookie = self._begin(provider)
        path = f"/oauth2/idpresponse?{urlencode(self.op.answer(location, self.name_id))}"

        def come_back() -> None:
            self._expect(302, *self._send("GET", path, headers={"Cookie": cookie}))

        return come_back

    def refresh(self) -> None:
        self._token(
            grant_type="refresh_token",
            client_id=CLIENT,
            client_secret=SECRET,
            refresh_token=self.tokens["refresh_token"],
        )

    def client_credentials(self) -> None:
        self._token(
            grant_type="client_credentials", client_id=MACHINE, client_secret=MACHINE_SECRET
        )

    def userinfo(self) -> None:
        bearer = {"Authorization": f"Bearer {self.tokens['access_token']}"}
        self._expect(200, *self._send("GET", "/oauth2/userInfo", headers=bearer))

    def jwks(self) -> None:
        self._expect(200, *self._send("GET", "/.well-known/jwks.json"))

    def discovery(self) -> None:
        self._expect(200, *self._send("GET", "/.well-known/openid-configuration"))

    def _begin(self, provider: str) -> tuple[str, str]:
        """Where authorize sends the browser, and the cookies it sets."""
        query = urlencode(
            {
                "identity_provider": provider,
                "response_type": "code",
                "client_id": CLIENT,
                "redirect_uri": CALLBACK,
                "scope": "openid email profile",
                "state": "s" * 32,
                "nonce": "n" * 32,
                "code_challenge": _CHALLENGE,
                "code_challenge_method": "S256",
            }
        )
        return self._redirect("GET", f"/oauth2/authorize?{query}")

    def _redeem(self, location: str, *, verifier: str | None = _VERIFIER) -> None:
        self.tokens = self._token(
            grant_type="authorization_code",
            client_id=CLIENT,
            client_secret=SECRET,
            code=parse_qs(urlsplit(location).query)["code"][0],
            redirect_uri=CALLBACK,
            **({} if verifier is None else {"code_verifier": verifier}),
        )

    def _token(self, **fields: str) -> dict[str, str]:
        response, body = self._send("POST", "/oauth2/token", fields)
        self._expect(200, response, body)
        answer: dict[str, str] = json.loads(body)
        return answer

    def _redirect(
        self,
        method: str,
        path: str,
        form: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
    ) -> tuple[str, str]:
        """Location and the cookies set."""
        response, body = self._send(method, path, form, headers)
        self._expect(302, response, body)
        location = response.headers["Location"]
        if "error=" in location:
            raise SystemExit(f"{path} was refused: {location}")
        cookies = (c.partition(";")[0] for c in response.headers.get_all("Set-Cookie", []))
        return location, "; ".join(cookies)

    def _send(
        self,
        method: str,
        path: str,
        form: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
    ) -> tuple[http.client.HTTPResponse, bytes]:
        connection = getattr(self._local, "connection", None)
        if connection is None:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
            self._local.connection = connection
        body = None if form is None else urlencode(form)
        sent = {"Host": f"{self.host}:{self.port}", **(headers or {})}
        if body is not None:
            sent["Content-Type"] = _FORM
        connection.request(method, path, body, sent)
        response = connection.getresponse()
        return response, response.read()

    def _expect(self, status: int, response: http.client.HTTPResponse, body: bytes) -> None:
        if response.status != status:
            raise SystemExit(f"expected {status}, got {response.status}: {body[:300]!r}")
