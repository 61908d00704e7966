"""Which URLs are called, and how they go on the wire."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.model.urls import is_loopback
from broker.upstream.urls import RefusedUrlError, beside, redirected, target


@pytest.mark.parametrize(
    ("url", "host", "port", "path", "authority"),
    [
        ("https://op.example", "op.example", 443, "/", "op.example"),
        ("https://OP.example:443/a?b=c#d", "op.example", 443, "/a?b=c", "op.example"),
        ("https://op.example:8443/", "op.example", 8443, "/", "op.example:8443"),
        ("http://localhost:9000/x", "localhost", 9000, "/x", "localhost:9000"),
        ("http://[::1]:9000/", "::1", 9000, "/", "[::1]:9000"),
        ("https://op.example/é?ü=%20", "op.example", 443, "/%C3%A9?%C3%BC=%20", "op.example"),
        ("https://bücher.example/", "xn--bcher-kva.example", 443, "/", "xn--bcher-kva.example"),
    ],
)
def test_a_url_taken_apart(url: str, host: str, port: int, path: str, authority: str) -> None:
    found = target(url)

    assert (found.host, found.port, found.path, found.authority) == (host, port, path, authority)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "a.localhost", "127.0.0.1", "::1"])
def test_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["localhost.example", "mylocalhost", "127.0.0.2", "0.0.0.0", "::", "127.1", ""]
)
def test_not_loopback(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize(
    ("named", "by", "url"),
    [
        ("https://other.example/x", "https://op.example/", "https://other.example/x"),
        ("http://localhost:1/x", "http://127.0.0.1:2/", "http://localhost:1/x"),
    ],
)
def test_what_a_provider_may_name(named: str, by: str, url: str) -> None:
    assert beside(named, by) == url


def test_a_redirect_may_be_relative() -> None:
    assert redirected("/x", "https://op.example/a/b") == "https://op.example/x"


@pytest.mark.parametrize(
    "named", ["http://127.0.0.1:6379/", "http://localhost/", "http://10.0.0.1/", "file:///x"]
)
def test_a_public_provider_does_not_aim_at_this_machine(named: str) -> None:
    with pytest.raises(RefusedUrlError):
        beside(named, "https://op.example/")
    with pytest.raises(RefusedUrlError):
        redirected(named, "https://op.example/")


@pytest.mark.parametrize("named", ["/x", "x", "https://", "//op.example/x", ""])
def test_a_provider_names_absolute_urls(named: str) -> None:
    with pytest.raises(RefusedUrlError):
        beside(named, "https://op.example/")


@pytest.mark.parametrize("odd", [" ", "\\", "\n", "\x00", "\x7f", "\u2003"])
def test_odd_characters_are_not_called(odd: str) -> None:
    with pytest.raises(RefusedUrlError):
        target(f"https://op.example/a{odd}b")


@given(st.text())
def test_no_text_is_called_by_accident(text: str) -> None:
    for url in (text, f"https://{text}", f"https://op.example/{text}", f"http://{text}"):
        try:
            found = target(url)
        except RefusedUrlError:
            continue
        assert found.scheme == "https" or is_loopback(found.host)
        assert found.path.isascii()
        assert not set("\r\n \t") & set(found.path + found.host)
