"""Discovery and JWKS: everything in them is true."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from werkzeug.test import TestResponse

from tests.kit.apps import App, body
from tests.kit.world import ORIGIN, POOL_ID, World

CONFIGURATION = "/.well-known/openid-configuration"
JWKS = "/.well-known/jwks.json"


def fetch(world: World, path: str, **how: Any) -> TestResponse:
    return world.app.test_client().get(path, base_url=world.origin, **how)


@pytest.fixture
def document(world: World) -> dict[str, Any]:
    return body(fetch(world, f"/{POOL_ID}{CONFIGURATION}"))


def test_the_members(document: dict[str, Any]) -> None:
    claims = document.pop("claims_supported")
    assert {"sub", "iss", "aud", "email", "cognito:username", "identities"} <= set(claims)
    assert document.pop("ui_locales_supported")
    assert document == {
        "authorization_endpoint": f"{ORIGIN}/oauth2/authorize",
        "authorization_response_iss_parameter_supported": True,
        "code_challenge_methods_supported": ["S256"],
        "end_session_endpoint": f"{ORIGIN}/logout",
        "grant_types_supported": [
            "authorization_code",
            "implicit",
            "refresh_token",
            "client_credentials",
        ],
        "id_token_signing_alg_values_supported": ["RS256"],
        "issuer": f"{ORIGIN}/{POOL_ID}",
        "jwks_uri": f"{ORIGIN}/{POOL_ID}{JWKS}",
        "request_uri_parameter_supported": False,
        "response_modes_supported": ["query", "fragment", "form_post"],
        "response_types_supported": ["code", "token"],
        "revocation_endpoint": f"{ORIGIN}/oauth2/revoke",
        "revocation_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "scopes_supported": ["openid", "email", "phone", "profile"],
        "subject_types_supported": ["public"],
        "token_endpoint": f"{ORIGIN}/oauth2/token",
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "userinfo_endpoint": f"{ORIGIN}/oauth2/userInfo",
    }


def test_every_endpoint_named_is_served(world: World, document: dict[str, Any]) -> None:
    served = {rule.rule for rule in world.app.url_map.iter_rules()}
    for name, url in document.items():
        if name.endswith("_endpoint"):
            assert urlsplit(url).path in served, name
    assert fetch(world, urlsplit(document["jwks_uri"]).path).status_code == 200


def test_the_issuer_is_the_urls_and_the_tokens(world: World, document: dict[str, Any]) -> None:
    # A relying party fetches <issuer>/.well-known/openid-configuration and compares.
    path = urlsplit(document["issuer"]).path
    assert body(fetch(world, path + CONFIGURATION))["issuer"] == document["issuer"]
    app = App.of(world)
    answer = app.answer()
    assert answer["iss"] == document["issuer"]
    tokens = body(app.redeem(answer["code"]))
    assert world.verified(tokens["id_token"])["iss"] == document["issuer"]


@pytest.mark.parametrize("name", [CONFIGURATION, JWKS])
def test_the_domain_root_serves_the_same_bytes(world: World, name: str) -> None:
    below, root = fetch(world, f"/{POOL_ID}{name}"), fetch(world, name)
    assert below.data == root.data
    assert root.content_type == "application/json"
    assert root.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize("name", [CONFIGURATION, JWKS])
def test_another_pools_documents_are_not_here(world: World, name: str) -> None:
    response = fetch(world, f"/eu-west-1_Other{name}")
    assert response.status_code == 404
    assert body(response)["error"]


@pytest.mark.parametrize("name", [CONFIGURATION, JWKS])
def test_caches_may_keep_them_and_ask_again_cheaply(world: World, name: str) -> None:
    first = fetch(world, name)
    assert first.headers["Cache-Control"] == "public, max-age=3600"
    etag = first.headers["ETag"]
    for sent in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        again = fetch(world, name, headers={"If-None-Match": sent})
        assert (again.status_code, again.data) == (304, b"")
        assert again.headers["ETag"] == etag
    assert fetch(world, name, headers={"If-None-Match": '"other"'}).status_code == 200


def test_the_keys_are_public_and_differ(world: World) -> None:
    keys = json.loads(fetch(world, JWKS).data)["keys"]
    assert [set(key) for key in keys] == [{"alg", "kid", "use", "kty", "n", "e"}] * 2
    assert [(key["alg"], key["use"], key["kty"]) for key in keys] == [("RS256", "sig", "RSA")] * 2
    assert len({key["kid"] for key in keys}) == 2
    assert all(key["kid"].endswith("=") for key in keys)


def test_a_pool_that_signs_with_es256_says_so(new_world: Callable[..., World]) -> None:
    # A pool of its own: keys are made for an id once.
    world = new_world(pool={"Id": "eu-west-1_Curve", "SigningAlgorithm": "ES256"})
    assert body(fetch(world, CONFIGURATION))["id_token_signing_alg_values_supported"] == ["ES256"]
    keys = json.loads(fetch(world, JWKS).data)["keys"]
    assert [set(key) for key in keys] == [{"alg", "kid", "use", "kty", "crv", "x", "y"}] * 2


def test_an_issuer_elsewhere_changes_no_address(new_world: Callable[..., World]) -> None:
    issuer = f"https://cognito-idp.eu-west-1.amazonaws.com/{POOL_ID}"
    document = body(fetch(new_world(pool={"Issuer": issuer}), CONFIGURATION))
    assert document["issuer"] == issuer
    assert document["jwks_uri"] == f"{ORIGIN}/{POOL_ID}{JWKS}"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_other_methods_are_405_in_json(world: World, method: str) -> None:
    response = world.app.test_client().open(CONFIGURATION, method=method)
    assert response.status_code == 405
    assert body(response)["error"] == "invalid_request"
