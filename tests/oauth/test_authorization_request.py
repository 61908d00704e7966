"""The parameters of authorize: first the way back, then everything else."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.model.errors import ErrorCode, OAuthError
from broker.model.login import AuthorizationRequest, ClientRedirect, ResponseMode
from broker.model.parameters import Parameters
from broker.model.pool import Flow
from broker.oauth.authorization_request import MAX_CHARACTERS, parse, verify_redirect
from tests.kit.pools import CALLBACK, ISSUER, client, pool

CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
WEB = client()
SPA = client(id="spa", secret=None, require_pkce=True)
OLD = client(id="old", flows=frozenset({Flow.IMPLICIT}))
POOL = pool(WEB, SPA, OLD)


def params(**changes: str | None) -> Parameters:
    values: dict[str, str | None] = {
        "response_type": "code",
        "client_id": "web",
        "redirect_uri": CALLBACK,
        "state": "s",
        "scope": "openid",
        **changes,
    }
    return Parameters.of((n, v) for n, v in values.items() if v is not None)


def redirect_of(asked: Parameters, **members: Any) -> ClientRedirect:
    return verify_redirect(asked, pool(*POOL.clients.values(), **members))[1]


def read(**changes: str | None) -> AuthorizationRequest:
    asked = params(**changes)
    app, redirect = verify_redirect(asked, POOL)
    return parse(asked, POOL, app, redirect)


def refusal(asked: Parameters | None = None, **changes: str | None) -> OAuthError:
    """What ``parse`` raises; the redirect is good."""
    asked = asked or params(**changes)
    app, redirect = verify_redirect(asked, POOL)
    with pytest.raises(OAuthError) as refused:
        parse(asked, POOL, app, redirect)
    return refused.value


def redirect_refusal(asked: Parameters) -> OAuthError:
    with pytest.raises(OAuthError) as refused:
        verify_redirect(asked, POOL)
    return refused.value


# -- the way back ----------------------------------------------------------------------------


def test_a_registered_redirect_uri_is_the_way_back() -> None:
    redirect = redirect_of(params())
    assert redirect == ClientRedirect(client_id="web", uri=CALLBACK, issuer=ISSUER, state="s")


@pytest.mark.parametrize(
    "uri",
    [
        f"{CALLBACK}/",
        f"{CALLBACK}?a=b",
        CALLBACK.upper(),
        CALLBACK.replace("https", "http"),
        f"{CALLBACK}#x",
        "https://app.example.com.evil.example/callback",
        "https://evil.example/",
        "//app.example.com/callback",
        "javascript:alert(1)",
    ],
)
def test_any_other_redirect_uri_is_a_mismatch(uri: str) -> None:
    assert redirect_refusal(params(redirect_uri=uri)).code is ErrorCode.REDIRECT_MISMATCH


@given(st.text(min_size=1))
def test_no_text_but_the_registered_one_is_a_way_back(uri: str) -> None:
    if uri != CALLBACK:
        assert redirect_refusal(params(redirect_uri=uri)).code is ErrorCode.REDIRECT_MISMATCH


def test_an_unknown_client_looks_like_an_unregistered_uri() -> None:
    unknown = redirect_refusal(params(client_id="nobody"))
    unregistered = redirect_refusal(params(redirect_uri="https://evil.example/"))
    assert str(unknown) == str(unregistered)


@pytest.mark.parametrize("name", ["client_id", "redirect_uri"])
def test_a_missing_parameter_says_so(name: str) -> None:
    assert redirect_refusal(params(**{name: None})).code is ErrorCode.INVALID_REQUEST


@pytest.mark.parametrize("name", ["client_id", "redirect_uri"])
def test_a_repeated_parameter_proves_nothing(name: str) -> None:
    values = params().values
    asked = Parameters.of([*values.items(), (name, values[name])])
    assert redirect_refusal(asked).code in (
        ErrorCode.INVALID_REQUEST,
        ErrorCode.REDIRECT_MISMATCH,
    )


def test_the_default_redirect_uri_stands_in_where_there_is_one_provider() -> None:
    one = client(default_redirect_uri=CALLBACK)
    two = client(default_redirect_uri=CALLBACK, providers=("Corp", "Other"))
    asked = params(redirect_uri=None)
    assert verify_redirect(asked, pool(one))[1].uri == CALLBACK
    with pytest.raises(OAuthError):
        verify_redirect(asked, pool(two))


@pytest.mark.parametrize(
    ("changes", "mode"),
    [
        ({}, ResponseMode.QUERY),
        ({"response_mode": "query"}, ResponseMode.QUERY),
        ({"response_mode": "fragment"}, ResponseMode.FRAGMENT),
        ({"response_mode": "form_post"}, ResponseMode.FORM_POST),
        ({"response_mode": "web_message"}, ResponseMode.QUERY),
        ({"response_type": "token"}, ResponseMode.FRAGMENT),
        ({"response_type": "id_token token"}, ResponseMode.FRAGMENT),
        ({"response_type": "token", "response_mode": "query"}, ResponseMode.FRAGMENT),
        ({"response_type": None, "response_mode": "form_post"}, ResponseMode.FORM_POST),
    ],
)
def test_the_mode_is_known_before_any_rule_can_fail(
    changes: dict[str, str | None], mode: ResponseMode
) -> None:
    assert redirect_of(params(**changes)).mode is mode


# -- response_type, response_mode ------------------------------------------------------------


def test_a_request_is_read() -> None:
    asked = read(
        scope="openid email",
        nonce="n",
        login_hint="a@b",
        prompt="login consent",
        max_age="0",
        lang="de",
    )
    assert asked.response_type == "code"
    assert asked.scopes == ("openid", "email")
    assert (asked.nonce, asked.login_hint, asked.lang, asked.max_age) == ("n", "a@b", "de", 0)
    assert asked.prompt == ("login", "consent")
    assert asked.provider is None


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"response_type": None}, ErrorCode.INVALID_REQUEST),
        ({"response_type": "id_token"}, ErrorCode.UNSUPPORTED_RESPONSE_TYPE),
        ({"response_type": "code token"}, ErrorCode.UNSUPPORTED_RESPONSE_TYPE),
        ({"response_type": "token"}, ErrorCode.UNAUTHORIZED_CLIENT),
        ({"client_id": "old"}, ErrorCode.UNAUTHORIZED_CLIENT),
        ({"response_mode": "web_message"}, ErrorCode.INVALID_REQUEST),
        ({"scope": "openid address"}, ErrorCode.INVALID_SCOPE),
        ({"identity_provider": "Nobody"}, ErrorCode.INVALID_REQUEST),
        ({"identity_provider": "Other"}, ErrorCode.INVALID_REQUEST),  # not this client's
        ({"idp_identifier": "elsewhere.example"}, ErrorCode.INVALID_REQUEST),
        ({"prompt": "none login"}, ErrorCode.INVALID_REQUEST),
        ({"max_age": "-1"}, ErrorCode.INVALID_REQUEST),
        ({"max_age": "soon"}, ErrorCode.INVALID_REQUEST),
        ({"max_age": "\u0661"}, ErrorCode.INVALID_REQUEST),
        ({"request": "e30.e30."}, ErrorCode.REQUEST_NOT_SUPPORTED),
        ({"request_uri": "https://app.example.com/r"}, ErrorCode.REQUEST_URI_NOT_SUPPORTED),
        ({"registration": "{}"}, ErrorCode.REGISTRATION_NOT_SUPPORTED),
        ({"nonce": "\udcff"}, ErrorCode.INVALID_REQUEST),
        ({"state": "\udcff"}, ErrorCode.INVALID_REQUEST),
        ({"state": "s" * MAX_CHARACTERS}, ErrorCode.INVALID_REQUEST),
        (dict.fromkeys(("state", "nonce"), "x" * (MAX_CHARACTERS // 2)), ErrorCode.INVALID_REQUEST),
    ],
)
def test_a_fault_has_its_code(changes: dict[str, str | None], code: ErrorCode) -> None:
    assert refusal(**changes).code is code


def test_a_long_state_is_no_fault() -> None:
    state = "s" * (MAX_CHARACTERS - 1000)
    assert read(state=state).redirect.state == state


def test_tokens_never_travel_in_a_query() -> None:
    asked = params(client_id="old", response_type="token", response_mode="query")
    assert refusal(asked).code is ErrorCode.INVALID_REQUEST


@pytest.mark.parametrize(
    "name", ["state", "scope", "nonce", "code_challenge", "prompt", "resource"]
)
def test_a_repeated_parameter_refuses_even_with_equal_values(name: str) -> None:
    asked = Parameters.of([*params().values.items(), (name, "openid"), (name, "openid")])
    assert refusal(asked).code is ErrorCode.INVALID_REQUEST


def test_unknown_parameters_are_ignored_even_repeated() -> None:
    asked = Parameters.of([*params().values.items(), ("extra", "foo"), ("extra", "bar")])
    app, redirect = verify_redirect(asked, POOL)
    assert parse(asked, POOL, app, redirect)


@pytest.mark.parametrize(
    "ignored",
    [
        {"display": "popup"},
        {"ui_locales": "se"},
        {"claims_locales": "se"},
        {"acr_values": "1 2"},
        {"claims": '{"userinfo":{"name":{"essential":true}}}'},
    ],
)
def test_what_oidc_lets_an_op_ignore_is_no_error(ignored: dict[str, str]) -> None:
    assert read(**ignored)


def test_a_client_switched_off_gets_nothing() -> None:
    off = client(oauth_enabled=False)
    asked = params()
    app, redirect = verify_redirect(asked, pool(off))
    with pytest.raises(OAuthError) as refused:
        parse(asked, pool(off), app, redirect)
    assert refused.value.code is ErrorCode.UNAUTHORIZED_CLIENT


# -- PKCE ------------------------------------------------------------------------------------


def test_s256_is_read() -> None:
    asked = read(code_challenge=CHALLENGE, code_challenge_method="S256")
    assert asked.code_challenge == CHALLENGE


@pytest.mark.parametrize(
    "pkce",
    [
        {"code_challenge": CHALLENGE},  # would mean plain
        {"code_challenge": CHALLENGE, "code_challenge_method": "plain"},
        {"code_challenge": CHALLENGE, "code_challenge_method": "s256"},
        {"code_challenge_method": "S256"},
        {"code_challenge": CHALLENGE[:-1], "code_challenge_method": "S256"},
        {"code_challenge": CHALLENGE + "=", "code_challenge_method": "S256"},
    ],
)
@pytest.mark.parametrize("client_id", ["web", "spa"])
def test_any_other_challenge_refuses(client_id: str, pkce: dict[str, str]) -> None:
    assert refusal(client_id=client_id, **pkce).code is ErrorCode.INVALID_REQUEST


def test_a_public_client_must_send_a_challenge() -> None:
    assert refusal(client_id="spa").reason == "pkce_required"


@pytest.mark.parametrize("hint", ["\x00", "a\x0bb", "a\nb", "a\x85b", "\ufffe", "\uffff"])
def test_a_hint_is_what_can_be_typed(hint: str) -> None:
    refused = refusal(login_hint=hint)
    assert (refused.code, refused.reason) == (ErrorCode.INVALID_REQUEST, "login_hint_invalid")


def test_a_hint_may_be_in_any_script() -> None:
    hint = "zoë 山田 \U0001f600 <a&b>"
    assert read(login_hint=hint).login_hint == hint


# -- provider, resource ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "provider"),
    [
        ({"identity_provider": "Corp"}, "Corp"),
        ({"identity_provider": "COGNITO"}, None),
        ({"idp_identifier": "Example.COM"}, "Corp"),
        ({"identity_provider": "Corp", "idp_identifier": "elsewhere.example"}, "Corp"),
    ],
)
def test_the_provider_asked_for(changes: dict[str, str], provider: str | None) -> None:
    assert read(**changes).provider == provider


@pytest.mark.parametrize(
    "resource",
    ["https://api.example.com", "http://localhost:3000/api", "myapp://api", "urn:example:api"],
)
def test_a_resource_is_an_absolute_uri(resource: str) -> None:
    assert read(resource=resource).resource == resource


@pytest.mark.parametrize(
    "resource",
    [
        "api",
        "http://api.example.com",
        "http://localhost.evil.example/",
        "https://api.example.com/#part",
        "https:",
        "https:api",
        "https:///api",
        "https://[",
        "https://api.example.com/\x00",
        "https://api.example.com/ a",
        "https://api.example.com/" + "a" * 2048,
    ],
)
def test_any_other_resource_refuses(resource: str) -> None:
    assert refusal(resource=resource).code is ErrorCode.INVALID_REQUEST


@given(
    st.dictionaries(
        st.sampled_from(
            [
                "response_type",
                "scope",
                "nonce",
                "prompt",
                "max_age",
                "resource",
                "lang",
                "login_hint",
                "code_challenge",
            ]
        ),
        st.text(),
    )
)
def test_no_value_does_more_than_refuse(changes: dict[str, str]) -> None:
    with contextlib.suppress(OAuthError):
        assert isinstance(read(**changes), AuthorizationRequest)


def test_a_description_repeats_no_value() -> None:
    secretive = "evil-value"
    for name in (
        "response_type",
        "response_mode",
        "scope",
        "identity_provider",
        "resource",
        "max_age",
    ):
        assert secretive not in refusal(**{name: secretive}).description
