"""A person's real browser between an app and a running broker, and what the app does in the back channel.

The identity provider is each test's own: what the person does there is said where that provider is.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import KeySet
from playwright.sync_api import Browser, Locator, Page, Request, expect
from werkzeug.wrappers import Response

from tests.kit.serving import Reply, Serving
from tests.kit.world import CHALLENGE, POOL_ID, SECRET, VERIFIER

APP = Response("<h1>The app</h1>", mimetype="text/html")
"""Every page of the app."""

PATIENCE = 30_000
"""Milliseconds that a few redirects may take on a busy machine."""

_ELSEWHERE = re.compile(r"https?://(?!localhost[:/]|127\.0\.0\.1[:/])")
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def origin(port: int) -> str:
    """The broker's: another site than 127.0.0.1, so that cookies are kept from cross-site posts."""
    return f"http://localhost:{port}"


def secluded_page(browser: Browser) -> Page:
    """A page that loads nothing from elsewhere: some providers' pages ask for fonts and style sheets."""
    page = browser.new_page()
    page.route(_ELSEWHERE, lambda route: route.abort())
    return page


@dataclass(frozen=True, kw_only=True)
class Scene:
    """``app`` is the app's base URL."""

    app: str
    broker: Serving
    page: Page

    @property
    def origin(self) -> str:
        return origin(self.broker.port)

    @property
    def callback(self) -> str:
        return f"{self.app}/callback"

    # -- the browser -----------------------------------------------------------------------

    def authorize_url(self, provider_name: str, **more: str) -> str:
        params = {
            "identity_provider": provider_name,
            "response_type": "code",
            "client_id": "web",
            "redirect_uri": self.callback,
            "scope": "openid email profile",
            "state": "state-1",
            "nonce": "nonce-1",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
            **more,
        }
        return f"{self.origin}/oauth2/authorize?{urlencode(params)}"

    def see(self, what: Locator) -> None:
        expect(what).to_be_visible(timeout=PATIENCE)

    def at_the_callback(self) -> dict[str, str]:
        """The browser is back at the app; what it brought."""
        self.see(self.page.get_by_role("heading", name="The app"))
        url, _, query = self.page.url.partition("?")
        assert url == self.callback
        return dict(parse_qsl(query))

    def leave(self) -> None:
        """Sign out at the app, which sends the browser to the broker's ``/logout``."""
        params = {"client_id": "web", "logout_uri": f"{self.app}/signed-out"}
        self.page.goto(f"{self.origin}/logout?{urlencode(params)}")

    def is_signed_out_at_the_app(self) -> None:
        self.see(self.page.get_by_role("heading", name="The app"))
        assert self.page.url == f"{self.app}/signed-out"

    # -- the back channel ------------------------------------------------------------------

    def tokens(self, code: str) -> dict[str, Any]:
        reply = self.token_request(
            {
                "grant_type": "authorization_code",
                "code": code,
                "redirect_uri": self.callback,
                "code_verifier": VERIFIER,
            }
        )
        assert reply.status == 200, reply.body
        tokens: dict[str, Any] = json.loads(reply.body)
        return tokens

    def refresh(self, token: str) -> Reply:
        return self.token_request({"grant_type": "refresh_token", "refresh_token": token})

    def token_request(self, fields: dict[str, str]) -> Reply:
        body = urlencode({"client_id": "web", "client_secret": SECRET, **fields})
        return self.broker.request("POST", "/oauth2/token", body, _FORM)

    def claims(self, id_token: str) -> dict[str, Any]:
        """Of an ID token that verifies, for this app, from this broker."""
        keys = KeySet.import_key_set(json.loads(self.broker.get("/.well-known/jwks.json").body))
        claims = jwt.decode(id_token, keys, algorithms=["RS256"]).claims
        assert claims["iss"] == f"{self.origin}/{POOL_ID}"
        assert claims["aud"] == "web"
        return dict(claims)


class Watched:
    """The requests of a page."""

    def __init__(self, page: Page) -> None:
        self.requests: list[Request] = []
        page.on("request", self._see)

    def _see(self, request: Request) -> None:  # Playwright cannot call a built-in
        self.requests.append(request)

    def to(self, url: str) -> Request:
        """The first request to ``url``, whatever its query."""
        return next(each for each in self.requests if each.url.partition("?")[0] == url)

    def query(self, url: str) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.to(url).url).query))

    def form(self, url: str) -> dict[str, str]:
        return dict(parse_qsl(self.to(url).post_data or ""))
