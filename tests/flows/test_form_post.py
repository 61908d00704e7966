"""``response_mode=form_post``: everything the app is told comes in a form, nothing in a URL."""

from __future__ import annotations

import re
from html import unescape

import pytest
from werkzeug.test import TestResponse

from tests.kit.apps import App, body
from tests.kit.world import CALLBACK, World

STATE = "\"><script>&'=#"


@pytest.fixture
def app(world: World) -> App:
    return App.of(world)


def posted(response: TestResponse) -> dict[str, str]:
    """What the page would post to the app's callback."""
    assert response.status_code == 200
    assert "Location" not in response.headers
    assert response.headers["Cache-Control"] == "no-store"
    html = response.data.decode()
    assert re.search(rf'<form[^>]+action="{CALLBACK}"[^>]+method="post"', html, re.IGNORECASE)
    assert "<script>&" not in html
    found = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', html)
    return {unescape(name): unescape(value) for name, value in found}


def test_the_code_comes_in_the_form(app: App) -> None:
    app.tokens()
    answer = posted(app.authorize(response_mode="form_post", state=STATE))
    assert set(answer) == {"code", "state", "iss"}
    assert answer["state"] == STATE
    assert body(app.redeem(answer["code"]))["access_token"]


def test_also_after_a_sign_in_at_the_provider(app: App) -> None:
    world = app.world
    location = app.authorize(response_mode="form_post").headers["Location"]
    asked = world.idp.read_request(location, certificate=world.certificate())
    form = world.idp.post(asked, name_id="alice")
    assert "code" in posted(app.person.post("/saml2/idpresponse", form))


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"prompt": "none"}, "login_required"),
        ({"scope": "openid address"}, "invalid_scope"),
        ({"response_type": None}, "invalid_request"),
        ({"response_type": "id_token"}, "unsupported_response_type"),
        ({"request": "e30.e30."}, "request_not_supported"),
    ],
)
def test_errors_come_the_same_way(app: App, changes: dict[str, str | None], error: str) -> None:
    answer = posted(app.authorize(response_mode="form_post", state=STATE, **changes))
    assert set(answer) == {"error", "error_description", "state", "iss"}
    assert (answer["error"], answer["state"]) == (error, STATE)


def test_a_posted_request_chooses_the_language_too(app: App) -> None:
    path, _, query = app._authorize_url(
        response_mode="form_post", prompt="none", lang="de"
    ).partition("?")
    assert '<html lang="de"' in app.person.get(f"{path}?{query}").text
    assert '<html lang="de"' in app.person.post(path, query).text


def test_an_unknown_mode_is_an_error_in_the_query(app: App) -> None:
    location = app.authorize(response_mode="web_message").headers["Location"]
    assert location.startswith(f"{CALLBACK}?")
    assert "error=invalid_request" in location
    assert "state=state-1" in location


def test_without_a_proven_way_back_nothing_is_posted(app: App) -> None:
    response = app.authorize(response_mode="form_post", redirect_uri="https://evil.example/")
    assert response.headers["Location"].startswith("/error?")
