"""A web application that signs people in through the broker: the relying party, in one file.

It speaks plain OpenID Connect (authorization code flow with PKCE, Core 3.1) and would work
unchanged with any provider. Authlib makes the requests; joserfc checks the ID token. What it keeps
between two requests stands in a signed session cookie.
"""

from __future__ import annotations

import hmac
import json
import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import httpx2
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import OAuth2Client
from flask import Flask, abort, redirect, render_template, request, session
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from werkzeug.wrappers import Response

from broker.demo.pages import page_server
from broker.ports import Clock

_TIMEOUT_SECONDS = 10
_LEEWAY_SECONDS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the app and the broker agreed on, and nothing else about the broker."""

    base_url: str
    issuer: str
    client_id: str
    client_secret: str
    logout_endpoint: str
    providers: tuple[tuple[str, str], ...]
    """(name at the broker, what the button says)."""

    @property
    def redirect_uri(self) -> str:
        return f"{self.base_url}/callback"


class SignInError(Exception):
    """The sign-in is not to be believed, and why."""


@dataclass(frozen=True, kw_only=True)
class RelyingParty:
    """The protocol, without the pages."""

    settings: Settings
    clock: Clock

    def metadata(self) -> dict[str, Any]:
        """OIDC Discovery 4: the issuer's own word on its endpoints (4.3: and on its name)."""
        metadata: dict[str, Any] = _get_json(
            f"{self.settings.issuer}/.well-known/openid-configuration"
        )
        if metadata["issuer"] != self.settings.issuer:
            raise SignInError("The discovery document speaks for another issuer.")
        return metadata

    def authorization_url(self, provider: str | None) -> tuple[str, dict[str, str]]:
        """Where to send the browser, and the secrets the answer has to fit (Core 3.1.2.1)."""
        kept = {
            "state": secrets.token_urlsafe(24),
            "nonce": secrets.token_urlsafe(24),
            "code_verifier": secrets.token_urlsafe(48),
        }
        choice = {"identity_provider": provider} if provider else {}
        endpoint = self.metadata()["authorization_endpoint"]
        with self._client() as client:
            url, _ = client.create_authorization_url(endpoint, **kept, **choice)
        return url, kept

    def finish(self, answer: dict[str, str], kept: dict[str, str]) -> dict[str, Any]:
        """The claims of whoever signed in, once everything about the answer has been checked."""
        if not hmac.compare_digest(answer.get("state", "").encode(), kept["state"].encode()):
            raise SignInError("This answer does not belong to a sign-in of this browser.")
        if answer.get("iss", self.settings.issuer) != self.settings.issuer:
            raise SignInError("This answer comes from another issuer.")  # RFC 9207
        if "code" not in answer:
            raise SignInError(answer.get("error_description", answer.get("error", "No code.")))
        metadata = self.metadata()
        tokens = self._exchange(metadata["token_endpoint"], answer["code"], kept["code_verifier"])
        keys = KeySet.import_key_set(_get_json(metadata["jwks_uri"]))
        return self.verified_claims(tokens.get("id_token", ""), keys, nonce=kept["nonce"])

    def verified_claims(self, id_token: str, keys: KeySet, *, nonce: str) -> dict[str, Any]:
        """OIDC Core 3.1.3.7. The algorithm is ours to choose, never the token's."""
        expected = jwt.JWTClaimsRegistry(
            now=int(self.clock.now()),
            leeway=_LEEWAY_SECONDS,
            iss={"essential": True, "value": self.settings.issuer},
            aud={"essential": True, "value": self.settings.client_id},
            exp={"essential": True},
            sub={"essential": True},
            nonce={"essential": True, "value": nonce},
        )
        try:
            claims = jwt.decode(id_token, keys, algorithms=["RS256"]).claims
            expected.validate(claims)
        except (JoseError, ValueError) as error:
            raise SignInError(f"The ID token is not good: {error}") from error
        return claims

    def logout_url(self) -> str:
        """The broker's sign-out, which comes back to the home page."""
        query = {"client_id": self.settings.client_id, "logout_uri": f"{self.settings.base_url}/"}
        return f"{self.settings.logout_endpoint}?{urlencode(query)}"

    def _exchange(self, endpoint: str, code: str, code_verifier: str) -> dict[str, Any]:
        """OIDC Core 3.1.3.1."""
        with self._client() as client:
            try:
                tokens: dict[str, Any] = client.fetch_token(
                    endpoint,
                    grant_type="authorization_code",
                    code=code,
                    code_verifier=code_verifier,
                )
            except (OAuthError, httpx2.HTTPError) as error:
                raise SignInError(f"The code was not exchanged: {error}") from error
        return tokens

    def _client(self) -> OAuth2Client:
        return OAuth2Client(
            client_id=self.settings.client_id,
            client_secret=self.settings.client_secret,
            token_endpoint_auth_method="client_secret_basic",
            redirect_uri=self.settings.redirect_uri,
            scope="openid email profile",
            code_challenge_method="S256",
            timeout=_TIMEOUT_SECONDS,
        )


def create_app(rp: RelyingParty) -> Flask:
    """The application as it answers at its ``base_url``."""
    app = page_server(__name__, title="Sample app")
    app.secret_key = secrets.token_bytes(32)
    app.config.update(
        SESSION_COOKIE_NAME="sample_app",  # cookies of one host reach all of its ports
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_HTTPONLY=True,
    )
    pages = _Pages(rp)
    app.add_url_rule("/", "home", pages.home)
    app.add_url_rule("/sign-in", "sign_in", pages.sign_in)
    app.add_url_rule("/callback", "callback", pages.callback)
    app.add_url_rule("/start", "start", pages.start)
    app.add_url_rule("/sign-out", "sign_out", pages.sign_out, methods=["POST"])
    app.register_error_handler(SignInError, _refused)
    return app


@dataclass(frozen=True)
class _Pages:
    rp: RelyingParty

    def home(self) -> str:
        claims = session.get("claims")
        if claims is None:
            return render_template("welcome.html", providers=self.rp.settings.providers)
        return render_template("claims.html", claims=claims, text=json.dumps(claims, indent=2))

    def sign_in(self) -> Response:
        """Send the browser to the broker; ``?provider=`` skips its list of providers."""
        provider = request.args.get("provider")
        if provider is not None and provider not in dict(self.rp.settings.providers):
            abort(404)
        url, session["pending"] = self.rp.authorization_url(provider)
        return redirect(url)

    def callback(self) -> Response:
        """The answer is looked at once: what it had to fit is forgotten first."""
        pending = session.pop("pending", None)
        if pending is None:
            raise SignInError("Nobody here is signing in.")
        claims = self.rp.finish(request.args.to_dict(), pending)
        session.clear()
        session["claims"] = claims
        return redirect("/")

    def start(self) -> Response:
        """Where sign-in that began at an identity provider arrives.

        Its code answers no request of ours, so it could have been planted by somebody else. It is
        left alone; a request of our own finds the person signed in at the broker already.
        """
        url, session["pending"] = self.rp.authorization_url(provider=None)
        return redirect(url)

    def sign_out(self) -> Response:
        session.clear()
        return redirect(self.rp.logout_url(), code=303)


def _refused(error: SignInError) -> tuple[str, int]:
    return render_template("error.html", name="Not signed in", reason=str(error)), 400


def _get_json(url: str) -> Any:
    try:
        return httpx2.get(url, timeout=_TIMEOUT_SECONDS).raise_for_status().json()
    except (httpx2.HTTPError, ValueError) as error:
        raise SignInError(f"The broker does not answer as it should: {error}") from error
