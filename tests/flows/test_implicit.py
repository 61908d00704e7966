"""``response_type=token``: tokens in the fragment, where the client allows it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.kit.apps import App
from tests.kit.world import PUBLIC, WEB, World

IMPLICIT = {**PUBLIC, "AllowedOAuthFlows": ["implicit", "code"]}


@pytest.fixture
def app(new_world: Callable[..., World]) -> App:
    return App.of(new_world(clients=[IMPLICIT, WEB]), IMPLICIT)


def asked(app: App, **changes: str | None) -> dict[str, str]:
    pkce = {"code_challenge": None, "code_challenge_method": None}
    return app.answer(**{"response_type": "token", "nonce": "n", **pkce, **changes})


def test_the_tokens_come_in_the_fragment(app: App) -> None:
    answer = asked(app)
    assert set(answer) == {
        "id_token", "access_token", "token_type", "expires_in", "state", "iss",
    }  # fmt: skip
    assert (answer["state"], answer["expires_in"]) == ("state-1", "3600")
    assert answer["token_type"].lower() == "bearer"
    world = app.world
    assert world.verified(answer["id_token"])["nonce"] == "n"
    assert world.userinfo(answer["access_token"]).status_code == 200


def test_nothing_of_it_stands_in_the_query(app: App) -> None:
    asked(app)
    location = app.authorize(response_type="token", code_challenge=None, code_challenge_method=None)
    before, _, fragment = location.headers["Location"].partition("#")
    assert before == "https://app.example.test/callback"
    assert "access_token=" in fragment


def test_without_openid_there_is_no_id_token(app: App) -> None:
    assert "id_token" not in asked(app, scope="api/read")


def test_a_client_that_does_not_allow_it_is_told_in_the_fragment(world: World) -> None:
    response = App.of(world).authorize(response_type="token")
    before, _, fragment = response.headers["Location"].partition("#")
    assert before == "https://app.example.test/callback"
    assert "error=unauthorized_client" in fragment
    assert "state=state-1" in fragment


def test_form_post_keeps_tokens_out_of_the_url(app: App) -> None:
    asked(app)
    response = app.authorize(
        response_type="token",
        response_mode="form_post",
        code_challenge=None,
        code_challenge_method=None,
    )
    assert response.status_code == 200
    assert b'name="access_token"' in response.data


def test_a_sign_out_everywhere_reaches_its_tokens(app: App) -> None:
    token = asked(app)["access_token"]
    world = app.world
    world.clock.advance(1)
    pool = world.broker.pools["eu-west-1_Test01"]
    user = world.broker.directory.by_username(pool.id, "Corp_alice")
    assert user is not None
    world.broker.accounts.sign_out_everywhere(pool, user)
    assert world.userinfo(token).status_code == 401


def test_scopes_the_client_may_not_read_yield_no_tokens(new_world: Callable[..., World]) -> None:
    blind = {**IMPLICIT, "ReadAttributes": ["email"]}
    answer = asked(App.of(new_world(clients=[blind]), blind), scope="openid email")
    assert answer["error"] == "invalid_grant"
