"""``/oauth2/userInfo``: whose token this is, while it is good."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.kit.apps import App, body
from tests.kit.world import WEB, World

FORM = "application/x-www-form-urlencoded"
MAPPED = {
    "email": "mail",
    "email_verified": "mailVerified",
    "name": "displayName",
    "phone_number": "phone",
    "updated_at": "changed",
    "address": "home",
    "nickname": "nick",
}
CLAIMS = {
    "mail": ["alice@example.test"],
    "mailVerified": ["true"],
    "displayName": ["Alice"],
    "phone": ["+15550100"],
    "changed": ["1700000000"],
    "home": ["1 Main Street"],
    "nick": [" "],
}


@pytest.fixture
def app(world: World) -> App:
    return App.of(world)


def ask(world: World, **how: Any) -> TestResponse:
    how.setdefault("method", "GET")
    return world.app.test_client().open("/oauth2/userInfo", base_url=world.origin, **how)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def rich(new_world: Callable[..., World], **pool: Any) -> World:
    """A world whose provider says a lot about a person."""
    idp = new_world().idp
    provider = {
        "ProviderName": "Corp",
        "ProviderType": "SAML",
        "ProviderDetails": {"MetadataFile": idp.metadata()},
        "AttributeMapping": MAPPED,
    }
    world = new_world(providers=[provider], pool=pool)
    world.idp = idp
    return world


def user_info(world: World, scope: str) -> dict[str, Any]:
    browser = world.browser()
    form = world.idp.post(world.begin(browser, scope=scope), name_id="alice", attributes=CLAIMS)
    location = browser.post("/saml2/idpresponse", form).headers["Location"]
    code = location.partition("code=")[2].partition("&")[0]
    tokens = body(world.redeem(code))
    return body(world.userinfo(tokens["access_token"]))


# -- how the token arrives -------------------------------------------------------------------


def test_by_header_with_get_and_post(app: App) -> None:
    token = app.tokens()["access_token"]
    answers = [
        ask(app.world, headers=bearer(token)),
        ask(app.world, headers={"Authorization": f"bearer  {token}"}),
        ask(app.world, method="POST", headers=bearer(token)),
        ask(app.world, method="POST", headers=bearer(token), data="", content_type=FORM),
        ask(app.world, method="POST", data={"access_token": token}, content_type=FORM),
    ]
    assert [a.status_code for a in answers] == [200] * 5
    assert len({a.data for a in answers}) == 1
    assert answers[0].content_type.startswith("application/json")
    assert "no-store" in answers[0].headers["Cache-Control"]


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"headers": {"Authorization": "Bearer"}},
        {"headers": {"Authorization": "Basic {token}"}},
        {"headers": {"Authorization": "{token}"}},
        {"query_string": {"access_token": "{token}"}},
        {"method": "POST", "query_string": {"access_token": "{token}"}},
        {"method": "POST", "json": {"access_token": "{token}"}},
        {
            "method": "POST",
            "data": "access_token={token}&access_token={token}",
            "content_type": FORM,
        },
        {
            "method": "POST",
            "data": "access_token={token}",
            "content_type": FORM,
            "headers": {"Authorization": "Bearer {token}"},
        },
    ],
)
def test_any_other_way_is_a_bad_request(app: App, how: dict[str, Any]) -> None:
    token = app.tokens()["access_token"]

    def filled(value: Any) -> Any:
        if isinstance(value, dict):
            return {n: filled(v) for n, v in value.items()}
        return value.replace("{token}", token) if isinstance(value, str) else value

    response = ask(app.world, **filled(how))
    assert response.status_code == 400
    assert response.headers["WWW-Authenticate"] == (
        'Bearer error="invalid_request", '
        'error_description="Bad OAuth2 request at UserInfo Endpoint"'
    )
    assert body(response)["error"] == "invalid_request"
    assert response.headers["Access-Control-Allow-Origin"] == "*"


# -- which tokens are good -------------------------------------------------------------------


def is_refused(world: World, token: str) -> bool:
    response = world.userinfo(token)
    if response.status_code == 200:
        return False
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith('Bearer error="invalid_token", ')
    assert body(response) == {
        "error": "invalid_token",
        "error_description": "Access token is expired, disabled, or deleted, or the user has globally "
        "signed out.",
    }
    return True


def test_an_id_token_is_no_access_token(app: App) -> None:
    assert is_refused(app.world, app.tokens()["id_token"])


def test_a_refresh_token_is_no_access_token(app: App) -> None:
    assert is_refused(app.world, app.tokens()["refresh_token"])


def test_a_token_without_openid_is_refused(app: App) -> None:
    assert is_refused(app.world, app.tokens(scope="api/read")["access_token"])


def test_an_expired_token_is_refused(app: App) -> None:
    token = app.tokens()["access_token"]
    app.world.clock.advance(3600)
    assert is_refused(app.world, token)


def test_another_pools_token_is_refused(new_world: Callable[..., World]) -> None:
    other = new_world(pool={"Id": "eu-west-1_Other"}, domain="https://other.example.test")
    ours = App.of(new_world())
    foreign = ours.tokens()["access_token"]
    assert other.userinfo(foreign).status_code == 401
    assert not is_refused(ours.world, foreign)


def test_a_changed_token_is_refused(app: App) -> None:
    head, payload, signature = app.tokens()["access_token"].split(".")
    assert is_refused(app.world, f"{head}.{payload}.{signature[::-1]}")


def test_a_client_that_is_gone_takes_its_tokens_along(app: App) -> None:
    token = app.tokens()["access_token"]
    clients = app.world.broker.pools["eu-west-1_Test01"].clients
    assert isinstance(clients, dict)
    del clients["web"]
    assert is_refused(app.world, token)


# -- what it says ----------------------------------------------------------------------------


def test_everything_is_a_string(new_world: Callable[..., World]) -> None:
    info = user_info(rich(new_world), "openid")
    assert all(isinstance(value, str) for value in info.values())
    assert info["email_verified"] == "true"
    assert info["updated_at"] == "1700000000"
    assert info["username"] == "Corp_alice"
    assert "cognito:username" not in info
    assert "nickname" not in info


def test_scopes_choose(new_world: Callable[..., World]) -> None:
    world = rich(new_world)
    assert "phone_number" not in user_info(world, "openid email")
    assert "email" not in user_info(world, "openid profile")
    assert user_info(world, "openid profile")["address"] == "1 Main Street"


def test_read_attributes_limit(new_world: Callable[..., World]) -> None:
    world = rich(new_world, UserPoolClients=[{**WEB, "ReadAttributes": ["name"]}])
    info = user_info(world, "openid")
    assert set(info) == {"sub", "username", "identities", "name"}


def test_the_oidc_rendering(new_world: Callable[..., World]) -> None:
    world = rich(new_world, Conformance="oidc")
    assert set(user_info(world, "openid")) == {"sub", "username"}
    assert set(user_info(world, "openid email")) == {"sub", "username", "email", "email_verified"}
    info = user_info(world, "openid email profile phone")
    assert info["email_verified"] is True
    assert info["updated_at"] == 1_700_000_000
    assert info["address"] == {"formatted": "1 Main Street"}
