"""A person signs in through a SAML identity provider and the app gets tokens."""

from __future__ import annotations

import base64
import json
import re
import uuid
from collections.abc import Callable

from tests.kit.world import CALLBACK, EMAIL_CLAIM, ORIGIN, POOL_ID, World, callback, saml_provider

ALICE = {EMAIL_CLAIM: ["alice@example.test"], "displayName": ["Alice Example"]}


def test_the_app_gets_verified_tokens(world: World) -> None:
    tokens = world.tokens(attributes=ALICE)
    now = int(world.clock.now())

    assert tokens["token_type"] == "Bearer"
    assert tokens["expires_in"] == 3600
    assert set(tokens) == {"id_token", "access_token", "refresh_token", "expires_in", "token_type"}
    claims = world.verified(tokens["id_token"])
    assert uuid.UUID(claims.pop("sub"))
    for name in ("jti", "origin_jti", "event_id"):
        assert uuid.UUID(claims.pop(name))
    assert re.fullmatch(r"[A-Za-z0-9_-]{22}", claims.pop("at_hash"))
    assert claims == {
        "iss": f"{ORIGIN}/{POOL_ID}",
        "aud": "web",
        "token_use": "id",
        "auth_time": now,
        "iat": now,
        "exp": now + 3600,
        "nonce": "nonce-1",
        "cognito:username": "Corp_alice",
        "cognito:groups": [f"{POOL_ID}_Corp"],
        "email": "alice@example.test",
        "name": "Alice Example",
        "identities": [
            {
                "dateCreated": str(now * 1000),
                "userId": "alice",
                "providerName": "Corp",
                "providerType": "SAML",
                "issuer": world.idp.entity_id,
                "primary": "true",
            }
        ],
    }


def test_the_access_token_says_who_and_what_for(world: World) -> None:
    tokens = world.tokens(attributes=ALICE)
    id_claims, claims = (world.verified(tokens[f"{use}_token"]) for use in ("id", "access"))
    now = int(world.clock.now())

    assert claims.pop("jti") != id_claims["jti"]
    assert claims == {
        "sub": id_claims["sub"],
        "cognito:groups": [f"{POOL_ID}_Corp"],
        "iss": f"{ORIGIN}/{POOL_ID}",
        "version": 2,
        "client_id": "web",
        "origin_jti": id_claims["origin_jti"],
        "event_id": id_claims["event_id"],
        "token_use": "access",
        "scope": "openid email profile",
        "auth_time": now,
        "exp": now + 3600,
        "iat": now,
        "username": "Corp_alice",
    }


def test_the_two_tokens_are_signed_with_different_keys(world: World) -> None:
    tokens = world.tokens()
    heads = [json.loads(_decoded(tokens[f"{use}_token"].split(".")[0])) for use in ("id", "access")]
    assert all(set(head) == {"kid", "alg"} and head["alg"] == "RS256" for head in heads)
    assert heads[0]["kid"] != heads[1]["kid"]
    assert all(head["kid"].endswith("=") for head in heads)


def test_userinfo_repeats_the_person_in_strings(world: World) -> None:
    tokens = world.tokens(attributes=ALICE)
    response = world.userinfo(tokens["access_token"])
    body = json.loads(response.data)

    assert response.status_code == 200
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert json.loads(body.pop("identities"))[0]["primary"] is True
    assert body == {
        "sub": world.verified(tokens["id_token"])["sub"],
        "username": "Corp_alice",
        "email": "alice@example.test",
        "name": "Alice Example",
    }


def test_the_callback_carries_state_issuer_and_no_cacheable_code(world: World) -> None:
    browser = world.browser()
    form = world.idp.post(world.begin(browser, state="é %&=#+/"), name_id="alice")
    response = browser.post("/saml2/idpresponse", form)
    params = callback(response)

    assert params.pop("code").count("-") == 4
    assert params == {"state": "é %&=#+/", "iss": f"{ORIGIN}/{POOL_ID}"}
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Location"].startswith(f"{CALLBACK}?")


def test_a_person_keeps_sub_and_old_values_at_the_next_sign_in(world: World) -> None:
    first = world.verified(world.tokens(attributes=ALICE)["id_token"])
    world.clock.advance(10)
    again = {"displayName": ["Alice Renamed"]}
    second = world.verified(world.tokens(attributes=again)["id_token"])

    assert second["sub"] == first["sub"]
    assert second["name"] == "Alice Renamed"
    assert second["email"] == "alice@example.test"
    assert second["identities"] == first["identities"]


def test_response_signed_and_both_signed_are_good_too(world: World) -> None:
    for sign in ("response", "both"):
        assert world.tokens(name_id=f"{sign}-signed", sign=sign)["id_token"]


def test_a_signed_request_is_signed_with_the_published_key(
    new_world: Callable[..., World],
) -> None:
    plain = new_world()
    signing = saml_provider(plain.idp, details={"RequestSigningAlgorithm": "rsa-sha256"})
    world = new_world(providers=[signing])
    request = world.begin(world.browser())
    assert request.signed
    assert request.issuer == f"urn:amazon:cognito:sp:{POOL_ID}"
    assert request.acs == f"{ORIGIN}/saml2/idpresponse"
    assert len(request.relay_state or "") <= 80


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
