"""aws-amplify v6 in Chromium, over TLS: sign in, refresh, read, sign out, as a single-page app does."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Route
from werkzeug.wrappers import Request, Response

from broker.demo.certificate import certified_key
from tests.kit import node
from tests.kit.live import ATTRIBUTES, SCOPES, SPA, Live, live
from tests.kit.servers import free_port
from tests.kit.world import POOL_ID
from tests.kit.wsgi import served

pytestmark = pytest.mark.chromium

PATIENCE = 30_000
"""Milliseconds that a few redirects may take on a busy machine."""
SIGNED_IN = "() => window.heard?.some(([event]) => event === 'signedIn')"


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    pair = certified_key("localhost", now=time.time())
    certificate, key = folder / "tls.pem", folder / "tls.key"
    certificate.write_bytes(pair.certificate_pem)
    key.write_bytes(pair.private_pem)
    return certificate, key


@pytest.fixture(scope="module")
def ports() -> tuple[int, int]:
    """Broker and app: each must know the other's address before it starts."""
    return free_port(), free_port()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, ports: tuple[int, int]) -> Iterator[str]:
    """The app: one page with Amplify in it."""
    script = tmp_path_factory.mktemp("amplify") / "app.js"
    node.bundle("amplify_app.js", script)
    url = f"http://localhost:{ports[1]}/"
    oauth = {
        "domain": f"localhost:{ports[0]}",
        "scopes": ["openid", "email", "profile", "aws.cognito.signin.user.admin"],
        "redirectSignIn": [url],
        "redirectSignOut": [url],
        "responseType": "code",
    }
    cognito = {
        "userPoolId": POOL_ID,
        "userPoolClientId": "spa",
        "userPoolEndpoint": f"https://localhost:{ports[0]}/",
        "loginWith": {"oauth": oauth},
    }
    page = (
        "<!doctype html><title>app</title>"
        f"<script>window.CONFIG = {json.dumps({'Auth': {'Cognito': cognito}})}</script>"
        "<script src=/app.js></script>"
    )

    @Request.application
    def app(request: Request) -> Response:
        if request.path == "/app.js":
            return Response(script.read_bytes(), content_type="text/javascript; charset=utf-8")
        return Response(page, content_type="text/html; charset=utf-8")

    with served(app, port=ports[1]):
        yield url


@pytest.fixture(scope="module")
def broker(
    tmp_path_factory: pytest.TempPathFactory,
    certs: Path,
    tls: tuple[Path, Path],
    ports: tuple[int, int],
    home: str,
) -> Iterator[Live]:
    spa = {**SPA, "CallbackURLs": [home], "LogoutURLs": [home], "AllowedOAuthScopes": SCOPES}
    folder = tmp_path_factory.mktemp("broker")
    with live(folder, certs, clients=[spa], tls=tls, port=ports[0]) as running:
        yield running


@pytest.fixture
def page(chromium: Browser, broker: Live, home: str) -> Page:
    """A person's browser at the app; the identity provider answers whatever reaches it."""

    def provider(route: Route) -> None:
        asked = broker.idp.read_request(route.request.url)
        form = broker.idp.post(asked, name_id="alice", attributes=ATTRIBUTES)
        inputs = "".join(
            f'<input type=hidden name="{name}" value="{escape(value)}">'
            for name, value in form.items()
        )
        action = f"{broker.origin}/saml2/idpresponse"
        route.fulfill(
            content_type="text/html",
            body=f"<form method=post action='{action}'>{inputs}</form>"
            "<script>document.forms[0].submit()</script>",
        )

    context = chromium.new_context(ignore_https_errors=True)
    context.route(f"{broker.idp.url}/**", provider)
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(home)
    return page


def call(page: Page, name: str, *arguments: object) -> Any:
    given = ", ".join(json.dumps(each) for each in arguments)
    return page.evaluate(f"() => window.app.{name}({given})")


