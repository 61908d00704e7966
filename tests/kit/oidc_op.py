"""An OpenID provider for tests that really signs, checks what it is sent, and lies when told to.

The person at the browser is ``sign_in``: it reads the authorization URL as a browser would carry it,
refuses what a real provider refuses, and returns the parameters of the callback. What a test wants
wrong it sets::

    with OidcOp(clock=clock) as op:
        op.claims["aud"] = "somebody-else"           # a claim of the ID token; ABSENT leaves it out
        op.replies["/token"] = html(500)             # an endpoint's whole answer
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote_plus, urlsplit

from broker.ports import Clock
from tests.kit.http_double import Asked, HttpDouble, Raw, Reply, as_json
from tests.kit.jose import JoseKey, rsa_key, signed

ABSENT = object()
"""The value of a claim or a metadata member that is to be left out."""

CLIENT_ID = "broker-client"
CLIENT_SECRET = "a secret: with/odd+characters & 40 of them"


class RefusedByProviderError(AssertionError):
    """The authorization request is one that a real provider shows an error page for."""


@dataclass(kw_only=True)
class OidcOp:
    """One provider with one registered client."""

    clock: Clock
    redirect_uris: tuple[str, ...] = ("https://auth.example.test/oauth2/idpresponse",)
    keys: list[JoseKey] = field(default_factory=lambda: [rsa_key()])
    """Published in the JWKS; the first signs."""
    subject: str = "248289761001"
    user_info: dict[str, Any] = field(default_factory=lambda: {"email": "jane@example.test"})
    id_token: dict[str, Any] = field(default_factory=lambda: {"name": "Jane Doe"})
    auth_methods: tuple[str, ...] = ("client_secret_post", "client_secret_basic")

    claims: dict[str, Any] = field(default_factory=dict)
    header: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    signer: Callable[[Mapping[str, Any]], str] | None = None
    """Signs the ID token instead of the first key."""
    replies: dict[str, Reply | Raw] = field(default_factory=dict)
    jwks: list[dict[str, Any]] | None = None
    """The published entries, instead of those of ``keys``."""

    _codes: dict[str, dict[str, str]] = field(default_factory=dict)
    _access_tokens: dict[str, str] = field(default_factory=dict)
    _http: HttpDouble = field(init=False)

    def __post_init__(self) -> None:
        self._http = HttpDouble(self._serve)

    def __enter__(self) -> OidcOp:
        self._http.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.__exit__()

    @property
    def issuer(self) -> str:
        return self._http.url

    @property
    def http(self) -> HttpDouble:
        return self._http

    # -- the browser ------------------------------------------------------------------------

    def sign_in(self, url: str, **callback: str) -> dict[str, str]:
        """The person signs in; the parameters that come back to the redirect URI."""
        params = self.read_request(url)
        code = secrets.token_urlsafe(12)
        self._codes[code] = params
        return {"code": code, "state": params["state"], **callback}

    def read_request(self, url: str) -> dict[str, str]:
        """The checks of RFC 6749 4.1.2.1 and OIDC Core 3.1.2.2."""
        if urlsplit(url)._replace(query="").geturl() != f"{self.issuer}/authorize":
            raise RefusedByProviderError(f"not my endpoint: {url}")
        pairs = parse_qsl(urlsplit(url).query, keep_blank_values=True)
        params = dict(pairs)
        wrong = [
            name
            for name, good in {
                "repeated": len(pairs) == len(params),
                "client_id": params.get("client_id") == CLIENT_ID,
                "redirect_uri": params.get("redirect_uri") in self.redirect_uris,
                "response_type": params.get("response_type") == "code",
                "scope": "openid" in params.get("scope", "").split(),
                "state": bool(params.get("state")),
                "code_challenge_method": params.get("code_challenge_method", "S256") == "S256",
            }.items()
            if not good
        ]
        if wrong:
            raise RefusedByProviderError(f"{wrong} in {params}")
        return params

    # -- the endpoints ----------------------------------------------------------------------

    def _serve(self, asked: Asked) -> Reply | Raw:
        if asked.path in self.replies:
            return self.replies[asked.path]
        served: dict[str, Callable[[Asked], Reply]] = {
            "/.well-known/openid-configuration": self._discovery,
            "/jwks": self._jwks,
            "/token": self._token,
            "/userinfo": self._userinfo,
        }
        handler = served.get(asked.path)
        return as_json({"error": "not_found"}, 404) if handler is None else handler(asked)

    def _discovery(self, _asked: Asked) -> Reply:
        document: dict[str, Any] = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "jwks_uri": f"{self.issuer}/jwks",
            "end_session_endpoint": f"{self.issuer}/end_session",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "token_endpoint_auth_methods_supported": list(self.auth_methods),
            "code_challenge_methods_supported": ["S256"],
        }
        return as_json(_without_absent({**document, **self.metadata}))

    def _jwks(self, _asked: Asked) -> Reply:
        listed = [key.jwk() for key in self.keys] if self.jwks is None else self.jwks
        return as_json({"keys": listed})

    def _token(self, asked: Asked) -> Reply:
        if asked.method != "POST":
            return as_json({"error": "invalid_request"}, 405)
        if not self._is_our_client(asked):
            return as_json({"error": "invalid_client"}, 401)
        request = self._codes.pop(asked.form.get("code", ""), None)
        if request is None or asked.form.get("redirect_uri") != request["redirect_uri"]:
            return as_json({"error": "invalid_grant", "error_description": "Code is bad"}, 400)
        if not proves(asked.form.get("code_verifier"), request.get("code_challenge")):
            return as_json({"error": "invalid_grant", "error_description": "PKCE failed"}, 400)
        access_token = secrets.token_urlsafe(12)
        self._access_tokens[access_token] = self.subject
        return as_json(
            {
                "access_token": access_token,
                "token_type": "Bearer",
                "expires_in": 3600,
                "refresh_token": f"refresh-{access_token}",
                "id_token": self.issue(nonce=request.get("nonce")),
            }
        )

    def issue(self, *, nonce: str | None) -> str:
        """An ID token for the person, with all the lies."""
        now = int(self.clock.now())
        truth = {
            "iss": self.issuer,
            "sub": self.subject,
            "aud": CLIENT_ID,
            "exp": now + 300,
            "iat": now,
            "auth_time": now,
            "nonce": ABSENT if nonce is None else nonce,
            **self.id_token,
        }
        claims = _without_absent({**truth, **self.claims})
        return self.signer(claims) if self.signer else signed(claims, self.keys[0], **self.header)

    def _is_our_client(self, asked: Asked) -> bool:
        """RFC 6749 2.3.1: one method, and one that is registered."""
        basic = asked.headers.get("authorization", "")
        if basic.startswith("Basic "):
            pair = base64.b64decode(basic.removeprefix("Basic ")).decode().split(":")
            client, secret = (unquote_plus(part) for part in pair)
            method = "client_secret_basic"
        else:
            client, secret = asked.form.get("client_id"), asked.form.get("client_secret")  # type: ignore[assignment]  # absent is wrong
            method = "client_secret_post"
        return method in self.auth_methods and (client, secret) == (CLIENT_ID, CLIENT_SECRET)

    def _userinfo(self, asked: Asked) -> Reply:
        token = asked.headers.get("authorization", "").removeprefix("Bearer ")
        subject = self._access_tokens.get(token)
        if subject is None:
            return as_json({"error": "invalid_token"}, 401)
        return as_json(_without_absent({"sub": subject, **self.user_info}))


def _without_absent(members: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not ABSENT}


def proves(verifier: str | None, challenge: str | None) -> bool:
    """RFC 7636 4.6."""
    if challenge is None or verifier is None:
        return challenge is verifier is None
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == challenge
