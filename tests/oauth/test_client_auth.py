"""Who is calling the token endpoint."""

from __future__ import annotations

import base64
from urllib.parse import quote

import pytest

from broker.model.errors import ErrorCode, OAuthError
from broker.model.parameters import Parameters
from broker.model.pool import AppClient
from broker.oauth.client_auth import authenticate
from tests.kit.pools import SECRET, client, pool

ODD = "a+b/c=d %41:~-é"
"""What form-encoding changes: a plus, a space, a percent sign, a colon, a letter beyond ASCII."""

WEB = client()
SPA = client(id="spa", secret=None)
ODD_CLIENT = client(id="odd+id", secret=ODD)
POOL = pool(WEB, SPA, ODD_CLIENT)


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def caller(header: str | None = None, **form: str) -> AppClient:
    return authenticate(header, Parameters.of(form.items()), POOL)


def refusal(header: str | None = None, **form: str) -> ErrorCode:
    with pytest.raises(OAuthError) as refused:
        caller(header, **form)
    return refused.value.code


def test_the_secret_in_the_body() -> None:
    assert caller(client_id="web", client_secret=SECRET) is WEB


def test_the_secret_by_basic() -> None:
    assert caller(basic("web", SECRET)) is WEB


@pytest.mark.parametrize("scheme", ["basic", "BASIC"])
def test_the_scheme_ignores_case(scheme: str) -> None:
    assert caller(basic("web", SECRET).replace("Basic", scheme)) is WEB


def test_basic_as_sent_and_form_encoded() -> None:
    assert caller(basic("odd+id", ODD)) is ODD_CLIENT
    assert caller(basic(quote("odd+id", safe=""), quote(ODD, safe=""))) is ODD_CLIENT


def test_the_same_client_id_beside_basic() -> None:
    assert caller(basic("web", SECRET), client_id="web") is WEB


def test_another_client_id_beside_basic_refuses() -> None:
    assert refusal(basic("web", SECRET), client_id="spa") is ErrorCode.INVALID_REQUEST


def test_two_secrets_refuse_even_when_both_are_right() -> None:
    header = basic("web", SECRET)
    assert refusal(header, client_id="web", client_secret=SECRET) is ErrorCode.INVALID_REQUEST


def test_a_public_client_names_itself() -> None:
    assert caller(client_id="spa") is SPA
    assert caller(basic("spa", "")) is SPA


@pytest.mark.parametrize(
    "form",
    [
        {"client_id": "web"},
        {"client_id": "web", "client_secret": SECRET + "x"},
        {"client_id": "web", "client_secret": SECRET[:-1]},
        {"client_id": "web", "client_secret": "\udc80"},
        {"client_id": "spa", "client_secret": "anything"},
        {"client_id": "nobody"},
        {"client_id": "nobody", "client_secret": SECRET},
    ],
)
def test_wrong_credentials_and_unknown_clients_fail_alike(form: dict[str, str]) -> None:
    with pytest.raises(OAuthError) as refused:
        caller(**form)
    with pytest.raises(OAuthError) as other:
        caller(client_id="web", client_secret="wrong")
    assert refused.value.code is ErrorCode.INVALID_CLIENT
    assert str(refused.value) == str(other.value)


@pytest.mark.parametrize(
    "header",
    [
        basic("web", ""),
        basic("web", SECRET.upper()),
        basic("nobody", SECRET),
        "Basic !!!",
        "Basic é",
        "Basic ",
        "Basic " + base64.b64encode(b"\xff:\xff").decode(),
    ],
)
def test_wrong_basic_credentials_refuse(header: str) -> None:
    assert refusal(header) is ErrorCode.INVALID_CLIENT


@pytest.mark.parametrize("header", [None, "Bearer abc", "Basic"])
def test_a_request_that_names_no_client_says_what_is_missing(header: str | None) -> None:
    assert refusal(header) is ErrorCode.INVALID_REQUEST