def leads_back(page: Page, home: str, start: Callable[[], Any], mark: str) -> None:
    """``start`` navigates away; done when the app is there again and has heard of it."""
    page.evaluate("() => { window.before = true }")
    start()
    page.wait_for_function("() => !window.before && window.app !== undefined")
    if mark:
        page.wait_for_function(mark)
    assert page.url.startswith(home)


def sign_in(page: Page, home: str, provider: str | None = None) -> dict[str, Any]:
    leads_back(page, home, lambda: call(page, "signIn", provider), SIGNED_IN)
    session: dict[str, Any] = call(page, "session")
    return session


def test_the_whole_life_of_a_sign_in(page: Page, broker: Live, home: str) -> None:
    calls: list[tuple[str, int]] = []
    page.on("response", lambda r: calls.append((r.request.method + " " + r.url, r.status)))

    session = sign_in(page, home)
    assert session["id"]["iss"] == broker.issuer
    assert session["access"]["username"] == "Corp_alice"
    heard = dict(page.evaluate("() => window.heard"))
    assert heard["customOAuthState"] == 'a state: {with} "odd" characters & more'

    user = call(page, "user")
    assert (user["username"], user["userId"]) == ("Corp_alice", session["id"]["sub"])
    attributes = call(page, "attributes")
    assert (attributes["email"], attributes["sub"]) == ("alice@example.test", user["userId"])

    refreshed = call(page, "refresh")
    assert refreshed["access"]["jti"] != session["access"]["jti"]
    assert refreshed["access"]["origin_jti"] == session["access"]["origin_jti"]

    leads_back(page, home, lambda: call(page, "signOut", False), "")
    assert call(page, "session") is None
    assert call(page, "userError") == "UserUnAuthenticatedException"
    with broker.person() as other:
        headers = {"Authorization": f"Bearer {refreshed['accessToken']}"}
        dead = other.browser.get(f"{broker.origin}/oauth2/userInfo", headers=headers)
    assert dead.status_code == 401

    # Everything the app asked of the broker was answered, across origins and after preflights.
    asked = [(what, status) for what, status in calls if urlsplit(broker.origin).netloc in what]
    assert {status for _, status in asked} <= {200, 204, 302, 303}
    # The session is gone: the next sign-in goes to the provider again.
    calls.clear()
    sign_in(page, home)
    assert any(broker.idp.url in what for what, _ in calls)


def test_the_provider_can_be_chosen_and_the_session_is_reused(
    page: Page, broker: Live, home: str
) -> None:
    first = sign_in(page, home, "Corp")
    page.evaluate("() => localStorage.clear()")
    page.goto(home)
    calls: list[str] = []
    page.on("request", lambda request: calls.append(request.url))
    second = sign_in(page, home, "Corp")
    assert second["id"]["sub"] == first["id"]["sub"]
    assert second["id"]["auth_time"] == first["id"]["auth_time"]
    assert not any(broker.idp.url in url for url in calls)


def test_a_global_sign_out_ends_it_in_every_browser(
    page: Page, chromium: Browser, broker: Live, home: str
) -> None:
    session = sign_in(page, home)
    leads_back(page, home, lambda: call(page, "signOut", True), "")
    with broker.person() as other:
        headers = {"Authorization": f"Bearer {session['accessToken']}"}
        dead = other.browser.get(f"{broker.origin}/oauth2/userInfo", headers=headers)
    assert dead.status_code == 401


def test_a_refresh_token_that_was_revoked_ends_the_apps_session(
    page: Page, broker: Live, home: str
) -> None:
    sign_in(page, home)
    token = page.evaluate(
        "() => localStorage.getItem(Object.keys(localStorage).find(k => k.endsWith('refreshToken')))"
    )
    with broker.person() as other:
        form = {"client_id": "spa", "token": token}
        assert other.browser.post(f"{broker.origin}/oauth2/revoke", data=form).status_code == 200
    assert call(page, "refresh") is None
    assert call(page, "userError") == "UserUnAuthenticatedException"
