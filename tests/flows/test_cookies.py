"""Every cookie has the attributes that docs/security.md gives it, over https and on a laptop."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from werkzeug.test import TestResponse

from tests.kit.world import World

HOUR, FIVE_MINUTES = "Max-Age=3600", "Max-Age=300"
LOGIN = "/login?client_id=web&response_type=code&redirect_uri=https://app.example.test/callback"
LOGOUT = "/logout?client_id=web&logout_uri=https://app.example.test/"


def attributes_in(response: TestResponse) -> dict[str, set[str]]:
    """By the cookie's name, without its value."""
    cookies = (header.split("; ") for header in response.headers.getlist("Set-Cookie"))
    return {pair.partition("=")[0]: set(rest) for pair, *rest in cookies}


@pytest.fixture(
    params=[("https://auth.example.test", {"Secure"}), ("http://localhost:8080", set())]
)
def site(request: pytest.FixtureRequest, new_world: Callable[..., World]) -> tuple[World, set[str]]:
    """A world, and what its own cookies have for the scheme."""
    domain, secure = request.param
    return new_world(domain=domain), secure


def test_the_cookies_of_a_sign_in(site: tuple[World, set[str]]) -> None:
    world, secure = site
    browser = world.browser()
    begun = browser.get(world.authorize_url(identity_provider="Corp"))
    binding = {"csrf-state": {FIVE_MINUTES, "HttpOnly", "Path=/", "Secure", "SameSite=None"}}
    if not secure:
        binding["csrf-state-legacy"] = {FIVE_MINUTES, "HttpOnly", "Path=/"}
    assert attributes_in(begun) == binding

    form = world.idp.post(world.begin(browser), name_id="alice")
    session = {"HttpOnly", "Path=/", "SameSite=Lax"} | secure
    assert attributes_in(browser.post("/saml2/idpresponse", form)) == {"cognito": {HOUR} | session}
    # A browser takes one away only if it might have set it.
    assert attributes_in(browser.get(LOGOUT)) == {"cognito": {"Max-Age=0"} | session}
    assert "cognito" not in browser.cookies


def test_the_cookie_of_a_language(site: tuple[World, set[str]]) -> None:
    world, secure = site
    response = world.browser().get(f"{LOGIN}&lang=de")
    assert attributes_in(response)["lang"] == {"HttpOnly", "Path=/", "SameSite=Lax"} | secure
