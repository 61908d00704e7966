"""Browser, identity provider and app in one: real HTTP over kept-alive connections."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import threading
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from benchmarks.idp import Idp

POOL_ID = "local_Bench01"
CLIENT, SECRET = "bench", "bench-secret-0123456789"
MACHINE, MACHINE_SECRET = "machine", "machine-secret-0123456789"
CALLBACK = "http://localhost:1/callback"
_VERIFIER = "b" * 64
_CHALLENGE = (
    base64.urlsafe_b64encode(hashlib.sha256(_VERIFIER.encode()).digest()).rstrip(b"=").decode()
)
_FORM = "application/x-www-form-urlencoded"


def configuration(port: int, idp: Idp) -> dict[str, Any]:
    """One pool, one SAML provider, an app and a machine client."""
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
                        "SupportedIdentityProviders": ["Bench"],
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
                        "ProviderName": "Bench",
                        "ProviderType": "SAML",
                        "ProviderDetails": {"MetadataFile": idp.metadata()},
                        "AttributeMapping": {"email": "email", "name": "displayName"},
                    }
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


@dataclass
class Person:
    """One connection, one person, one app. Each call is one operation that is measured."""

    port: int
    idp: Idp
    name_id: str
    tokens: dict[str, str] = field(default_factory=dict)
    _local: threading.local = field(default_factory=threading.local)

    def saml_login(self) -> None:
        """Authorize, assertion consumer service, token: three requests."""
        query = urlencode(
            {
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
        location, cookie = self._redirect("GET", f"/oauth2/authorize?{query}")
        asked = self.idp.read(location)
        form = {
            "SAMLResponse": self.idp.answer(asked, self.name_id),
            "RelayState": asked.relay_state,
        }
        location, _ = self._redirect("POST", "/saml2/idpresponse", form, {"Cookie": cookie})
        code = parse_qs(urlsplit(location).query)["code"][0]
        self.tokens = self._token(
            grant_type="authorization_code",
            client_id=CLIENT,
            client_secret=SECRET,
            code=code,
            redirect_uri=CALLBACK,
            code_verifier=_VERIFIER,
        )

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
        sent = {"Host": f"localhost:{self.port}", **(headers or {})}
        if body is not None:
            sent["Content-Type"] = _FORM
        connection.request(method, path, body, sent)
        response = connection.getresponse()
        return response, response.read()

    def _expect(self, status: int, response: http.client.HTTPResponse, body: bytes) -> None:
        if response.status != status:
            raise SystemExit(f"expected {status}, got {response.status}: {body[:300]!r}")
