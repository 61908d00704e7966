"""What goes out is what was made."""

from __future__ import annotations

from typing import Any

import pytest

from broker.web.response import WholeResponse


def sent(response: WholeResponse, method: str = "GET") -> tuple[str, dict[str, str], list[bytes]]:
    answered: list[Any] = []

    def start(status: str, headers: list[tuple[str, str]], *_: Any) -> Any:
        answered.extend((status, dict(headers)))

    body = response({"REQUEST_METHOD": method}, start)
    return answered[0], answered[1], body


def test_a_body_goes_out_at_once_and_says_how_long_it_is() -> None:
    status, headers, body = sent(WholeResponse(b"ab", 400))
    assert (status, headers["Content-Length"], body) == ("400 BAD REQUEST", "2", [b"ab"])


def test_one_without_a_body_says_so() -> None:
    """Or else a client would wait for one."""
    assert sent(WholeResponse(status=302))[1]["Content-Length"] == "0"


def test_one_that_was_changed_says_how_long_it_is_now() -> None:
    response = WholeResponse(b"ab")
    response.set_data(b"abc")
    assert sent(response)[1:] == (
        {"Content-Length": "3"},
        [b"abc"],
    )


def test_head_gets_the_headers_alone() -> None:
    status, headers, body = sent(WholeResponse(b"ab"), "HEAD")
    assert (status, headers["Content-Length"], body) == ("200 OK", "2", [])


@pytest.mark.parametrize("status", [204, 304])
def test_some_never_have_a_body(status: int) -> None:
    _, headers, body = sent(WholeResponse(b"ab", status))
    assert "Content-Length" not in headers
    assert b"".join(body) == b""


@pytest.mark.parametrize("location", ["myapp:///callback?code=1", "HTTPS://App.Example/x", "a:b"])
def test_a_location_is_left_as_it_is(location: str) -> None:
    assert (
        sent(WholeResponse(status=302, headers={"Location": location}))[1]["Location"] == location
    )
