"""Which claims stand in which token, and what userInfo shows."""

from __future__ import annotations

import json
from typing import Any

import pytest

from broker.model.errors import ErrorCode, OAuthError
from broker.model.login import UserProfile
from broker.model.pool import (
    STANDARD_ATTRIBUTES,
    VERIFIED_FLAGS,
    AppClient,
    Conformance,
    RefreshRotation,
)
from broker.model.tokens import Authorization
from broker.oauth import claims
from tests.kit.pools import CLIENT, ISSUER, USER, client, pool, user

NOW = 1_800_000_000
EVERYTHING = user(
    attributes={
        "address": "1 Main Street",
        "birthdate": "1990-02-03",
        "custom:team": "red",
        "email": "alice@example.com",
        "email_verified": "True",
        "name": "Alice",
        "nickname": "   ",
        "phone_number": "+15550100",
        "phone_number_verified": "false",
        "updated_at": "1700000000",
    }
)
TEAM_READER = client(
    read_attributes=frozenset((*STANDARD_ATTRIBUTES, *VERIFIED_FLAGS, "custom:team"))
)


def authorized(
    app: AppClient = CLIENT, who: UserProfile | None = USER, **changes: Any
) -> Authorization:
    return Authorization(
        **{
            "client": app,
            "user": who,
            "scopes": ("openid",),
            "auth_time": NOW - 60,
            "origin_jti": "family",
            **changes,
        }
    )


def id_token(authorization: Authorization, **members: Any) -> dict[str, object]:
    assert authorization.user is not None
    return claims.id_claims(
        authorization,
        authorization.user,
        pool(authorization.client, **members),
        access_token="a.b.c",
        now=NOW,
        jti="jti",
        event_id="event",
    )


def access_token(authorization: Authorization) -> dict[str, object]:
    return claims.access_claims(
        authorization, pool(authorization.client), now=NOW, jti="jti", event_id="event"
    )


def attributes(token: dict[str, object]) -> set[str]:
    """The names of the user attributes among the claims."""
    return {n for n in token if n in EVERYTHING.attributes}


# -- the ID token ----------------------------------------------------------------------------


def test_an_id_token_has_the_claims_of_cognito_and_of_oidc() -> None:
    token = id_token(authorized(nonce="n"))
    assert token == {
        "sub": USER.sub,
        "at_hash": claims.at_hash("a.b.c"),
        "cognito:groups": list(USER.groups),
        "iss": ISSUER,
        "cognito:username": "Corp_alice",
        "nonce": "n",
        "origin_jti": "family",
        "aud": "web",
        "identities": [
            {
                "dateCreated": "1800000000123",
                "userId": "alice",
                "providerName": "Corp",
                "providerType": "SAML",
                "issuer": "https://idp.example.com",
                "primary": "true",
            }
        ],
        "event_id": "event",
        "token_use": "id",
        "auth_time": NOW - 60,
        "exp": NOW + 3600,
        "iat": NOW,
        "jti": "jti",
        "email": "alice@example.com",
        "email_verified": True,
        "name": "Alice",
    }


def test_no_nonce_is_invented() -> None:
    assert "nonce" not in id_token(authorized())


def test_values_have_their_json_types_in_every_pool() -> None:
    token = id_token(authorized(TEAM_READER, EVERYTHING))
    assert token["email_verified"] is True
    assert token["phone_number_verified"] is False
    assert token["updated_at"] == 1_700_000_000
    assert token["address"] == {"formatted": "1 Main Street"}
    assert token["custom:team"] == "red"


@pytest.mark.parametrize(
    ("scopes", "shown"),
    [
        ("openid", {*EVERYTHING.attributes} - {"nickname"}),
        ("openid api/read", {*EVERYTHING.attributes} - {"nickname"}),
        ("openid email", {"email", "email_verified"}),
        ("openid phone", {"phone_number", "phone_number_verified"}),
        ("openid profile", {"address", "birthdate", "custom:team", "name", "updated_at"}),
        (
            "openid email phone",
            {"email", "email_verified", "phone_number", "phone_number_verified"},
        ),
    ],
)
def test_scopes_choose_among_the_readable_attributes(scopes: str, shown: set[str]) -> None:
    token = id_token(authorized(TEAM_READER, EVERYTHING, scopes=tuple(scopes.split())))
    assert attributes(token) == shown


def test_custom_attributes_are_not_readable_unless_listed() -> None:
    assert "custom:team" not in id_token(authorized(CLIENT, EVERYTHING))


def test_read_attributes_limit_every_scope() -> None:
    reader = client(read_attributes=frozenset({"name"}))
    assert attributes(id_token(authorized(reader, EVERYTHING))) == {"name"}
    profile = authorized(reader, EVERYTHING, scopes=("openid", "profile"))
    assert attributes(id_token(profile)) == {"name"}


def test_with_oidc_conformance_the_attributes_are_user_infos_alone() -> None:
    scopes = ("openid", "email", "profile")
    token = id_token(
        authorized(TEAM_READER, EVERYTHING, scopes=scopes), conformance=Conformance.OIDC
    )
    assert attributes(token) == set()


# -- the access token ------------------------------------------------------------------------


def test_an_access_token_has_no_attributes() -> None:
    token = access_token(authorized(scopes=("openid", "api/read")))
    assert token == {
        "sub": USER.sub,
        "cognito:groups": list(USER.groups),
        "origin_jti": "family",
        "event_id": "event",
        "iss": ISSUER,
        "version": 2,
        "client_id": "web",
        "token_use": "access",
        "scope": "openid api/read",
        "auth_time": NOW - 60,
        "exp": NOW + 3600,
        "iat": NOW,
        "jti": "jti",
        "username": "Corp_alice",
    }


