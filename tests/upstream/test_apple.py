"""Sign in with Apple, against a double of its documented behaviour."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.model.errors import ErrorCode, Reason
from broker.model.pool import ProviderType
from broker.ports import Upstream
from broker.upstream import apple
from broker.upstream.http import HttpClient
from tests.kit.clock import ManualClock
from tests.kit.jose import ec_key, rsa_key
from tests.kit.social import Apple
from tests.upstream.sign_ins import POOL, begin, provider, refusal, sign_in


@pytest.fixture
def double(clock: ManualClock) -> Iterator[Apple]:
    with Apple(clock=clock) as running:
        yield running


@pytest.fixture
def connect(double: Apple, http: HttpClient, clock: ManualClock) -> Callable[..., Upstream]:
    def made(**settings: Any) -> Upstream:
        entry = provider(ProviderType.APPLE, **double.settings(**settings))
        return apple.connector(POOL, entry, http=http, clock=clock)

    return made


def test_a_sign_in(double: Apple, connect: Callable[..., Upstream]) -> None:
    identity = sign_in(connect(), double.sign_in)

    assert identity.subject == "001234.0123456789abcdef.0123"
    assert identity.claims["email"] == ("x7y8z9@privaterelay.appleid.test",)
    assert identity.claims["email_verified"] == ("true",)
    assert "name" not in identity.claims


def test_the_name_comes_once_with_the_callback(
    double: Apple, connect: Callable[..., Upstream]
) -> None:
    double.user = json.dumps(
        {"name": {"firstName": "Zoë", "lastName": "名"}, "email": "forged@example.test"}
    )

    claims = sign_in(connect(), double.sign_in).claims

    assert claims["firstName"] == ("Zoë",)
    assert claims["lastName"] == ("名",)
    assert claims["name"] == ("Zoë 名",)
    assert claims["email"] == ("x7y8z9@privaterelay.appleid.test",)


def test_the_callback_cannot_overrule_the_id_token(
    double: Apple, connect: Callable[..., Upstream]
) -> None:
    double.user = json.dumps({"name": {"firstName": "Eve", "sub": "x"}, "sub": "other"})
    double.claims = {"name": "Signed Name"}

    identity = sign_in(connect(), double.sign_in)

    assert identity.subject == "001234.0123456789abcdef.0123"
    assert identity.claims["name"] == ("Signed Name",)


@pytest.mark.parametrize(
    "user",
    ["", "x", "[]", "{}", '{"name":7}', '{"name":{"firstName":[]}}', "{" * 9999, '"\\ud800"'],
)
def test_an_odd_user_costs_the_name_only(
    double: Apple, connect: Callable[..., Upstream], user: str
) -> None:
    double.user = user

    identity = sign_in(connect(), double.sign_in)

    assert "firstName" not in identity.claims
    assert "name" not in identity.claims


@given(st.text())
def test_no_user_parameter_raises(user: str) -> None:
    assert isinstance(apple.names({"user": user}), dict)


@pytest.mark.parametrize("form", ["pem", "bare", "escaped"])
def test_the_private_key_may_be_bare(
    double: Apple, connect: Callable[..., Upstream], form: str
) -> None:
    pem = double.developer_key.private_pem()
    pasted = {
        "pem": pem,
        "bare": "".join(pem.splitlines()[1:-1]),
        "escaped": pem.replace("\n", "\\n"),
    }[form]

    upstream = connect(extra={"private_key": pasted})

    assert sign_in(upstream, double.sign_in).claims["email"]


@pytest.mark.parametrize(
    "extra",
    [
        {"private_key": ec_key("other").private_pem()},
        {"key_id": "OTHER"},
        {"team_id": "OTHER"},
    ],
)
def test_a_wrong_key_is_told_in_apples_words(
    double: Apple, connect: Callable[..., Upstream], extra: dict[str, str]
) -> None:
    error = refusal(connect(extra=extra), double.sign_in, Reason.OIDC_TOKEN_REFUSED)

    assert error.public == "SignInWithApple Error - 400 invalid_client"


@pytest.mark.parametrize("key", ["", "nonsense", rsa_key().public_pem().decode()])
def test_what_is_no_private_key_is_a_fault_of_the_configuration(
    double: Apple, connect: Callable[..., Upstream], key: str
) -> None:
    refusal(connect(extra={"private_key": key}), double.sign_in, Reason.OIDC_NOT_CONFIGURED)


def test_the_hints_that_apple_does_not_know_are_not_sent(
    connect: Callable[..., Upstream],
) -> None:
    url = begin(connect(), login_hint="x", prompt=("login",), max_age=5)[0].url

    assert not any(name in url for name in ("login_hint", "prompt", "max_age", "code_challenge"))
    assert "response_mode=form_post" in url


def test_cancelling_at_apple_is_access_denied(connect: Callable[..., Upstream]) -> None:
    error = refusal(
        connect(), lambda _: {"error": "user_cancelled_authorize"}, Reason.OIDC_CANCELLED
    )

    assert error.code is ErrorCode.ACCESS_DENIED
