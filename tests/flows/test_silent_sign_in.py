"""``prompt=none``, ``max_age``, ``id_token_hint``: when the session answers, and for whom."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from tests.kit.apps import App, body
from tests.kit.world import PUBLIC, WEB, World


@pytest.fixture
def app(world: World) -> App:
    return App.of(world)


def silently(app: App, **changes: str | None) -> dict[str, str]:
    """What the app is told at once, without any page or provider."""
    location = app.authorize(**{"prompt": "none", **changes}).headers["Location"]
    assert location.startswith(WEB["CallbackURLs"][0])
    return dict(parse_qsl(urlsplit(location).query))


def identity(app: App, answer: dict[str, str]) -> dict[str, Any]:
    return app.world.verified(body(app.redeem(answer["code"]))["id_token"])


def test_without_a_session_the_app_is_told_at_once(app: App) -> None:
    state = "s" * 125 + "-._~"
    answer = silently(app, state=state)
    assert answer["error"] == "login_required"
    assert answer["state"] == state
    assert answer["iss"] == "https://auth.example.test/eu-west-1_Test01"


def test_with_a_session_the_same_person_at_the_same_time(app: App) -> None:
    first = app.world.verified(app.tokens()["id_token"])
    app.world.clock.advance(100)
    second = identity(app, silently(app))
    for name in ("sub", "auth_time", "cognito:username"):
        assert second[name] == first[name]
    assert second["iat"] == first["iat"] + 100


def test_auth_time_is_the_sign_ins_and_moves_with_the_next_one(app: App) -> None:
    first = app.world.verified(app.tokens()["id_token"])
    app.world.clock.advance(5)
    second = app.world.verified(app.tokens(prompt="login")["id_token"])
    assert second["auth_time"] == first["auth_time"] + 5


@pytest.mark.parametrize(
    ("max_age", "age", "silent"),
    [("10000", 0, True), ("10", 10, True), ("1", 2, False), ("0", 0, False)],
)
def test_max_age(app: App, max_age: str, age: int, *, silent: bool) -> None:
    app.tokens()
    app.world.clock.advance(age)
    answer = silently(app, max_age=max_age)
    assert ("code" in answer) is silent
    assert silent or answer["error"] == "login_required"


# -- id_token_hint ---------------------------------------------------------------------------


def test_a_hint_about_the_person_here_is_fine(app: App) -> None:
    hint = app.tokens()["id_token"]
    app.world.clock.advance(60)
    assert "code" in silently(app, id_token_hint=hint)
    assert app.authorize(id_token_hint=hint).headers["Location"].startswith(WEB["CallbackURLs"][0])


def test_an_expired_hint_hints_all_the_same(new_world: Callable[..., World]) -> None:
    brief = {**WEB, "IdTokenValidity": 5, "TokenValidityUnits": {"IdToken": "minutes"}}
    app = App.of(new_world(clients=[brief]), brief)
    hint = app.tokens()["id_token"]
    app.world.clock.advance(600)
    assert "code" in silently(app, id_token_hint=hint)


@pytest.mark.parametrize("kind", ["somebody else", "garbage", "an access token"])
def test_any_other_hint_gets_no_silent_answer(app: App, kind: str) -> None:
    tokens = app.tokens()
    hint = {
        "somebody else": App.of(app.world).tokens(name_id="bob")["id_token"],
        "garbage": "garbage",
        "an access token": tokens["access_token"],
    }[kind]
    assert silently(app, id_token_hint=hint)["error"] == "login_required"
    # Without prompt=none the person signs in again, and is really asked to.
    location = app.authorize(id_token_hint=hint).headers["Location"]
    assert location.startswith("https://idp.example/")
    request = app.world.idp.read_request(location, certificate=app.world.certificate()).document
    assert request is not None
    assert request.get("ForceAuthn") == "true"


def test_another_clients_hint_gets_no_silent_answer(app: App) -> None:
    hint = App.of(app.world, PUBLIC).tokens()["id_token"]
    app.tokens()
    assert silently(app, id_token_hint=hint)["error"] == "login_required"


# -- other pages -----------------------------------------------------------------------------


def test_the_sign_in_page_is_never_silent(app: App) -> None:
    url = app._authorize_url(prompt="none").replace("/oauth2/authorize", "/login")
    assert "error=login_required" in app.person.get(url).headers["Location"]


def test_silence_after_sign_out_everywhere_is_left_to_the_session(app: App) -> None:
    # As at Cognito: GlobalSignOut ends tokens, /logout ends the session. The new tokens are good.
    tokens = app.tokens()
    world = app.world
    pool = world.broker.pools["eu-west-1_Test01"]
    user = world.broker.directory.by_username(pool.id, "Corp_alice")
    assert user is not None
    world.clock.advance(10)
    world.broker.accounts.sign_out_everywhere(pool, user)
    assert world.userinfo(tokens["access_token"]).status_code == 401
    again = body(app.redeem(silently(app)["code"]))
    assert world.userinfo(again["access_token"]).status_code == 200