def test_a_resource_becomes_the_audience() -> None:
    assert access_token(authorized(resource="https://api.example.com"))["aud"] == (
        "https://api.example.com"
    )


def test_a_client_is_its_own_subject() -> None:
    token = access_token(authorized(who=None, scopes=("api/read",), origin_jti=None))
    assert set(token) == {
        "sub", "iss", "version", "client_id", "token_use", "scope", "auth_time", "exp", "iat", "jti",
    }  # fmt: skip
    assert token["sub"] == "web"


def test_tokens_that_cannot_be_revoked_do_not_name_their_family() -> None:
    app = client(revocation=False)
    assert "origin_jti" not in access_token(authorized(app))
    token = id_token(authorized(app))
    assert "origin_jti" not in token
    assert "jti" not in token


def test_tokens_under_rotation_name_their_family_whatever_revocation_says() -> None:
    app = client(revocation=False, rotation=RefreshRotation())
    authorization = authorized(app)
    assert access_token(authorization)["origin_jti"] == authorization.origin_jti
    assert id_token(authorization)["origin_jti"] == authorization.origin_jti


# -- userInfo --------------------------------------------------------------------------------


def user_info(scopes: str, app: AppClient = TEAM_READER, **members: Any) -> dict[str, object]:
    return claims.userinfo_claims(EVERYTHING, app, tuple(scopes.split()), pool(app, **members))


def test_user_info_is_flat_strings() -> None:
    shown = user_info("openid")
    assert all(isinstance(value, str) for value in shown.values())
    assert shown["email_verified"] == "true"
    assert shown["phone_number_verified"] == "false"
    assert shown["updated_at"] == "1700000000"
    assert shown["username"] == "Corp_alice"
    assert "nickname" not in shown  # a blank value


def test_user_infos_identities_are_one_string_of_json() -> None:
    assert json.loads(str(user_info("openid")["identities"])) == [
        {
            "userId": "alice",
            "providerName": "Corp",
            "providerType": "SAML",
            "issuer": "https://idp.example.com",
            "primary": True,
            "dateCreated": 1_800_000_000_123,
        }
    ]


@pytest.mark.parametrize(
    ("scopes", "shown"),
    [
        ("openid", {*EVERYTHING.attributes} - {"nickname"}),
        # The basic profile comes beside e-mail and phone.
        ("openid email", {"birthdate", "email", "email_verified", "name", "updated_at"}),
        ("openid profile", {"address", "birthdate", "custom:team", "name", "updated_at"}),
    ],
)
def test_user_info_by_scope(scopes: str, shown: set[str]) -> None:
    assert attributes(user_info(scopes)) == shown


@pytest.mark.parametrize(
    ("scopes", "shown"),
    [
        ("openid", set()),
        ("openid email", {"email", "email_verified"}),
        ("openid phone", {"phone_number", "phone_number_verified"}),
        ("openid profile", {"address", "birthdate", "custom:team", "name", "updated_at"}),
    ],
)
def test_with_oidc_conformance_user_info_has_exactly_the_claims_of_the_scopes(
    scopes: str, shown: set[str]
) -> None:
    assert attributes(user_info(scopes, conformance=Conformance.OIDC)) == shown


@pytest.mark.parametrize("scopes", ["openid", "openid email", "openid profile email"])
def test_read_attributes_limit_user_info_in_every_scope(scopes: str) -> None:
    reader = client(read_attributes=frozenset({"email", "email_verified"}))
    assert attributes(user_info(scopes, reader)) <= {"email", "email_verified"}
    assert attributes(user_info(scopes, reader, conformance=Conformance.OIDC)) <= {
        "email",
        "email_verified",
    }


@pytest.mark.parametrize("value", ["1" * 16, "-1", "yesterday"])
def test_what_is_no_number_of_seconds_is_not_shown_as_updated_at(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Readers of typed values trust the type (OIDC Core 5.1)."""
    monkeypatch.setitem(EVERYTHING.attributes, "updated_at", value)
    assert "updated_at" not in id_token(authorized(TEAM_READER, EVERYTHING))
    assert "updated_at" not in user_info("openid profile", conformance=Conformance.OIDC)


def test_with_oidc_conformance_user_info_has_json_types() -> None:
    shown = user_info("openid email profile phone", conformance=Conformance.OIDC)
    assert shown["email_verified"] is True
    assert shown["phone_number_verified"] is False
    assert shown["updated_at"] == 1_700_000_000
    assert shown["address"] == {"formatted": "1 Main Street"}


# -- what a client may read ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scope", "readable"),
    [("email", {"email"}), ("email", {"email_verified"}), ("phone", {"phone_number"})],
)
def test_a_scope_needs_read_access_to_both_of_its_attributes(
    scope: str, readable: set[str]
) -> None:
    with pytest.raises(OAuthError) as refused:
        claims.require_readable(client(read_attributes=frozenset(readable)), ("openid", scope))
    assert refused.value.code is ErrorCode.INVALID_GRANT


def test_profile_is_limited_by_read_attributes_not_refused() -> None:
    claims.require_readable(client(read_attributes=frozenset()), ("openid", "profile"))


def test_at_hash_is_the_example_of_no_padding() -> None:
    # The access token and c_hash-style value of OIDC Core A.3.
    assert claims.at_hash("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y") == "77QmUPtjPfzWtF2AnpK9RQ"
