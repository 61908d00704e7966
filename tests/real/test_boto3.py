"""The token API by boto3: every call an SDK makes with a token, none of them signed."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from broker.web.api_tokens import secret_hash
from tests.kit.live import CALLBACK, SERVER, SPA, Live, live, params
from tests.kit.world import CHALLENGE, SECRET, VERIFIER

ROTATING = {**SPA, "ClientId": "rotating", "RefreshTokenRotation": {"Feature": "ENABLED"}}


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory, certs: Path) -> Iterator[Live]:
    folder = tmp_path_factory.mktemp("boto3")
    with live(folder, certs, clients=[SERVER, SPA, ROTATING]) as running:
        yield running


@pytest.fixture(scope="module")
def cognito(broker: Live) -> Iterator[Any]:
    client = boto3.client(
        "cognito-idp",
        endpoint_url=broker.origin,
        region_name="eu-west-1",
        config=Config(signature_version=UNSIGNED, retries={"max_attempts": 1}),
    )
    yield client
    client.close()


def signed_in(broker: Live, client: dict[str, Any]) -> dict[str, Any]:
    """The tokens of a whole sign-in."""
    asked = {
        "response_type": "code",
        "client_id": client["ClientId"],
        "redirect_uri": CALLBACK,
        "scope": "openid email aws.cognito.signin.user.admin",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    }
    with broker.person() as person:
        back = params(person.follows(f"{broker.origin}/oauth2/authorize?{urlencode(asked)}"))
    form = {
        "grant_type": "authorization_code",
        "client_id": client["ClientId"],
        "code": back["code"],
        "redirect_uri": CALLBACK,
        "code_verifier": VERIFIER,
        **({"client_secret": client["ClientSecret"]} if "ClientSecret" in client else {}),
    }
    request = urllib.request.Request(f"{broker.origin}/oauth2/token", urlencode(form).encode())
    with urllib.request.urlopen(request) as response:
        tokens: dict[str, Any] = json.load(response)
    return tokens


def test_a_person_signs_in_refreshes_reads_and_signs_out(broker: Live, cognito: Any) -> None:
    tokens = signed_in(broker, SPA)
    user = cognito.get_user(AccessToken=tokens["access_token"])
    assert user["Username"] == "Corp_alice"
    attributes = {each["Name"]: each["Value"] for each in user["UserAttributes"]}
    assert attributes["email"] == "alice@example.test"

    refreshed = cognito.get_tokens_from_refresh_token(
        ClientId="spa", RefreshToken=tokens["refresh_token"]
    )["AuthenticationResult"]
    assert refreshed["TokenType"] == "Bearer"
    again = cognito.initiate_auth(
        ClientId="spa",
        AuthFlow="REFRESH_TOKEN_AUTH",
        AuthParameters={"REFRESH_TOKEN": tokens["refresh_token"]},
    )["AuthenticationResult"]

    cognito.revoke_token(ClientId="spa", Token=tokens["refresh_token"])
    for token in (tokens["access_token"], refreshed["AccessToken"], again["AccessToken"]):
        with pytest.raises(cognito.exceptions.NotAuthorizedException, match="revoked"):
            cognito.get_user(AccessToken=token)


def test_a_client_with_a_secret(broker: Live, cognito: Any) -> None:
    token = signed_in(broker, SERVER)["refresh_token"]
    parameters = {
        "REFRESH_TOKEN": token,
        "SECRET_HASH": secret_hash("Corp_alice", "web", SECRET),
    }
    flow = {"ClientId": "web", "AuthFlow": "REFRESH_TOKEN_AUTH"}
    assert cognito.initiate_auth(**flow, AuthParameters=parameters)["AuthenticationResult"]
    with pytest.raises(cognito.exceptions.NotAuthorizedException):
        cognito.initiate_auth(**flow, AuthParameters={"REFRESH_TOKEN": token})
    assert cognito.get_tokens_from_refresh_token(
        ClientId="web", RefreshToken=token, ClientSecret=SECRET
    )


def test_global_sign_out(broker: Live, cognito: Any) -> None:
    first, second = signed_in(broker, SPA), signed_in(broker, SPA)
    cognito.global_sign_out(AccessToken=first["access_token"])
    with pytest.raises(cognito.exceptions.NotAuthorizedException):
        cognito.get_user(AccessToken=second["access_token"])
    with pytest.raises(cognito.exceptions.NotAuthorizedException):
        cognito.get_tokens_from_refresh_token(ClientId="spa", RefreshToken=second["refresh_token"])


def test_reuse_is_an_exception_of_its_own(broker: Live, cognito: Any) -> None:
    first = signed_in(broker, ROTATING)["refresh_token"]
    second = cognito.get_tokens_from_refresh_token(ClientId="rotating", RefreshToken=first)
    assert second["AuthenticationResult"]["RefreshToken"] != first
    with pytest.raises(cognito.exceptions.RefreshTokenReuseException):
        cognito.get_tokens_from_refresh_token(ClientId="rotating", RefreshToken=first)


def test_errors_have_the_classes_boto3_knows(broker: Live, cognito: Any) -> None:
    known = cognito.exceptions
    with pytest.raises(known.ResourceNotFoundException):
        cognito.get_tokens_from_refresh_token(ClientId="nobody", RefreshToken="x")
    with pytest.raises(known.UnauthorizedException):
        cognito.revoke_token(ClientId="nobody", Token="x")
    with pytest.raises(known.UnsupportedTokenTypeException):
        cognito.revoke_token(ClientId="spa", Token="a.b.c")
    with pytest.raises(known.InvalidParameterException):
        cognito.initiate_auth(ClientId="spa", AuthFlow="USER_PASSWORD_AUTH")
    with pytest.raises(ClientError) as refused:
        cognito.sign_up(ClientId="spa", Username="alice", Password="secret-1")
    assert refused.value.response["Error"]["Code"] == "UnsupportedOperationException"
    assert refused.value.response["ResponseMetadata"]["RequestId"]
