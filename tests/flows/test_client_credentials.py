"""``grant_type=client_credentials``: an app acts for itself, with custom scopes only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.kit.apps import body, fields
from tests.kit.world import API, SECRET, WEB, World

MACHINE: dict[str, Any] = {
    "ClientId": "machine",
    "ClientSecret": SECRET,
    "AllowedOAuthFlowsUserPoolClient": True,
    "AllowedOAuthFlows": ["client_credentials"],
    "AllowedOAuthScopes": ["api/read", "api/write"],
}
SCOPES = [
    {"ScopeName": "read", "ScopeDescription": "r"},
    {"ScopeName": "write", "ScopeDescription": "w"},
]


@pytest.fixture
def world(new_world: Callable[..., World]) -> World:
    return new_world(clients=[WEB, MACHINE], pool={"ResourceServers": [{**API, "Scopes": SCOPES}]})


def granted(world: World, **changes: str | None) -> TestResponse:
    params: dict[str, str | None] = {
        "grant_type": "client_credentials",
        "client_id": "machine",
        "client_secret": SECRET,
        **changes,
    }
    return world.token(fields(**params))


def test_the_answer_is_an_access_token_alone(world: World) -> None:
    answer = body(granted(world))
    assert set(answer) == {"access_token", "expires_in", "token_type"}
    claims = world.verified(answer["access_token"])
    assert set(claims) == {
        "sub", "iss", "version", "client_id", "token_use", "scope", "auth_time", "exp", "iat", "jti",
    }  # fmt: skip
    assert claims["sub"] == claims["client_id"] == "machine"
    assert claims["scope"] == "api/read api/write"


def test_scopes_narrow(world: World) -> None:
    answer = body(granted(world, scope="api/write"))
    assert world.verified(answer["access_token"])["scope"] == "api/write"


@pytest.mark.parametrize(
    "scope", ["openid", "api/read openid", "api/delete", "aws.cognito.signin.user.admin", "api/*"]
)
def test_no_other_scope_is_given(world: World, scope: str) -> None:
    response = granted(world, scope=scope)
    assert (response.status_code, body(response)["error"]) == (400, "invalid_scope")


@pytest.mark.parametrize("scope", ["api/write", "api/read api/write"])
def test_a_scope_that_exists_but_is_not_the_clients_is_refused(
    new_world: Callable[..., World], scope: str
) -> None:
    reader = {**MACHINE, "AllowedOAuthScopes": ["api/read"]}
    world = new_world(clients=[reader], pool={"ResourceServers": [{**API, "Scopes": SCOPES}]})
    assert body(granted(world, scope=scope))["error"] == "invalid_scope"


def test_a_user_scope_of_the_client_is_refused_too(new_world: Callable[..., World]) -> None:
    odd = {**MACHINE, "AllowedOAuthScopes": ["openid", "api/read"]}
    world = new_world(clients=[odd])
    for scope in ("openid", "openid api/read"):
        assert body(granted(world, scope=scope))["error"] == "invalid_scope"
    answer = body(granted(world))
    assert world.verified(answer["access_token"])["scope"] == "api/read"


def test_scopes_may_hold_slashes_in_the_identifier(new_world: Callable[..., World]) -> None:
    server = {"Identifier": "https://api.example.test/v1", "Name": "api", "Scopes": SCOPES}
    scope = "https://api.example.test/v1/read"
    world = new_world(
        clients=[{**MACHINE, "AllowedOAuthScopes": [scope]}], pool={"ResourceServers": [server]}
    )
    answer = body(granted(world, scope=scope))
    assert world.verified(answer["access_token"])["scope"] == scope


def test_a_client_without_the_flow_is_told_so(world: World) -> None:
    response = granted(world, client_id="web")
    assert (response.status_code, body(response)["error"]) == (400, "unauthorized_client")


def test_a_public_client_cannot_use_it(new_world: Callable[..., World]) -> None:
    public = {name: value for name, value in MACHINE.items() if name != "ClientSecret"}
    world = new_world(clients=[public])
    response = granted(world, client_secret=None)
    assert (response.status_code, body(response)["error"]) == (400, "unauthorized_client")


def test_its_token_is_nobodys_at_userinfo(world: World) -> None:
    token = body(granted(world))["access_token"]
    assert world.userinfo(token).status_code == 401


def test_each_token_is_new(world: World) -> None:
    first, second = body(granted(world)), body(granted(world))
    assert first["access_token"] != second["access_token"]


def test_a_machine_client_cannot_sign_anybody_in(world: World) -> None:
    browser = world.browser()
    response = browser.get(world.authorize_url(client_id="machine"))
    assert response.headers["Location"].startswith("/error?")
