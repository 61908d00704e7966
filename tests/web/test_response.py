"""What goes out is what was made."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import pytest
from werkzeug.http import parse_cookie

from broker.web.response import Response


def sent(response: Response, method: str = "GET") -> tuple[str, dict[str, str], list[bytes]]:
    answered: list[Any] = []

    def start(status: str, headers: list[tuple[str, str]], *_: Any) -> Any:
        assert len(dict(headers)) == len(headers)
        answered.extend((status, dict(headers)))

    body = response({"REQUEST_METHOD": method}, start)
    return answered[0], answered[1], body


def test_a_body_goes_out_at_once_and_says_how_long_it_is() -> None:
    status, headers, body = sent(Response(b"ab", 400))
    assert (status, headers["Content-Length"], body) == ("400 Bad Request", "2", [b"ab"])


def test_one_without_a_body_says_so() -> None:
    """Or else a client would wait for one."""
    assert sent(Response(status=302))[1]["Content-Length"] == "0"


def test_it_may_be_sent_again() -> None:
    response = Response(b"ab", headers={"A": "b"})
    sent(response)
    assert response.headers == [("A", "b")]


def test_head_gets_the_headers_alone() -> None:
    status, headers, body = sent(Response(b"ab"), "HEAD")
    assert (status, headers["Content-Length"], body) == ("200 OK", "2", [])


@pytest.mark.parametrize("status", [204, 304])
def test_some_never_have_a_body(status: int) -> None:
    _, headers, body = sent(Response(b"ab", status))
    assert "Content-Length" not in headers
    assert b"".join(body) == b""


@pytest.mark.parametrize("status", HTTPStatus)
def test_every_status_has_its_line(status: HTTPStatus) -> None:
    assert sent(Response(status=status))[0] == f"{status.value} {status.phrase}"


def test_there_is_no_other() -> None:
    with pytest.raises(KeyError):
        Response(status=499)


@pytest.mark.parametrize("location", ["myapp:///callback?code=1", "HTTPS://App.Example/x", "a:b"])
def test_a_location_is_left_as_it_is(location: str) -> None:
    headers = {"Location": location}
    assert sent(Response(status=302, headers=headers))[1]["Location"] == location


@pytest.mark.parametrize("value", ["a\r\nSet-Cookie: cognito=x", "a\nb", "a\rb", "\n"])
def test_no_header_becomes_two(value: str) -> None:
    response = Response()
    with pytest.raises(ValueError, match="line break"):
        Response(headers={"A": "b", "Location": value})
    with pytest.raises(ValueError, match="line break"):
        response.add_header("Location", value)
    with pytest.raises(ValueError, match="line break"):
        response.set_cookie(f"a{value}", "b")
    assert response.headers == []


def test_a_cookie_is_for_the_browser_alone() -> None:
    response = Response()
    response.set_cookie("cognito", "abc", max_age=3600, secure=True, same_site="Lax")
    response.set_cookie("lang", "de")
    response.set_cookie("cognito", "", max_age=0)
    assert [value for _, value in response.headers] == [
        "cognito=abc; Max-Age=3600; Secure; HttpOnly; Path=/; SameSite=Lax",
        "lang=de; HttpOnly; Path=/",
        "cognito=; Max-Age=0; HttpOnly; Path=/",
    ]


@pytest.mark.parametrize("value", ["a;b", 'a"b', "a\nb", "ä", "a b"])
def test_a_value_ends_where_it_should(value: str) -> None:
    response = Response()
    response.set_cookie("a", value)
    (_, header), *_ = response.headers
    assert parse_cookie(header.partition("; ")[0])["a"] == value
