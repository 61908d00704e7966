"""A request says the same of an environment as Werkzeug does."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from werkzeug import Request as Oracle
from werkzeug.test import create_environ

from broker.web.request import Request

BYTES = st.text(st.characters(max_codepoint=0xFF), max_size=30)
"""As PEP 3333 has them: one character each."""
PARTS = st.sampled_from(
    [
        "application/x-www-form-urlencoded",
        "Text/HTML",
        ";",
        "; charset=utf-8",
        ",",
        '"',
        "=",
        " ",
        "chunked",
    ]
)
ODD = BYTES | st.lists(PARTS, max_size=5).map("".join)
NUMBERS = ODD | st.integers(-10, 10**30).map(str)


@st.composite
def environs(draw: st.DrawFn) -> dict[str, Any]:
    sent = {
        "QUERY_STRING": BYTES,
        "CONTENT_TYPE": ODD,
        "CONTENT_LENGTH": NUMBERS,
        "HTTP_TRANSFER_ENCODING": ODD,
        "HTTP_AUTHORIZATION": BYTES,
    }
    names = draw(st.sets(st.sampled_from(sorted(sent))))
    return {
        "REQUEST_METHOD": draw(st.sampled_from(["GET", "POST", "post", "Put"])),
        "PATH_INFO": draw(BYTES),
        **{name: draw(sent[name]) for name in names},
    }


CHUNKED = {"CONTENT_LENGTH": "5", "HTTP_TRANSFER_ENCODING": "chunked"}


@given(environs())
@example({"REQUEST_METHOD": "POST", "PATH_INFO": "/", **CHUNKED})
def test_it_reads_what_werkzeug_reads(environ: dict[str, Any]) -> None:
    ours, oracle = Request(environ), Oracle({**create_environ(), **environ}, populate_request=False)
    assert ours.method == oracle.method
    assert ours.path == oracle.path
    assert ours.query_string == oracle.query_string
    assert ours.mimetype == oracle.mimetype
    assert ours.content_length == oracle.content_length
    assert ours.header("Authorization") == oracle.headers.get("Authorization")


@given(BYTES | st.lists(st.sampled_from(["a", "=", ";", " ", '"', "b=c", ",", "W/"])).map("".join))
def test_cookies_and_etags_too(value: str) -> None:
    environ = create_environ() | {"HTTP_COOKIE": value, "HTTP_IF_NONE_MATCH": value}
    ours, oracle = Request(environ), Oracle(environ, populate_request=False)
    assert dict(ours.cookies) == dict(oracle.cookies)
    assert ours.if_none_match.to_header() == oracle.if_none_match.to_header()


def test_what_was_not_sent() -> None:
    """The least that PEP 3333 promises."""
    request = Request({"REQUEST_METHOD": "GET"})
    assert (request.path, request.host, request.query_string, request.mimetype) == (
        "/",
        "",
        b"",
        "",
    )
    assert request.content_length is None
    assert request.header("Authorization") is None
    assert request.cookies == {}
    assert not request.if_none_match


def test_cookies_are_read_once() -> None:
    request = Request({"HTTP_COOKIE": "a=b"})
    assert request.cookies is request.cookies


@pytest.mark.parametrize("host", ["localhost:8080", "EXAMPLE.org", "a..b", "x y", "\xff"])
def test_the_host_is_as_it_came(host: str) -> None:
    """It is looked up, and nothing is ever made of it."""
    assert Request({"HTTP_HOST": host}).host == host
