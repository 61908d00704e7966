"""What every answer carries: CORS where browser apps call, security headers everywhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.kit.world import World

OPEN_TO_ALL = [
    ("POST", "/oauth2/token"),
    ("POST", "/oauth2/revoke"),
    ("GET", "/oauth2/userInfo"),
    ("POST", "/"),
    ("GET", "/.well-known/openid-configuration"),
    ("GET", "/.well-known/jwks.json"),
]
OWN_ORIGIN = [
    ("GET", "/oauth2/authorize"),
    ("GET", "/login"),
    ("GET", "/logout"),
    ("GET", "/error"),
]


def send(world: World, method: str, path: str, **headers: str) -> TestResponse:
    return world.app.test_client().open(
        path,
        base_url=world.origin,
        method=method,
        headers={**headers, "Origin": "https://spa.test"},
    )


@pytest.mark.parametrize(("method", "path"), OPEN_TO_ALL)
def test_any_origin_may_read_the_answer_errors_included(
    world: World, method: str, path: str
) -> None:
    assert send(world, method, path).headers["Access-Control-Allow-Origin"] == "*"
    assert send(world, "DELETE", path).headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in send(world, method, path).headers


@pytest.mark.parametrize(("method", "path"), OPEN_TO_ALL)
@pytest.mark.parametrize(
    "asked",
    [
        "authorization",
        "x-amz-user-agent",
        "amz-sdk-invocation-id,amz-sdk-request,cache-control,content-type,x-amz-target,x-amz-user-agent",
    ],
)
def test_a_preflight_allows_what_it_asks_for(
    world: World, method: str, path: str, asked: str
) -> None:
    headers = {"Access-Control-Request-Method": method, "Access-Control-Request-Headers": asked}
    response = send(world, "OPTIONS", path, **headers)
    assert response.status_code == 204
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert response.headers["Access-Control-Allow-Headers"] == asked
    assert method in response.headers["Access-Control-Allow-Methods"]


@pytest.mark.parametrize(("method", "path"), OWN_ORIGIN)
def test_pages_are_nobody_elses(world: World, method: str, path: str) -> None:
    assert "Access-Control-Allow-Origin" not in send(world, method, path).headers
    assert send(world, "OPTIONS", path).status_code == 405


@pytest.mark.parametrize(("method", "path"), [*OPEN_TO_ALL, *OWN_ORIGIN, ("GET", "/nothing")])
def test_every_answer_is_hardened(world: World, method: str, path: str) -> None:
    headers = send(world, method, path).headers
    assert headers.getlist("X-Content-Type-Options") == ["nosniff"]
    assert headers.getlist("X-Frame-Options") == ["DENY"]
    assert headers.getlist("Referrer-Policy") == ["no-referrer"]
    (hsts,) = headers.getlist("Strict-Transport-Security")
    assert hsts.startswith("max-age=31536000")
    assert len(headers) == len(set(headers.keys()))


def test_plain_http_on_loopback_promises_no_https(new_world: Callable[..., World]) -> None:
    world = new_world(domain="http://localhost:8080")
    assert "Strict-Transport-Security" not in send(world, "GET", "/oauth2/userInfo").headers


@pytest.mark.parametrize(("method", "path"), [p for p in OPEN_TO_ALL if "well-known" not in p[1]])
def test_no_cache_keeps_what_is_personal(world: World, method: str, path: str) -> None:
    assert "no-store" in send(world, method, path).headers["Cache-Control"]


@pytest.mark.parametrize("value", ["a\r\nSet-Cookie: x=y", "a\nb", "%0d%0aX: y"])
def test_no_value_becomes_a_header(world: World, value: str) -> None:
    changes: dict[str, Any] = {"state": value, "scope": "bogus"}
    response = world.browser().get(world.authorize_url(**changes))
    assert "Set-Cookie" not in response.headers
    assert "\n" not in response.headers["Location"]
