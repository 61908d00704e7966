"""Fetching metadata: conditional, larger than other answers, and never longer than it may take."""

from __future__ import annotations

import socket

import pytest

from broker.model.errors import Reason, UpstreamError
from broker.upstream.http import HttpClient
from broker.upstream.saml_fetch import MetadataFetch
from broker.upstream.saml_renewal import Fetched, Validators
from tests.kit.http_double import Asked, HttpDouble, Raw, Reply

NOTHING = Validators()


class Server:
    """A document with validators, as web servers offer it."""

    def __init__(self) -> None:
        self.headers = {"ETag": '"one"', "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT"}
        self.body = b"<metadata/>"
        self.status = 200

    def __call__(self, asked: Asked) -> Reply:
        tag, date = (asked.headers.get(n) for n in ("if-none-match", "if-modified-since"))
        known = tag == self.headers.get("ETag") if tag else date == self.headers["Last-Modified"]
        if known:
            return Reply(status=304, headers=self.headers)
        return Reply(status=self.status, body=self.body, headers=self.headers)


@pytest.fixture
def fetch(http: HttpClient) -> MetadataFetch:
    return MetadataFetch(http=http, seconds=5.0)


def refused(fetch: MetadataFetch, url: str, known: Validators = NOTHING) -> str:
    with pytest.raises(UpstreamError) as refusal:
        fetch(url, known)
    assert refusal.value.reason == Reason.SAML_METADATA_UNAVAILABLE
    return refusal.value.received


def test_a_document_comes_with_its_validators(fetch: MetadataFetch) -> None:
    with HttpDouble(Server()) as server:
        fetched = fetch(server.url, NOTHING)
        assert fetched.body == b"<metadata/>"
        assert fetched.validators == Validators('"one"', "Thu, 01 Jan 2026 00:00:00 GMT")
        asked = server.last("/")
        assert "application/samlmetadata+xml" in asked.headers["accept"]
        assert not {"if-none-match", "if-modified-since"} & asked.headers.keys()


def test_one_that_still_stands_is_not_sent_again(fetch: MetadataFetch) -> None:
    application = Server()
    with HttpDouble(application) as server:
        known = fetch(server.url, NOTHING).validators
        assert fetch(server.url, known) == Fetched(None)
        assert "if-modified-since" not in server.last("/").headers
        application.headers["ETag"] = '"two"'
        assert fetch(server.url, known).body == b"<metadata/>"
        del application.headers["ETag"]
        assert fetch(server.url, Validators("", known.last_modified)) == Fetched(None)


def test_validators_that_cannot_be_sent_back_are_left(fetch: MetadataFetch) -> None:
    application = Server()
    application.headers = {"ETag": '"ü"', "Last-Modified": "gestern früh"}
    with HttpDouble(application) as server:
        assert fetch(server.url, NOTHING).validators == NOTHING


def test_an_answer_nobody_asked_for_is_none(fetch: MetadataFetch) -> None:
    with HttpDouble(lambda _: Reply(status=304)) as server:
        assert refused(fetch, server.url) == "HTTP status 304"


@pytest.mark.parametrize("status", [201, 404, 500, 503])
def test_any_other_status_is_no_document(fetch: MetadataFetch, status: int) -> None:
    application = Server()
    application.status = status
    with HttpDouble(application) as server:
        assert refused(fetch, server.url) == f"HTTP status {status}"


def test_metadata_may_be_larger_than_other_answers(http: HttpClient, fetch: MetadataFetch) -> None:
    application = Server()
    application.body = b"x" * (http.max_bytes + 1)
    with HttpDouble(application) as server:
        assert fetch(server.url, NOTHING).body == application.body
        narrow = MetadataFetch(http=http, max_bytes=1000)
        assert "more than 1000 bytes" in refused(narrow, server.url)


def test_it_may_take_longer_than_other_requests_but_not_for_ever(
    http: HttpClient, impatient: HttpClient
) -> None:
    def stalls(_: Asked) -> Raw:
        def hold(connection: socket.socket) -> None:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
            server.over.wait(10)

        return hold

    with HttpDouble(stalls) as server:
        fetch = MetadataFetch(http=impatient, seconds=0.4)
        assert "timeout" in refused(fetch, server.url)
    with HttpDouble(Server()) as server:
        assert MetadataFetch(http=impatient, seconds=10.0)(server.url, NOTHING).body


def test_nobody_there(fetch: MetadataFetch) -> None:
    assert "connect" in refused(fetch, "http://127.0.0.1:1/")
