"""A person signs in through an OpenID provider and the app gets tokens."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.kit.http_double import html
from tests.kit.jose import decoded
from tests.kit.oidc_op import OidcOp
from tests.kit.visits import MAPPING, Visits, oidc_provider, query_of
from tests.kit.world import ORIGIN, POOL_ID, WEB, World, callback

ATTRIBUTES = ("country", "groups", "access", "id", "refresh")
SCHEMA = [
    {
        "Name": f"custom:{name}",
        "AttributeDataType": "String",
        "Mutable": True,
        "StringAttributeConstraints": {"MinLength": "0", "MaxLength": "2048"},
    }
    for name in ATTRIBUTES
]


@pytest.fixture
def mapped(new_world: Callable[..., World], op: OidcOp) -> Visits:
    """A pool that keeps all there is to keep."""
    mapping = {
        **MAPPING,
        "email_verified": "email_verified",
        "custom:country": "address.country",
        "custom:groups": "groups",
        "custom:access": "access_token",
        "custom:id": "id_token",
        "custom:refresh": "refresh_token",
    }
    client = {
        **WEB,
        "SupportedIdentityProviders": ["Contoso"],
        "ReadAttributes": ["email", "email_verified", "name", *(s["Name"] for s in SCHEMA)],
    }
    world = new_world(
        clock=op.clock,
        clients=[client],
        providers=[oidc_provider(op, AttributeMapping=mapping)],
        pool={"SchemaAttributes": SCHEMA},
    )
    return Visits(world=world, person=op.sign_in)


@pytest.mark.parametrize("by_post", [False, True], ids=["by GET", "by form_post"])
def test_the_app_gets_verified_tokens(contoso: Visits, op: OidcOp, by_post: bool) -> None:
    world = contoso.world
    tokens = replace(contoso, by_post=by_post).tokens()
    now = int(world.clock.now())

    claims = world.verified(tokens["id_token"])
    assert str(uuid.UUID(claims["sub"])) == claims.pop("sub")
    for name in ("jti", "origin_jti", "event_id", "at_hash"):
        assert claims.pop(name)
    assert claims == {
        "iss": f"{ORIGIN}/{POOL_ID}",
        "aud": "web",
        "token_use": "id",
        "auth_time": now,
        "iat": now,
        "exp": now + 3600,
        "nonce": "nonce-1",
        "cognito:username": f"Contoso_{op.subject}",
        "cognito:groups": [f"{POOL_ID}_Contoso"],
        "email": "jane@example.test",
        "name": "Jane Doe",
        "identities": [
            {
                "dateCreated": str(now * 1000),
                "userId": op.subject,
                "providerName": "Contoso",
                "providerType": "OIDC",
                "issuer": op.issuer,
                "primary": "true",
            }
        ],
    }


def test_the_callback_carries_the_apps_state_and_our_issuer(contoso: Visits) -> None:
    browser = contoso.world.browser()
    response = contoso.deliver(browser, contoso.person(contoso.begin(browser, state="é %&=#+/")))
    answer = callback(response)
    assert answer.pop("code")
    assert answer == {"state": "é %&=#+/", "iss": f"{ORIGIN}/{POOL_ID}"}
    assert response.headers["Cache-Control"] == "no-store"


def test_the_request_is_ours_and_its_secrets_are_its_own(contoso: Visits) -> None:
    """The app's state, nonce and challenge stay here; the provider gets others, new each time."""
    asked = [query_of(contoso.begin(contoso.world.browser())) for _ in range(2)]
    for query in asked:
        assert query["client_id"] == "broker-client"
        assert query["redirect_uri"] == f"{ORIGIN}/oauth2/idpresponse"
        assert query["response_type"] == "code"
        assert query["scope"] == "openid email"
        assert query["code_challenge_method"] == "S256"
    own = query_of(contoso.world.authorize_url())
    for name in ("state", "nonce", "code_challenge"):
        values = {query[name] for query in (*asked, own)}
        assert len(values) == 3
        assert all(len(query[name]) >= 16 for query in asked)


