"""Which scopes a sign-in gets."""

from __future__ import annotations

import pytest

from broker.model.errors import ErrorCode, OAuthError
from broker.oauth.scopes import granted_scopes, split_scopes
from tests.kit.pools import client, pool

SCOPES = (
    "openid",
    "email",
    "phone",
    "profile",
    "aws.cognito.signin.user.admin",
    "api/read",
    "api/gone",
)


def granted(requested: str | None) -> tuple[str, ...]:
    app = client(scopes=SCOPES)
    return granted_scopes(requested, app, pool(app))


@pytest.mark.parametrize(
    ("requested", "expected"),
    [
        ("openid", ("openid",)),
        ("email openid", ("email", "openid")),
        ("openid  email openid", ("openid", "email")),
        ("api/read", ("api/read",)),
        ("aws.cognito.signin.user.admin", ("aws.cognito.signin.user.admin",)),
        # No resource server defines it any more: left out in silence.
        ("openid api/gone", ("openid",)),
        (None, SCOPES[:-1]),
    ],
)
def test_the_scopes_of_the_client_are_granted_as_asked(
    requested: str | None, expected: tuple[str, ...]
) -> None:
    assert granted(requested) == expected


@pytest.mark.parametrize(
    "requested",
    [
        "openid api/write",  # defined, but not this client's
        "openid address",
        "openid OPENID",
        "openid\temail",
        "email",  # needs openid beside it
        "phone api/read",
        "profile",
        "api/gone",  # inactive, and nothing else is asked for
        " ",
    ],
)
def test_other_scopes_refuse(requested: str) -> None:
    with pytest.raises(OAuthError) as refused:
        granted(requested)
    assert refused.value.code is ErrorCode.INVALID_SCOPE


def test_splitting_knows_spaces_only() -> None:
    assert split_scopes(" a  b a ") == ("a", "b")
