"""``POST /``: the calls of the Cognito API that a token authorizes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from werkzeug.test import Client, TestResponse

from broker.web.api_tokens import secret_hash
from tests.kit.apps import TARGET, App, body, call_api
from tests.kit.world import PUBLIC, SECRET, WEB, World

ADMIN = "aws.cognito.signin.user.admin"
SCOPES = [*WEB["AllowedOAuthScopes"], ADMIN]
SPA = {**PUBLIC, "AllowedOAuthScopes": SCOPES}
SERVER = {**WEB, "AllowedOAuthScopes": SCOPES}


def rotating(grace: int = 0) -> dict[str, Any]:
    rotation = {"Feature": "ENABLED", "RetryGracePeriodSeconds": grace}
    return {**SPA, "ClientId": "rotating", "RefreshTokenRotation": rotation}


@pytest.fixture
def world(new_world: Callable[..., World]) -> World:
    return new_world(clients=[SPA, SERVER, rotating()])


@pytest.fixture
def spa(world: World) -> App:
    return App.of(world, SPA)


@pytest.fixture
def server(world: World) -> App:
    return App.of(world, SERVER)


def signed_in(app: App, scope: str = f"openid email {ADMIN}") -> dict[str, Any]:
    return app.tokens(scope=scope)


def refusal(response: TestResponse) -> tuple[str, str]:
    """The name and the message of a refusal, which must be one in every respect."""
    assert response.status_code == 400
    assert response.content_type == "application/x-amz-json-1.1"
    answer = body(response)
    assert set(answer) == {"__type", "message"}
    assert response.headers["x-amzn-ErrorType"] == answer["__type"]
    assert response.headers["x-amzn-RequestId"]
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    return answer["__type"], answer["message"]


def name_of(response: TestResponse) -> str:
    return refusal(response)[0]


# -- GetTokensFromRefreshToken ---------------------------------------------------------------


def test_amplify_refreshes(spa: App) -> None:
    tokens = signed_in(spa)
    spa.world.clock.advance(60)
    response = spa.api(
        "GetTokensFromRefreshToken", ClientId="spa", RefreshToken=tokens["refresh_token"]
    )
    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["x-amzn-RequestId"]
    assert set(body(response)) == {"AuthenticationResult"}
    result = body(response)["AuthenticationResult"]
    assert set(result) == {"AccessToken", "IdToken", "ExpiresIn", "TokenType"}
    assert (result["ExpiresIn"], result["TokenType"]) == (3600, "Bearer")
    old = spa.world.verified(tokens["access_token"])
    new = spa.world.verified(result["AccessToken"])
    assert (new["sub"], new["origin_jti"], new["scope"]) == (
        old["sub"],
        old["origin_jti"],
        old["scope"],
    )
    assert new["username"] == "Corp_alice"
    assert spa.world.verified(result["IdToken"])["iat"] == old["iat"] + 60


def test_a_client_that_rotates_gets_the_next_refresh_token(world: World) -> None:
    app = App.of(world, rotating())
    first = signed_in(app)["refresh_token"]
    result = body(app.api("GetTokensFromRefreshToken", ClientId="rotating", RefreshToken=first))
    second = result["AuthenticationResult"]["RefreshToken"]
    assert second != first
    assert app.refresh(second).status_code == 200


def test_reuse_has_a_name_of_its_own_and_ends_the_family(world: World) -> None:
    app = App.of(world, rotating())
    first = signed_in(app)["refresh_token"]
    second = body(app.refresh(first))["refresh_token"]
    again = app.api("GetTokensFromRefreshToken", ClientId="rotating", RefreshToken=first)
    assert name_of(again) == "RefreshTokenReuseException"
    dead = app.api("GetTokensFromRefreshToken", ClientId="rotating", RefreshToken=second)
    assert refusal(dead) == ("NotAuthorizedException", "Refresh Token has been revoked")


def test_a_client_with_a_secret_sends_it(server: App) -> None:
    token = signed_in(server)["refresh_token"]

    def refreshed(**secret: str) -> TestResponse:
        return server.api("GetTokensFromRefreshToken", ClientId="web", RefreshToken=token, **secret)

    assert refreshed(ClientSecret=SECRET).status_code == 200
    assert name_of(refreshed()) == "NotAuthorizedException"
    assert name_of(refreshed(ClientSecret="wrong")) == "NotAuthorizedException"


def test_a_public_client_must_send_none(spa: App) -> None:
    token = signed_in(spa)["refresh_token"]
    response = spa.api(
        "GetTokensFromRefreshToken", ClientId="spa", RefreshToken=token, ClientSecret="any"
    )
    assert name_of(response) == "NotAuthorizedException"


def test_refresh_tokens_that_are_not_good(world: World, spa: App, server: App) -> None:
    def refused(token: str) -> tuple[str, str]:
        return refusal(spa.api("GetTokensFromRefreshToken", ClientId="spa", RefreshToken=token))

    assert refused("x") == ("NotAuthorizedException", "Invalid Refresh Token")
    assert refused(signed_in(server)["refresh_token"]) == (
        "NotAuthorizedException",
        "Invalid Refresh Token",
    )
    revoked = signed_in(spa)["refresh_token"]
    spa.revoke(revoked)
    assert refused(revoked) == ("NotAuthorizedException", "Refresh Token has been revoked")
    expired = signed_in(spa)["refresh_token"]
    world.clock.advance(30 * 86400)
    assert refused(expired) == ("NotAuthorizedException", "Refresh Token has expired")


@pytest.mark.parametrize("fate", ["disable", "delete", "sign_out_everywhere"])
def test_a_user_who_is_out_refreshes_no_more(spa: App, fate: str) -> None:
    token = signed_in(spa)["refresh_token"]
    broker = spa.world.broker
    pool = broker.pools["eu-west-1_Test01"]
    user = broker.directory.by_username(pool.id, "Corp_alice")
    assert user is not None
    getattr(broker.accounts, fate)(pool, user)
    refused = spa.api("GetTokensFromRefreshToken", ClientId="spa", RefreshToken=token)
    assert refusal(refused) == ("NotAuthorizedException", "Refresh Token has been revoked")


def test_no_client_has_a_name_so_long(spa: App) -> None:
    response = spa.api("GetTokensFromRefreshToken", ClientId="x" * 129, RefreshToken="x")
    name, message = refusal(response)
    assert name == "InvalidParameterException"
    assert "x" * 10 not in message


def test_an_unknown_client(spa: App) -> None:
    response = spa.api("GetTokensFromRefreshToken", ClientId="nobody", RefreshToken="x")
    assert refusal(response) == (
        "ResourceNotFoundException",
        "User pool client nobody does not exist.",
    )


# -- InitiateAuth ----------------------------------------------------------------------------


def initiate(app: App, flow: str = "REFRESH_TOKEN_AUTH", **parameters: str) -> TestResponse:
    return app.api(
        "InitiateAuth", AuthFlow=flow, ClientId=app.client["ClientId"], AuthParameters=parameters
    )


@pytest.mark.parametrize("flow", ["REFRESH_TOKEN_AUTH", "REFRESH_TOKEN"])
def test_a_refresh_by_initiate_auth(spa: App, flow: str) -> None:
    response = initiate(spa, flow, REFRESH_TOKEN=signed_in(spa)["refresh_token"])
    answer = body(response)
    assert set(answer) == {"ChallengeParameters", "AuthenticationResult"}
    assert "RefreshToken" not in answer["AuthenticationResult"]
    assert spa.world.verified(answer["AuthenticationResult"]["AccessToken"])["scope"]


def test_a_client_with_a_secret_sends_its_hash(server: App) -> None:
    tokens = signed_in(server)
    token, sub = tokens["refresh_token"], server.world.verified(tokens["id_token"])["sub"]
    for user in ("Corp_alice", sub):
        good = secret_hash(user, "web", SECRET)
        assert initiate(server, REFRESH_TOKEN=token, SECRET_HASH=good).status_code == 200
    assert name_of(initiate(server, REFRESH_TOKEN=token)) == "NotAuthorizedException"
    for wrong in (
        SECRET,
        secret_hash("Corp_bob", "web", SECRET),
        secret_hash(sub, "spa", SECRET),
        "é",
    ):
        refused = initiate(server, REFRESH_TOKEN=token, SECRET_HASH=wrong)
        assert name_of(refused) == "NotAuthorizedException"


def test_the_hash_is_what_every_sdk_computes() -> None:
    # echo -n "aliceclient" | openssl dgst -sha256 -hmac secret -binary | base64
    assert (
        secret_hash("alice", "client", "secret") == "RTsve+FQ659UKyESgvLg9GYmZEL+QjzQsW/OjL77/b0="
    )


def test_rotation_and_this_flow_exclude_each_other(world: World) -> None:
    app = App.of(world, rotating())
    token = signed_in(app)["refresh_token"]
    assert name_of(initiate(app, REFRESH_TOKEN=token)) == "InvalidParameterException"
    assert app.refresh(token).status_code == 200


@pytest.mark.parametrize("flow", ["USER_PASSWORD_AUTH", "USER_SRP_AUTH", "CUSTOM_AUTH", "NONSENSE"])
def test_other_flows_are_not_here(spa: App, flow: str) -> None:
    assert name_of(initiate(spa, flow, USERNAME="alice")) == "InvalidParameterException"


def test_a_refresh_without_a_token(spa: App) -> None:
    assert name_of(initiate(spa)) == "InvalidParameterException"


# -- RevokeToken -----------------------------------------------------------------------------


def test_amplify_signs_out(spa: App) -> None:
    tokens = signed_in(spa)
    for _ in range(2):
        response = spa.api("RevokeToken", ClientId="spa", Token=tokens["refresh_token"])
        assert (response.status_code, body(response)) == (200, {})
    assert spa.refresh(tokens["refresh_token"]).status_code == 400
    assert refusal(spa.api("GetUser", AccessToken=tokens["access_token"])) == (
        "NotAuthorizedException",
        "Access Token has been revoked",
    )


def test_revocation_needs_the_secret_of_the_client(server: App) -> None:
    token = signed_in(server)["refresh_token"]
    assert (
        name_of(server.api("RevokeToken", ClientId="web", Token=token)) == "UnauthorizedException"
    )
    wrong = server.api("RevokeToken", ClientId="web", Token=token, ClientSecret="x")
    assert name_of(wrong) == "UnauthorizedException"
    assert name_of(server.api("RevokeToken", ClientId="nobody", Token=token)) == (
        "UnauthorizedException"
    )
    assert server.refresh(token).status_code == 200
    server.api("RevokeToken", ClientId="web", Token=token, ClientSecret=SECRET)
    assert server.refresh(token).status_code == 400


def test_another_clients_token_is_left_alone(spa: App, server: App) -> None:
    token = signed_in(server)["refresh_token"]
    assert spa.api("RevokeToken", ClientId="spa", Token=token).status_code == 200
    assert server.refresh(token).status_code == 200


def test_only_refresh_tokens(spa: App) -> None:
    token = signed_in(spa)["access_token"]
    assert name_of(spa.api("RevokeToken", ClientId="spa", Token=token)) == (
        "UnsupportedTokenTypeException"
    )


def test_a_client_with_revocation_off(new_world: Callable[..., World]) -> None:
    bare = {**SPA, "EnableTokenRevocation": False}
    app = App.of(new_world(clients=[bare]), bare)
    token = signed_in(app)["refresh_token"]
    assert name_of(app.api("RevokeToken", ClientId="spa", Token=token)) == (
        "UnsupportedOperationException"
    )


# -- GetUser, GlobalSignOut ------------------------------------------------------------------


def test_get_user_lists_what_the_client_may_read(spa: App) -> None:
    tokens = signed_in(spa)
    answer = body(spa.api("GetUser", AccessToken=tokens["access_token"]))
    assert set(answer) == {"Username", "UserAttributes"}
    assert answer["Username"] == "Corp_alice"
    attributes = {each["Name"]: each["Value"] for each in answer["UserAttributes"]}
    assert attributes["sub"] == spa.world.verified(tokens["id_token"])["sub"]
    assert json.loads(attributes["identities"])[0]["providerName"] == "Corp"
    assert all(isinstance(value, str) for value in attributes.values())


def test_global_sign_out_ends_a_token_of_the_same_second_that_has_no_refresh_token(
    new_world: Callable[..., World],
) -> None:
    implicit = {**SPA, "AllowedOAuthFlows": ["implicit"]}
    app = App.of(new_world(clients=[implicit]), implicit)
    answer = app.answer(response_type="token", scope=f"openid {ADMIN}")
    token = answer["access_token"]
    assert app.api("GlobalSignOut", AccessToken=token).status_code == 200
    assert app.world.userinfo(token).status_code == 401


@pytest.mark.parametrize("operation", ["GetUser", "GlobalSignOut"])
def test_the_admin_scope_is_needed(spa: App, operation: str) -> None:
    token = signed_in(spa, "openid")["access_token"]
    assert refusal(spa.api(operation, AccessToken=token)) == (
        "NotAuthorizedException",
        "Access Token does not have required scopes",
    )


@pytest.mark.parametrize("operation", ["GetUser", "GlobalSignOut"])
def test_other_tokens_are_no_access_tokens(spa: App, operation: str) -> None:
    tokens = signed_in(spa)
    for token in (tokens["id_token"], tokens["refresh_token"], "x", "é"):
        assert refusal(spa.api(operation, AccessToken=token)) == (
            "NotAuthorizedException",
            "Invalid Access Token",
        )


def test_an_expired_access_token(spa: App) -> None:
    token = signed_in(spa)["access_token"]
    spa.world.clock.advance(3600)
    assert refusal(spa.api("GetUser", AccessToken=token)) == (
        "NotAuthorizedException",
        "Access Token has expired",
    )


def test_global_sign_out_ends_every_token_of_the_user_and_nobody_elses(spa: App) -> None:
    world = spa.world
    here, there, bob = signed_in(spa), App.of(world, SERVER), App.of(world, SPA)
    elsewhere, bobs = signed_in(there), bob.tokens(name_id="bob", scope=f"openid {ADMIN}")
    response = spa.api("GlobalSignOut", AccessToken=here["access_token"])
    assert (response.status_code, body(response)) == (200, {})
    for app, tokens in ((spa, here), (there, elsewhere)):
        assert app.refresh(tokens["refresh_token"]).status_code == 400
        assert world.userinfo(tokens["access_token"]).status_code == 401
        assert name_of(app.api("GetUser", AccessToken=tokens["access_token"])) == (
            "NotAuthorizedException"
        )
    assert world.userinfo(bobs["access_token"]).status_code == 200
    # A new sign-in at the very same second is good.
    assert world.userinfo(signed_in(spa)["access_token"]).status_code == 200


@pytest.mark.parametrize(
    ("fate", "refused"),
    [
        ("disable", ("NotAuthorizedException", "User is disabled.")),
        ("delete", ("UserNotFoundException", "User does not exist.")),
    ],
)
def test_a_user_who_is_out_is_told_how(spa: App, fate: str, refused: tuple[str, str]) -> None:
    token = signed_in(spa)["access_token"]
    broker = spa.world.broker
    pool = broker.pools["eu-west-1_Test01"]
    user = broker.directory.by_username(pool.id, "Corp_alice")
    assert user is not None
    getattr(broker.accounts, fate)(pool, user)
    assert refusal(spa.api("GetUser", AccessToken=token)) == refused


# -- the wire --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "target",
    [None, "", "GetUser", TARGET, TARGET + "Nothing", "AWSOther.GetUser", TARGET + "getuser"],
)
def test_an_unknown_target(world: World, target: str | None) -> None:
    assert name_of(call_api(world, target, "{}")) == "UnknownOperationException"


@pytest.mark.parametrize("operation", ["SignUp", "ForgotPassword", "RespondToAuthChallenge"])
def test_what_is_for_local_users_says_so(world: World, operation: str) -> None:
    refused = call_api(world, TARGET + operation, "{}")
    assert name_of(refused) == "UnsupportedOperationException"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "[]",
        "null",
        '"x"',
        "{",
        "[" * 100_000,
        '{"a":' * 5000,
        '{"AccessToken": 1}',
        '{"AccessToken": {}}',
        '{"AccessToken": "\\ud800"}',
    ],
)
def test_a_body_that_is_none(world: World, text: str) -> None:
    assert name_of(call_api(world, TARGET + "GetUser", text)) in (
        "SerializationException",
        "NotAuthorizedException",
    )


def test_a_body_that_is_not_utf_8(world: World) -> None:
    response = Client(world.app).post(
        "/",
        base_url=world.origin,
        data=b'{"AccessToken": "\xed\xa0\x80"}',
        headers={"X-Amz-Target": TARGET + "GetUser"},
    )
    assert name_of(response) == "SerializationException"


@pytest.mark.parametrize(
    ("operation", "sent", "missing"),
    [
        ("GetUser", {}, "accessToken"),
        ("GetUser", {"AccessToken": ""}, "accessToken"),
        ("GetUser", {"AccessToken": None}, "accessToken"),
        ("GlobalSignOut", {}, "accessToken"),
        ("RevokeToken", {"ClientId": "spa"}, "token"),
        ("RevokeToken", {"Token": "x"}, "clientId"),
        ("GetTokensFromRefreshToken", {"ClientId": "spa"}, "refreshToken"),
        ("GetTokensFromRefreshToken", {"RefreshToken": "x"}, "clientId"),
        ("InitiateAuth", {"ClientId": "spa"}, "authFlow"),
        ("InitiateAuth", {"AuthFlow": "REFRESH_TOKEN_AUTH"}, "clientId"),
    ],
)
def test_a_missing_member_is_named(
    world: World, operation: str, sent: dict[str, str | None], missing: str
) -> None:
    name, message = refusal(call_api(world, TARGET + operation, json.dumps(sent)))
    assert name == "InvalidParameterException"
    assert message == (
        f"1 validation error detected: Value null at '{missing}' failed to satisfy constraint: "
        "Member must not be null"
    )


def test_unknown_members_are_let_through(spa: App) -> None:
    token = signed_in(spa)["access_token"]
    assert spa.api("GetUser", AccessToken=token, ClientMetadata={"a": "b"}).status_code == 200


def test_another_pools_clients_and_tokens_are_unknown(new_world: Callable[..., World]) -> None:
    ours = App.of(new_world(clients=[SPA]), SPA)
    other = new_world(clients=[{**SPA, "ClientId": "theirs"}], pool={"Id": "eu-west-1_Other"})
    token = signed_in(ours)["access_token"]
    refused = call_api(other, TARGET + "GetUser", json.dumps({"AccessToken": token}))
    assert refusal(refused) == ("NotAuthorizedException", "Invalid Access Token")
    members = json.dumps({"ClientId": "spa", "RefreshToken": "x"})
    assert name_of(call_api(other, TARGET + "GetTokensFromRefreshToken", members)) == (
        "ResourceNotFoundException"
    )


@pytest.mark.parametrize(
    ("how", "status"),
    [({"method": "GET"}, 405), ({"method": "POST", "data": "x" * 600_000}, 413)],
)
def test_http_errors_are_of_the_same_shape(world: World, how: dict[str, Any], status: int) -> None:
    response = world.app.test_client().open(
        "/", base_url=world.origin, headers={"X-Amz-Target": TARGET + "GetUser"}, **how
    )
    assert response.status_code == status
    assert body(response)["__type"] == "InvalidParameterException"
