"""``grant_type=refresh_token``: with and without rotation."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.kit.apps import App, body
from tests.kit.world import PUBLIC, WEB, World

NewWorld = Callable[..., World]


def rotating(grace: int = 0, **members: Any) -> dict[str, Any]:
    rotation = {"Feature": "ENABLED", "RetryGracePeriodSeconds": grace}
    return {**WEB, "RefreshTokenRotation": rotation, **members}


@pytest.fixture
def app(world: World) -> App:
    return App.of(world)


def is_dead(app: App, token: str) -> bool:
    response = app.refresh(token)
    assert response.status_code in (200, 400)
    if response.status_code == 400:
        assert body(response)["error"] == "invalid_grant"
    return response.status_code == 400


# -- without rotation ------------------------------------------------------------------------


def test_new_tokens_and_the_old_refresh_token_stays(app: App) -> None:
    first = app.tokens(nonce="n")
    app.world.clock.advance(100)
    response = app.refresh(first["refresh_token"])
    second = body(response)
    assert set(second) == {"id_token", "access_token", "expires_in", "token_type"}
    assert response.headers["Cache-Control"] == "no-store"
    old, new = app.world.verified(first["id_token"]), app.world.verified(second["id_token"])
    for name in ("iss", "sub", "aud", "auth_time", "origin_jti", "cognito:username"):
        assert new[name] == old[name]
    assert new["iat"] == old["iat"] + 100
    assert new["jti"] != old["jti"]
    assert "nonce" not in new
    assert not is_dead(app, first["refresh_token"])


def test_the_lifetime_is_that_of_the_sign_in_and_does_not_slide(app: App) -> None:
    token = app.tokens()["refresh_token"]
    app.world.clock.advance(30 * 86400 - 1)
    assert not is_dead(app, token)
    app.world.clock.advance(1)
    assert is_dead(app, token)


def test_attributes_and_groups_are_those_of_now(app: App) -> None:
    tokens = app.tokens()
    sub = app.world.verified(tokens["id_token"])["sub"]
    directory = app.world.broker.directory
    directory.write_attributes("eu-west-1_Test01", sub, {"name": "New Name"}, now=1)
    refreshed = body(app.refresh(tokens["refresh_token"]))
    assert app.world.verified(refreshed["id_token"])["name"] == "New Name"


@pytest.mark.parametrize(
    ("scope", "granted"),
    [
        (None, "openid email"),
        ("openid", "openid"),
        ("email openid", "email openid"),
        (" openid  email ", "openid email"),
    ],
)
def test_scopes_narrow(app: App, scope: str | None, granted: str) -> None:
    token = app.tokens(scope="openid email")["refresh_token"]
    refreshed = body(app.refresh(token, scope=scope))
    assert app.world.verified(refreshed["access_token"])["scope"] == granted


def test_a_narrowed_refresh_narrows_that_answer_alone(app: App) -> None:
    token = app.tokens(scope="openid email")["refresh_token"]
    app.refresh(token, scope="openid")
    again = body(app.refresh(token))
    assert app.world.verified(again["access_token"])["scope"] == "openid email"


def test_without_openid_a_refresh_yields_no_id_token(app: App) -> None:
    token = app.tokens(scope="api/read")["refresh_token"]
    assert "id_token" not in body(app.refresh(token))


def test_scopes_never_widen(app: App) -> None:
    token = app.tokens(scope="openid")["refresh_token"]
    response = app.refresh(token, scope="openid profile")
    assert (response.status_code, body(response)["error"]) == (400, "invalid_scope")


def limit_scopes(app: App, *scopes: str) -> None:
    """As if the client were configured anew, with these scopes."""
    clients = app.world.broker.pools["eu-west-1_Test01"].clients
    assert isinstance(clients, dict)
    clients["web"] = replace(clients["web"], scopes=scopes)


def test_a_scope_that_the_client_has_lost_is_refreshed_no_more(app: App) -> None:
    token = app.tokens(scope="openid email api/read")["refresh_token"]
    limit_scopes(app, "openid", "email")
    refreshed = body(app.refresh(token))
    assert app.world.verified(refreshed["access_token"])["scope"] == "openid email"
    assert body(app.refresh(token, scope="openid api/read"))["error"] == "invalid_scope"
    limit_scopes(app, "phone")
    assert body(app.refresh(token))["error"] == "invalid_scope"


def test_a_scope_that_the_client_has_lost_is_not_in_what_a_code_yields(app: App) -> None:
    code = app.answer(scope="openid api/read")["code"]
    limit_scopes(app, "openid")
    redeemed = body(app.redeem(code))
    assert app.world.verified(redeemed["access_token"])["scope"] == "openid"


def test_the_resource_survives(app: App) -> None:
    tokens = app.tokens(resource="https://api.example.test")
    refreshed = body(app.refresh(tokens["refresh_token"]))
    assert app.world.verified(refreshed["access_token"])["aud"] == "https://api.example.test"


@pytest.mark.parametrize("token", ["x", "\x00", "é", "a" * 5000])
def test_an_unknown_token_is_an_invalid_grant(app: App, token: str) -> None:
    assert is_dead(app, token)


def test_a_missing_token_is_an_invalid_request(app: App) -> None:
    response = app.refresh("x", refresh_token=None)
    assert (response.status_code, body(response)["error"]) == (400, "invalid_request")


def test_an_access_token_is_no_refresh_token(app: App) -> None:
    assert is_dead(app, app.tokens()["access_token"])


def test_a_token_is_bound_to_its_client(world: World) -> None:
    web, spa = App.of(world), App.of(world, PUBLIC)
    token = web.tokens()["refresh_token"]
    assert is_dead(spa, token)
    assert not is_dead(web, token)


def test_a_client_without_the_code_flow_refreshes_no_more(
    world: World, new_world: NewWorld
) -> None:
    machine = {**WEB, "AllowedOAuthFlows": ["implicit"]}
    app = App.of(new_world(clients=[machine]), machine)
    response = app.refresh("x")
    assert (response.status_code, body(response)["error"]) == (400, "unauthorized_client")


# -- with rotation ---------------------------------------------------------------------------


def test_each_refresh_replaces_the_token(new_world: NewWorld) -> None:
    app = App.of(new_world(clients=[rotating()]), rotating())
    first = app.tokens()
    second = body(app.refresh(first["refresh_token"]))
    assert second["refresh_token"] != first["refresh_token"]
    third = body(app.refresh(second["refresh_token"]))
    origin = {app.world.verified(t["access_token"])["origin_jti"] for t in (first, second, third)}
    assert len(origin) == 1


def test_reuse_ends_the_family_and_says_so_in_the_log(
    new_world: NewWorld, caplog: pytest.LogCaptureFixture
) -> None:
    app = App.of(new_world(clients=[rotating()]), rotating())
    first = app.tokens()
    second = body(app.refresh(first["refresh_token"]))
    with caplog.at_level(logging.WARNING):
        assert is_dead(app, first["refresh_token"])
    assert "refresh_token_reused" in caplog.text
    assert first["refresh_token"] not in caplog.text
    assert is_dead(app, second["refresh_token"])
    assert app.world.userinfo(second["access_token"]).status_code == 401


def test_reuse_by_another_client_ends_nothing(new_world: NewWorld) -> None:
    other = rotating(ClientId="other")
    world = new_world(clients=[rotating(), other])
    app = App.of(world, rotating())
    first = app.tokens()
    second = body(app.refresh(first["refresh_token"]))
    assert is_dead(App.of(world, other), first["refresh_token"])
    assert not is_dead(app, second["refresh_token"])


def test_within_the_grace_period_the_old_token_still_works(new_world: NewWorld) -> None:
    app = App.of(new_world(clients=[rotating(grace=30)]), rotating())
    first = app.tokens()
    second = body(app.refresh(first["refresh_token"]))
    app.world.clock.advance(29)
    retried = body(app.refresh(first["refresh_token"]))
    assert not is_dead(app, retried["refresh_token"])
    assert not is_dead(app, second["refresh_token"])


def test_after_the_grace_period_it_is_reuse(new_world: NewWorld) -> None:
    app = App.of(new_world(clients=[rotating(grace=30)]), rotating())
    first = app.tokens()
    second = body(app.refresh(first["refresh_token"]))
    app.world.clock.advance(30)
    assert is_dead(app, first["refresh_token"])
    assert is_dead(app, second["refresh_token"])


def test_rotation_keeps_the_remaining_lifetime(new_world: NewWorld) -> None:
    app = App.of(new_world(clients=[rotating()]), rotating())
    token = app.tokens()["refresh_token"]
    app.world.clock.advance(30 * 86400 - 10)
    token = body(app.refresh(token))["refresh_token"]
    app.world.clock.advance(10)
    assert is_dead(app, token)


@pytest.mark.parametrize("scope", ["api/write", "openid nonsense"])
def test_no_other_fault_of_the_request_hides_reuse(new_world: NewWorld, scope: str) -> None:
    app = App.of(new_world(clients=[rotating()]), rotating())
    old = app.tokens()["refresh_token"]
    new = body(app.refresh(old))["refresh_token"]
    assert body(app.refresh(old, scope=scope))["error"] == "invalid_grant"
    assert is_dead(app, new)


def test_a_refused_scope_costs_no_token(new_world: NewWorld) -> None:
    app = App.of(new_world(clients=[rotating()]), rotating())
    token = app.tokens(scope="openid")["refresh_token"]
    assert app.refresh(token, scope="openid email").status_code == 400
    assert not is_dead(app, token)


# -- the user --------------------------------------------------------------------------------


@pytest.mark.parametrize("client", [WEB, rotating()], ids=["plain", "rotating"])
@pytest.mark.parametrize("fate", ["disable", "delete", "sign_out_everywhere"])
def test_a_user_who_is_out_is_out(new_world: NewWorld, client: dict[str, Any], fate: str) -> None:
    app = App.of(new_world(clients=[client]), client)
    tokens = app.tokens()
    world = app.world
    pool = world.broker.pools["eu-west-1_Test01"]
    user = world.broker.directory.by_username(pool.id, "Corp_alice")
    assert user is not None
    getattr(world.broker.accounts, fate)(pool, user)
    assert is_dead(app, tokens["refresh_token"])
    assert world.userinfo(tokens["access_token"]).status_code == 401


def test_enabling_again_revives_no_token(app: App) -> None:
    tokens = app.tokens()
    broker = app.world.broker
    pool = broker.pools["eu-west-1_Test01"]
    user = broker.directory.by_username(pool.id, "Corp_alice")
    assert user is not None
    broker.accounts.disable(pool, user)
    broker.accounts.enable(pool, user)
    assert is_dead(app, tokens["refresh_token"])
    assert app.world.userinfo(tokens["access_token"]).status_code == 401
    assert app.world.userinfo(app.tokens()["access_token"]).status_code == 200