def test_what_the_app_asked_of_the_sign_in_is_forwarded(contoso: Visits) -> None:
    hints = {"login_hint": "jané+x@example.test", "prompt": "consent", "max_age": "60"}
    asked = query_of(contoso.begin(contoso.world.browser(), **hints))
    assert {name: asked[name] for name in hints} == hints
    hints["prompt"] = "login consent"
    asked = query_of(contoso.begin(contoso.world.browser(), **hints))
    assert {name: asked[name] for name in hints} == {**hints, "max_age": "0"}
    assert not hints.keys() & query_of(contoso.begin(contoso.world.browser())).keys()


# -- the person -----------------------------------------------------------------------------------


def test_claims_nested_ones_and_tokens_become_attributes(mapped: Visits, op: OidcOp) -> None:
    op.user_info = {
        "email": "jane@example.test",
        "email_verified": True,
        "address": {"country": "NL"},
        "groups": ["staff", "R&D"],
    }
    claims = mapped.claims()
    assert claims["email_verified"] is True
    assert claims["custom:country"] == "NL"
    assert claims["custom:groups"] == "[staff, R%26D]"
    assert claims["custom:refresh"] == f"refresh-{claims['custom:access']}"
    assert decoded(claims["custom:id"])[1]["sub"] == op.subject


def test_a_token_too_long_for_its_attribute_refuses_the_sign_in(mapped: Visits, op: OidcOp) -> None:
    op.id_token = {"padding": "x" * 2048}
    answer = mapped.answer(mapped.world.browser())
    assert answer["error"] == "invalid_request"
    assert answer["error_description"] == (
        "Invalid user attributes: custom:id: String must be at most 2048 characters"
    )


def test_an_unmapped_token_stays_here(contoso: Visits, op: OidcOp) -> None:
    browser = contoso.world.browser()
    contoso.answer(browser)
    user = contoso.world.broker.directory.by_username(POOL_ID, f"Contoso_{op.subject}")
    assert user is not None
    assert user.attributes == {"email": "jane@example.test", "name": "Jane Doe"}


def test_a_person_keeps_sub_and_old_values_at_the_next_sign_in(contoso: Visits, op: OidcOp) -> None:
    first = contoso.claims()
    op.clock.advance(10)  # type: ignore[attr-defined]  # a ManualClock
    op.user_info, op.id_token = {}, {"name": "Jane Renamed"}
    second = contoso.claims()
    assert second["sub"] == first["sub"]
    assert second["email"] == "jane@example.test"
    assert second["name"] == "Jane Renamed"
    assert second["identities"] == first["identities"]


def test_a_userinfo_endpoint_that_fails_costs_its_claims_only(contoso: Visits, op: OidcOp) -> None:
    op.replies["/userinfo"] = html(500)
    claims = contoso.claims()
    assert claims["name"] == "Jane Doe"
    assert "email" not in claims


def test_the_same_sub_and_address_at_two_providers_are_two_people(both: Visits, op: OidcOp) -> None:
    world = both.world
    there = both.claims(identity_provider="Contoso")
    browser = world.browser()
    form = world.idp.post(world.begin(browser, identity_provider="Corp"), name_id=op.subject)
    code = callback(browser.post("/saml2/idpresponse", form))["code"]
    here = world.verified(json.loads(world.redeem(code).data)["id_token"])
    assert here["sub"] != there["sub"]
    assert here["cognito:username"] == f"Corp_{op.subject}"


# -- the session ----------------------------------------------------------------------------------


def test_a_second_authorize_needs_no_provider(contoso: Visits, op: OidcOp) -> None:
    browser = contoso.world.browser()
    contoso.answer(browser)
    asked = len(op.http.asked)
    assert contoso.is_answered_at_once(browser)
    assert contoso.is_answered_at_once(browser, prompt="none")
    assert not contoso.is_answered_at_once(contoso.world.browser())
    assert len(op.http.asked) == asked


@pytest.mark.parametrize("fresh", [{"prompt": "login"}, {"max_age": "0"}])
def test_a_fresh_sign_in_is_the_providers_and_is_proven(
    contoso: Visits, op: OidcOp, fresh: dict[str, Any]
) -> None:
    browser = contoso.world.browser()
    contoso.answer(browser)
    asked = contoso.begin(browser, **fresh)
    assert query_of(asked)["max_age"] == "0"
    op.claims["auth_time"] = int(op.clock.now()) - 3600
    assert "error" in callback(contoso.deliver(browser, contoso.person(asked)))
    del op.claims["auth_time"]
    assert "code" in contoso.answer(browser, **fresh)
