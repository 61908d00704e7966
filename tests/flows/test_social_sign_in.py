"""Each social provider once through the front door, at a double of what it documents."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from broker.model.pool import ProviderType
from tests.kit.clock import ManualClock
from tests.kit.jose import rsa_key, signed
from tests.kit.social import (
    CLIENT_ID,
    CONTOSO,
    Amazon,
    Apple,
    Facebook,
    GitHub,
    Google,
    Microsoft,
    SocialDouble,
)
from tests.kit.visits import Visits, social_provider
from tests.kit.world import POOL_ID, WEB, World

Connect = Callable[..., Visits]
NAMES = {"email": "email", "name": "name"}
VERIFIED = {**NAMES, "email_verified": "email_verified"}


@pytest.fixture
def at(new_world: Callable[..., World]) -> Iterator[Connect]:
    """Visits at a double, the only provider of the pool."""
    with ExitStack() as running:

        def connect(kind: ProviderType, mapping: dict[str, str], double: SocialDouble) -> Visits:
            running.enter_context(double)
            client = {
                **WEB,
                "SupportedIdentityProviders": [str(kind)],
                "ReadAttributes": [*{*VERIFIED, *mapping} - {"username"}],
            }
            world = new_world(
                clock=double.clock,
                clients=[client],
                providers=[social_provider(double, kind, mapping)],
                pool={
                    "SchemaAttributes": [
                        {"Name": "zip", "AttributeDataType": "String", "Mutable": True}
                    ]
                },
            )
            return Visits(world=world, person=double.sign_in, by_post=kind is ProviderType.APPLE)

        yield connect


def clock() -> ManualClock:
    return ManualClock()


def person_of(claims: dict[str, Any], *attributes: str) -> dict[str, Any]:
    """What an app sees of the person, and of where she comes from."""
    (identity,) = claims["identities"]
    assert claims["cognito:groups"] == [f"{POOL_ID}_{identity['providerName']}"]
    assert claims["cognito:username"] == f"{identity['providerName']}_{identity['userId']}"
    assert identity["providerType"] == identity["providerName"]
    return {
        "userId": identity["userId"],
        "issuer": identity["issuer"],
        **{name: claims[name] for name in attributes if name != "username"},
    }


def test_google(at: Connect) -> None:
    double = Google(
        clock=clock(),
        person={"birthdays": [{"date": {"year": 1990, "month": 2, "day": 3}}]},
    )
    mapping = {**VERIFIED, "birthdate": "birthdays", "username": "sub"}
    claims = at(ProviderType.GOOGLE, mapping, double).claims(login_hint="jane@gmail.test")
    assert person_of(claims, *mapping) == {
        "userId": double.subject,
        "issuer": "https://accounts.google.com",
        "email": "jane@gmail.test",
        "email_verified": True,
        "name": "Jane Doe",
        "birthdate": "1990-02-03",
    }


def test_facebook(at: Connect) -> None:
    mapping = {**NAMES, "picture": "picture.data.url", "username": "id"}
    claims = at(ProviderType.FACEBOOK, mapping, Facebook(clock=clock())).claims()
    assert person_of(claims, *mapping) == {
        "userId": "10158123456789012",
        "issuer": None,
        "email": "jane@example.test",
        "name": "Jane Doe",
        "picture": "https://scontent.test/p.jpg",
    }


def test_login_with_amazon(at: Connect) -> None:
    mapping = {**NAMES, "custom:zip": "postal_code", "username": "user_id"}
    claims = at(ProviderType.AMAZON, mapping, Amazon(clock=clock())).claims()
    assert person_of(claims, *mapping) == {
        "userId": "amzn1.account.K2LI23KL2LK2",
        "issuer": None,
        "email": "mork@example.test",
        "name": "Mork Hashimoto",
        "custom:zip": "98052",
    }


def test_apple_posts_the_name_once_and_it_is_kept(at: Connect) -> None:
    """The ``user`` parameter comes with the first consent only, through the browser and unsigned."""
    double = Apple(
        clock=clock(),
        user=json.dumps(
            {
                "name": {"firstName": "Zoë", "lastName": "名"},
                "email": "forged@example.test",
                "sub": "forged",
            }
        ),
    )
    mapping = {**VERIFIED, "given_name": "firstName", "family_name": "lastName", "username": "sub"}
    visits = at(ProviderType.APPLE, mapping, double)
    first = visits.claims()
    double.user = None
    second = visits.claims()

    for claims in (first, second):
        assert person_of(claims, *mapping) == {
            "userId": "001234.0123456789abcdef.0123",
            "issuer": "https://appleid.apple.com",
            "email": "x7y8z9@privaterelay.appleid.test",
            "email_verified": True,
            "name": "Zoë 名",
            "given_name": "Zoë",
            "family_name": "名",
        }
    assert second["sub"] == first["sub"]


def test_microsoft(at: Connect) -> None:
    """Below ``common`` the tenant is part of the name: a ``sub`` is unique within its tenant only."""
    double = Microsoft(clock=clock())
    mapping = {"name": "name", "preferred_username": "preferred_username", "username": "sub"}
    claims = at(ProviderType.MICROSOFT, mapping, double).claims()
    assert person_of(claims, *mapping) == {
        "userId": f"{CONTOSO}.HKZpfaHyWadeOouYlitjrI-KffTm222X5rrV3xDqfKQ",
        "issuer": f"{double.url}/{CONTOSO}/v2.0",
        "name": "Abe Lincoln",
        "preferred_username": "abeli@contoso.test",
    }


def test_github(at: Connect) -> None:
    mapping = {**VERIFIED, "username": "id"}
    claims = at(ProviderType.GITHUB, mapping, GitHub(clock=clock())).claims()
    assert person_of(claims, *mapping) == {
        "userId": "583231",
        "issuer": None,
        "email": "octocat@example.test",
        "email_verified": True,
        "name": "The Octocat",
    }


@pytest.mark.parametrize(
    ("kind", "double"),
    [
        (ProviderType.GOOGLE, Google),
        (ProviderType.FACEBOOK, Facebook),
        (ProviderType.AMAZON, Amazon),
        (ProviderType.APPLE, Apple),
        (ProviderType.MICROSOFT, Microsoft),
        (ProviderType.GITHUB, GitHub),
    ],
)
def test_a_code_of_another_sign_in_is_told_in_the_providers_words(
    at: Connect, kind: ProviderType, double: type[SocialDouble]
) -> None:
    visits = at(kind, NAMES, double(clock=clock()))
    browser = visits.world.browser()
    asked = visits.begin(browser)
    params = {**visits.person(asked), "code": "guessed"}
    location = visits.deliver(browser, params).headers["Location"]
    assert f"error_description={kind}%20Error%20-%20" in location
    assert "error=invalid_request" in location
    assert "cognito" not in browser.cookies
    assert "code" in visits.answer(browser)


def test_googles_keys_sign_for_google_alone(at: Connect) -> None:
    """A pool with built-in issuers does not listen to tokens that name another."""
    double = Google(clock=clock())
    visits = at(ProviderType.GOOGLE, NAMES, double)
    double.claims["iss"] = "https://accounts.evil.example"
    assert visits.answer(visits.world.browser())["error"] == "server_error"
    now = int(double.clock.now())
    wish = signed({"iss": "x", "aud": CLIENT_ID, "iat": now, "exp": now + 60}, rsa_key("google"))
    told = visits.world.browser().post("/oauth2/backchannel-logout", {"logout_token": wish})
    assert told.status_code == 400
