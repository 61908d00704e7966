"""``grant_type=authorization_code``: one code, once, by whom it was meant for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.kit.apps import App, body
from tests.kit.world import PUBLIC, SECRET, WEB, World


@pytest.fixture
def app(world: World) -> App:
    return App.of(world)


def test_the_answer_is_json_that_no_cache_keeps(app: App) -> None:
    response = app.redeem(app.answer()["code"])
    assert response.status_code == 200
    assert response.content_type == "application/json;charset=UTF-8"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert response.headers["x-amz-cognito-request-id"]
    answer = body(response)
    assert set(answer) == {"id_token", "access_token", "refresh_token", "expires_in", "token_type"}
    assert answer["token_type"] == "Bearer"
    assert answer["expires_in"] == 3600


def test_without_openid_there_is_no_id_token(app: App) -> None:
    assert "id_token" not in app.tokens(scope="api/read")


def test_lifetimes_are_the_clients_own_in_their_units(new_world: Callable[..., World]) -> None:
    quick = {
        **WEB,
        "AccessTokenValidity": 10,
        "IdTokenValidity": 600,
        "RefreshTokenValidity": 90,
        "TokenValidityUnits": {
            "AccessToken": "minutes",
            "IdToken": "seconds",
            "RefreshToken": "minutes",
        },
    }
    world = new_world(clients=[quick])
    app = App.of(world, quick)
    tokens = app.tokens()
    access, identity = world.verified(tokens["access_token"]), world.verified(tokens["id_token"])
    assert tokens["expires_in"] == 600
    assert access["exp"] - access["iat"] == 600
    assert identity["exp"] - identity["iat"] == 600
    world.clock.advance(90 * 60 - 1)
    assert app.refresh(tokens["refresh_token"]).status_code == 200
    world.clock.advance(1)
    assert app.refresh(tokens["refresh_token"]).status_code == 400


# -- a second use ----------------------------------------------------------------------------


@pytest.mark.parametrize("later", [0, 30, 299])
def test_a_second_use_refuses_and_kills_what_the_first_one_got(app: App, later: int) -> None:
    code = app.answer()["code"]
    tokens = body(app.redeem(code))
    assert app.world.userinfo(tokens["access_token"]).status_code == 200
    app.world.clock.advance(later)

    again = app.redeem(code)
    assert (again.status_code, body(again)["error"]) == (400, "invalid_grant")
    assert app.world.userinfo(tokens["access_token"]).status_code == 401
    assert body(app.refresh(tokens["refresh_token"]))["error"] == "invalid_grant"


def test_a_second_use_kills_the_tokens_of_a_client_without_revocation_too(
    new_world: Callable[..., World],
) -> None:
    bare = {**WEB, "EnableTokenRevocation": False}
    app = App.of(new_world(clients=[bare]), bare)
    code = app.answer()["code"]
    tokens = body(app.redeem(code))
    assert "origin_jti" not in app.world.verified(tokens["access_token"])
    refreshed = body(app.refresh(tokens["refresh_token"]))
    assert app.redeem(code).status_code == 400
    for token in (tokens["access_token"], refreshed["access_token"]):
        assert app.world.userinfo(token).status_code == 401


def test_a_second_use_touches_no_other_sign_in(app: App) -> None:
    other = app.tokens()
    code = app.answer()["code"]
    app.redeem(code)
    app.redeem(code)
    assert app.world.userinfo(other["access_token"]).status_code == 200


def test_a_code_lives_five_minutes(app: App) -> None:
    code = app.answer()["code"]
    app.world.clock.advance(300)
    assert body(app.redeem(code))["error"] == "invalid_grant"


# -- what it is bound to ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"code": None}, "invalid_request"),
        ({"code": "6f1c3f3c-0000-4000-8000-000000000000"}, "invalid_grant"),
        ({"code": "\x00"}, "invalid_grant"),
        ({"redirect_uri": None}, "invalid_request"),
        ({"redirect_uri": "https://app.example.test/callback/"}, "unauthorized_client"),
        ({"code_verifier": None}, "invalid_grant"),
        ({"code_verifier": "w" * 43}, "invalid_grant"),
        ({"code_verifier": "v" * 42}, "invalid_grant"),
        ({"code_verifier": "é" * 43}, "invalid_grant"),
        ({"client_secret": "wrong"}, "invalid_client"),
        ({"client_secret": None}, "invalid_client"),
        ({"client_id": "spa", "client_secret": None}, "invalid_grant"),
        ({"client_id": "nobody"}, "invalid_client"),
        ({"client_id": None}, "invalid_request"),
        ({"grant_type": None}, "invalid_request"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
    ],
)
def test_a_code_is_bound(app: App, changes: dict[str, str | None], error: str) -> None:
    response = app.redeem(app.answer()["code"], **changes)
    assert (response.status_code, body(response)["error"]) == (400, error)
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Access-Control-Allow-Origin"] == "*"


def test_a_redirect_uri_that_differs_is_called_what_cognito_calls_it(app: App) -> None:
    response = app.redeem(app.answer()["code"], redirect_uri="https://app.example.test/")
    assert body(response) == {
        "error": "unauthorized_client",
        "error_description": "invalid_redirect",
    }


def test_a_verifier_without_a_challenge_is_a_downgrade(app: App) -> None:
    code = app.answer(code_challenge=None, code_challenge_method=None)["code"]
    assert body(app.redeem(code))["error"] == "invalid_grant"


def test_a_confidential_client_need_not_use_pkce(app: App) -> None:
    code = app.answer(code_challenge=None, code_challenge_method=None)["code"]
    assert app.redeem(code, code_verifier=None).status_code == 200


def test_a_public_client_signs_in_with_pkce_alone(world: World) -> None:
    spa = App.of(world, PUBLIC)
    assert spa.tokens()["refresh_token"]


def test_a_public_client_may_opt_out_of_pkce(new_world: Callable[..., World]) -> None:
    legacy = {**PUBLIC, "RequirePkce": False}
    app = App.of(new_world(clients=[legacy]), legacy)
    code = app.answer(code_challenge=None, code_challenge_method=None)["code"]
    assert app.redeem(code, code_verifier=None).status_code == 200


def test_a_confidential_client_may_be_held_to_pkce(new_world: Callable[..., World]) -> None:
    strict = {**WEB, "RequirePkce": True}
    app = App.of(new_world(clients=[strict]), strict)
    answer = app.answer(code_challenge=None, code_challenge_method=None)
    assert answer["error"] == "invalid_request"


def test_the_default_redirect_uri_need_not_be_named(new_world: Callable[..., World]) -> None:
    one = {**WEB, "DefaultRedirectURI": WEB["CallbackURLs"][0]}
    app = App.of(new_world(clients=[one]), one)
    code = app.answer(redirect_uri=None)["code"]
    assert app.redeem(code, redirect_uri=None).status_code == 200


def test_scopes_the_client_may_not_read_yield_no_tokens(new_world: Callable[..., World]) -> None:
    blind = {**WEB, "ReadAttributes": ["email", "name"]}
    app = App.of(new_world(clients=[blind]), blind)
    response = app.redeem(app.answer()["code"])
    assert body(response)["error"] == "invalid_grant"
    assert "email_verified" in body(response)["error_description"]


# -- the request itself ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["grant_type", "code", "redirect_uri", "code_verifier", "client_id", "client_secret"]
)
def test_a_repeated_field_refuses(app: App, name: str) -> None:
    code = app.answer()["code"]
    repeated = (
        f"grant_type=authorization_code&client_id=web&client_secret={SECRET}&code={code}&{name}=x"
    )
    again = repeated if name not in ("redirect_uri", "code_verifier") else f"{repeated}&{name}=x"
    response = app.world.browser().post("/oauth2/token", again)
    assert (response.status_code, body(response)["error"]) == (400, "invalid_request")


def test_unknown_fields_are_ignored_even_repeated(app: App) -> None:
    response = app.redeem(app.answer()["code"], extra="foo")
    assert response.status_code == 200


def test_bytes_that_are_not_utf_8_refuse(app: App) -> None:
    response = app.world.browser().post(
        "/oauth2/token", "grant_type=authorization_code&client_id=web&client_secret=%FF&code=%FF"
    )
    assert (response.status_code, body(response)["error"]) == (400, "invalid_request")


def test_the_secret_in_the_query_does_not_count(app: App) -> None:
    code = app.answer()["code"]
    form = f"grant_type=authorization_code&client_id=web&code={code}"
    response = app.world.browser().post(f"/oauth2/token?client_secret={SECRET}", form)
    assert body(response)["error"] == "invalid_client"


def test_wrong_basic_credentials_get_a_challenge(app: App) -> None:
    headers = {"Authorization": "Basic d2ViOndyb25n"}  # web:wrong
    response = app.world.token(
        {"grant_type": "refresh_token", "refresh_token": "x"}, headers=headers
    )
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith("Basic ")
    assert body(response)["error"] == "invalid_client"


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer of-another-kind"}])
def test_wrong_credentials_in_the_body_get_none(app: App, headers: dict[str, str]) -> None:
    form = {"grant_type": "refresh_token", "client_id": "web", "client_secret": "wrong"}
    response = app.world.token(form, headers=headers)
    assert response.status_code == 400
    assert "WWW-Authenticate" not in response.headers


def test_unknown_client_and_wrong_secret_look_alike(app: App) -> None:
    wrong = app.redeem("code", client_secret="wrong")
    unknown = app.redeem("code", client_id="nobody")
    assert (wrong.status_code, wrong.data) == (unknown.status_code, unknown.data)


@pytest.mark.parametrize(
    ("how", "status"),
    [
        ({"method": "GET"}, 405),
        ({"method": "PUT"}, 405),
        ({"method": "POST", "json": {"grant_type": "refresh_token"}}, 415),
        ({"method": "POST", "data": "a=b", "content_type": "text/plain"}, 415),
        ({"method": "POST", "data": {"a": "b"}, "content_type": "multipart/form-data"}, 415),
        ({"method": "POST"}, 415),
        (
            {
                "method": "POST",
                "data": "a=" + "b" * 600_000,
                "content_type": "application/x-www-form-urlencoded",
            },
            413,
        ),
        (
            {
                "method": "POST",
                "data": "&".join(f"p{i}=1" for i in range(300)),
                "content_type": "application/x-www-form-urlencoded",
            },
            400,
        ),
    ],
)
@pytest.mark.parametrize("path", ["/oauth2/token", "/oauth2/revoke"])
def test_every_error_is_json(world: World, path: str, how: dict[str, Any], status: int) -> None:
    response = world.app.test_client().open(path, base_url=world.origin, **how)
    assert response.status_code == status
    answer = body(response)
    assert answer["error"] == "invalid_request"
    assert answer["error_description"]
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert "Allow" in response.headers or status != 405
