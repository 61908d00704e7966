"""``/oauth2/revoke``: a refresh token and all that came of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.kit.apps import App, body
from tests.kit.world import PUBLIC, WEB, World


@pytest.fixture
def app(world: World) -> App:
    return App.of(world)


def is_alive(app: App, tokens: dict[str, str]) -> bool:
    """Whether refresh token and access token both work; never one without the other."""
    refreshes = app.refresh(tokens["refresh_token"]).status_code == 200
    assert refreshes == (app.world.userinfo(tokens["access_token"]).status_code == 200)
    return refreshes


def test_revoking_kills_the_whole_family(app: App) -> None:
    tokens = app.tokens()
    later = body(app.refresh(tokens["refresh_token"]))
    response = app.revoke(tokens["refresh_token"])
    assert response.status_code == 200
    assert response.data == b""
    assert not is_alive(app, tokens)
    assert app.world.userinfo(later["access_token"]).status_code == 401


def test_the_empty_answer_has_no_content_type(app: App) -> None:
    # oidc-client-ts tries to parse whatever has one.
    response = app.revoke(app.tokens()["refresh_token"])
    assert "Content-Type" not in response.headers
    assert response.headers["Access-Control-Allow-Origin"] == "*"


def test_it_is_idempotent(app: App) -> None:
    token = app.tokens()["refresh_token"]
    assert [app.revoke(token).status_code for _ in range(3)] == [200, 200, 200]


@pytest.mark.parametrize("token", ["unknown", "\x00", "é", "a.b.c.d.e"])
def test_an_unknown_token_is_no_error(app: App, token: str) -> None:
    assert app.revoke(token).status_code == 200


def test_another_sign_in_of_the_same_person_lives_on(app: App) -> None:
    first, second = app.tokens(), app.tokens()
    app.revoke(first["refresh_token"])
    assert is_alive(app, second)


def test_the_browser_session_lives_on(app: App) -> None:
    app.revoke(app.tokens()["refresh_token"])
    assert app.authorize().headers["Location"].startswith("https://app.example.test/callback?code=")


def test_another_clients_token_is_left_alone(world: World) -> None:
    web, spa = App.of(world), App.of(world, PUBLIC)
    tokens = web.tokens()
    assert spa.revoke(tokens["refresh_token"]).status_code == 200
    assert is_alive(web, tokens)


def test_a_public_client_revokes_with_its_id_alone(world: World) -> None:
    spa = App.of(world, PUBLIC)
    tokens = spa.tokens()
    assert spa.revoke(tokens["refresh_token"]).status_code == 200
    assert not is_alive(spa, tokens)


def test_a_rotated_away_token_still_ends_its_family(new_world: Callable[..., World]) -> None:
    rotating = {**WEB, "RefreshTokenRotation": {"Feature": "ENABLED"}}
    app = App.of(new_world(clients=[rotating]), rotating)
    first = app.tokens()
    second = body(app.refresh(first["refresh_token"]))
    app.revoke(first["refresh_token"])
    assert not is_alive(app, second)


@pytest.mark.parametrize("kind", ["access_token", "id_token"])
def test_only_refresh_tokens_can_be_revoked(app: App, kind: str) -> None:
    tokens = app.tokens()
    response = app.revoke(tokens[kind])
    assert (response.status_code, body(response)["error"]) == (400, "unsupported_token_type")
    assert is_alive(app, tokens)


def test_a_missing_token_is_an_invalid_request(app: App) -> None:
    response = app.revoke(None)
    assert (response.status_code, body(response)["error"]) == (400, "invalid_request")


def test_a_client_may_have_it_switched_off(new_world: Callable[..., World]) -> None:
    bare = {**WEB, "EnableTokenRevocation": False}
    app = App.of(new_world(clients=[bare]), bare)
    tokens = app.tokens()
    response = app.revoke(tokens["refresh_token"])
    assert (response.status_code, body(response)["error"]) == (400, "invalid_request")
    assert is_alive(app, tokens)


@pytest.mark.parametrize(
    "changes",
    [{"client_secret": "wrong"}, {"client_secret": None}, {"client_id": "nobody"}],
)
def test_credentials_that_do_not_fit_are_401(app: App, changes: dict[str, str | None]) -> None:
    tokens = app.tokens()
    response = app.revoke(tokens["refresh_token"], **changes)
    assert (response.status_code, body(response)["error"]) == (401, "invalid_client")
    assert response.headers["WWW-Authenticate"].startswith("Basic ")
    assert is_alive(app, tokens)


@pytest.mark.parametrize("name", ["token", "client_id", "client_secret"])
def test_a_repeated_field_refuses(app: App, name: str) -> None:
    form = f"client_id=web&client_secret={WEB['ClientSecret']}&token=x&{name}=x"
    response = app.world.browser().post("/oauth2/revoke", form)
    assert (response.status_code, body(response)["error"]) == (400, "invalid_request")


def test_the_type_hint_is_ignored(app: App) -> None:
    tokens = app.tokens()
    assert app.revoke(tokens["refresh_token"], token_type_hint="access_token").status_code == 200
    assert not is_alive(app, tokens)
