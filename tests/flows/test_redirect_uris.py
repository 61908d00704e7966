"""Where an app is answered: at the URI it registered, byte for byte, whatever that looks like."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

import pytest

from tests.kit.world import PUBLIC, World

REGISTERED = [
    "myapp:///callback",
    "myapp://",
    "MyApp://Call_Back/x",
    "myapp://sign..in/cb",
    "myapp://host:abc/cb",
    f"myapp://{'l' * 64}/cb",
    "https://app.example.test/a|b",
    "https://app.example.test/%e2%82%ac",
]


@pytest.fixture
def registered(new_world: Callable[..., World]) -> World:
    client = {**PUBLIC, "CallbackURLs": REGISTERED, "LogoutURLs": REGISTERED}
    return new_world(clients=[client])


@pytest.mark.parametrize("uri", REGISTERED)
def test_the_way_back_to_the_app_is_what_it_registered(registered: World, uri: str) -> None:
    asked = registered.authorize_url(client_id="spa", redirect_uri=uri, response_type="nonsense")
    location = registered.browser().get(asked).headers["Location"]
    assert location.startswith(f"{uri}?error_description=")


@pytest.mark.parametrize("uri", REGISTERED)
def test_so_is_the_way_back_from_a_sign_out(registered: World, uri: str) -> None:
    asked = f"/logout?client_id=spa&logout_uri={quote(uri, safe='')}"
    assert registered.browser().get(asked).headers["Location"] == uri


def test_what_is_not_ascii_is_percent_encoded(new_world: Callable[..., World]) -> None:
    """A header takes nothing else (RFC 9110 10.2.2, RFC 3987 3.1)."""
    client = {**PUBLIC, "LogoutURLs": ["https://app.example.test/abgemeldet/ä?a=%20"]}
    asked = "/logout?client_id=spa&logout_uri=https://app.example.test/abgemeldet/%C3%A4?a=%2520"
    response = new_world(clients=[client]).browser().get(asked)
    assert response.headers["Location"] == "https://app.example.test/abgemeldet/%C3%A4?a=%20"
