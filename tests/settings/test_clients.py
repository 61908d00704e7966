"""An app client of the file as the model sees it."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker.model.pool import STANDARD_ATTRIBUTES, VERIFIED_FLAGS, RefreshRotation, TokenLifetimes
from tests.kit import configuration
from tests.kit.configuration import Tree, as_it_is, changed, client, client_of


@pytest.mark.parametrize(
    ("members", "seconds"),
    [
        ({}, TokenLifetimes()),
        ({"AccessTokenValidity": 2}, TokenLifetimes(access=7200)),
        ({"IdTokenValidity": "3"}, TokenLifetimes(id=10800)),
        ({"RefreshTokenValidity": 1}, TokenLifetimes(refresh=86400)),
        ({"RefreshTokenValidity": 0}, TokenLifetimes(refresh=30 * 86400)),
        (
            {
                "AccessTokenValidity": 600,
                "IdTokenValidity": 10,
                "RefreshTokenValidity": 12,
                "TokenValidityUnits": {
                    "AccessToken": "seconds",
                    "IdToken": "minutes",
                    "RefreshToken": "hours",
                },
            },
            TokenLifetimes(access=600, id=600, refresh=43200),
        ),
        # A unit alone changes no default.
        ({"TokenValidityUnits": {"AccessToken": "minutes"}}, TokenLifetimes()),
    ],
)
def test_in_seconds(tmp_path: Path, members: Tree, seconds: TokenLifetimes) -> None:
    assert client_of(tmp_path, lambda p: client(p).update(members)).lifetimes == seconds


def test_a_public_client_requires_pkce(tmp_path: Path) -> None:
    found = client_of(tmp_path, lambda p: client(p).pop("ClientSecret"))
    assert found.is_public
    assert found.require_pkce


def test_pkce_may_be_chosen(tmp_path: Path) -> None:
    assert client_of(tmp_path, lambda p: client(p).update(RequirePkce="true")).require_pkce


def test_own_users_are_no_provider(tmp_path: Path) -> None:
    found = client_of(
        tmp_path,
        lambda p: client(p).update(SupportedIdentityProviders=["COGNITO", "Google"]),
    )
    assert found.providers == ("Google",)


@pytest.mark.parametrize("secret", ["x", 'a b~!"#', "s" * 256])
def test_any_printable_ascii_is_a_secret(tmp_path: Path, secret: str) -> None:
    settings = configuration.loaded(
        tmp_path, changed(lambda p: client(p).update(ClientSecret=secret))
    )
    assert settings.warnings == ()
    assert settings.pools["eu-west-1_Example01"].clients["web"].secret == secret


def test_rotation(tmp_path: Path) -> None:
    enabled = {"Feature": "ENABLED", "RetryGracePeriodSeconds": 30}
    found = client_of(tmp_path, lambda p: client(p).update(RefreshTokenRotation=enabled))
    assert found.rotation == RefreshRotation(grace_seconds=30)


def test_rotation_disabled(tmp_path: Path) -> None:
    found = client_of(
        tmp_path, lambda p: client(p).update(RefreshTokenRotation={"Feature": "DISABLED"})
    )
    assert found.rotation is None


def test_attributes_unless_named(tmp_path: Path) -> None:
    found = client_of(tmp_path, as_it_is)
    assert found.read_attributes == {*STANDARD_ATTRIBUTES, *VERIFIED_FLAGS}
    assert found.write_attributes is None


def test_attributes_named(tmp_path: Path) -> None:
    members: Tree = {"ReadAttributes": ["email"], "WriteAttributes": []}
    found = client_of(tmp_path, lambda p: client(p).update(members))
    assert found.read_attributes == {"email"}
    assert found.write_attributes == frozenset()


@pytest.mark.parametrize(
    "url",
    [
        "https://app.example.com/cb?x=1",
        "http://localhost:3000/cb",
        "http://127.0.0.1/cb",
        "http://[::1]:99/cb",
        "http://app.localhost/cb",
        "com.example.app:/cb",
        "myapp://cb",
    ],
)
def test_callbacks(tmp_path: Path, url: str) -> None:
    assert client_of(
        tmp_path, lambda p: client(p).update(CallbackURLs=[url], DefaultRedirectURI=url)
    ).callback_urls == (url,)


@pytest.mark.parametrize(
    "url",
    [
        "/cb",
        "app.example.com",
        "http://app.example.com/cb",
        "http://localhost.example.com/cb",
        "http://127.0.0.1.example.com/cb",
        "http://127.0.0.1@evil.example.com/cb",
        "https://app.example.com/cb#x",
        "https://app.example.com/cb#",
        "https://user@app.example.com/cb",
        "https://app.example.com\\@evil.example.com/",
        "https://app.example.com/c b",
        "https://app.example.com/\ncb",
        "https://app.example.com:99999/",
        "https://[nonsense]/",
        "https:///cb",
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        "data:text/html,x",
        "myapp://cb#x",
        "myapp:",
        "",
    ],
)
@pytest.mark.parametrize("member", ["CallbackURLs", "LogoutURLs"])
def test_unsafe_urls(tmp_path: Path, member: str, url: str) -> None:
    (fault,) = configuration.faults(tmp_path, changed(lambda p: client(p).update({member: [url]})))
    assert fault.startswith(f"UserPools[0].UserPoolClients[0].{member}[0]: must ")
