"""Outgoing HTTP against servers that stall, drip, lie about length, redirect, or are not there."""

from __future__ import annotations

import gzip
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import httpcore2
import pytest

from broker.upstream.http import Answer, Failure, HttpClient, HttpError
from broker.upstream.network import Network
from broker.upstream.urls import target
from tests.kit.http_double import Asked, HttpDouble, Raw, Reply, as_json, redirect
from tests.kit.tls import self_signed

SECONDS = 0.3
"""The whole time of a brief request. Every test that reaches it expects a failure."""


class Moving:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def moving() -> Moving:
    return Moving()


@pytest.fixture
def brief(moving: Moving) -> Iterator[HttpClient]:
    """Waits ``SECONDS`` for one thing, and for all of them while ``moving`` moves by so much."""
    network = Network(connect_seconds=SECONDS, total_seconds=SECONDS, proxies={}, monotonic=moving)
    client = HttpClient(network=network)
    yield client
    client.close()


@pytest.fixture
def small(http: HttpClient) -> HttpClient:
    return http.patient(max_bytes=1000, seconds=30.0)


@pytest.fixture
def timed(moving: Moving) -> Iterator[HttpClient]:
    """Has all the time in the world, until ``moving`` says that it is over."""
    client = HttpClient(network=Network(total_seconds=30.0, proxies={}, monotonic=moving))
    yield client
    client.close()


@contextmanager
def serving(application: Callable[[Asked], Reply | Raw]) -> Iterator[HttpDouble]:
    with HttpDouble(application) as double:
        yield double


def failure(send: Callable[[], Answer]) -> Failure:
    with pytest.raises(HttpError) as caught:
        send()
    return caught.value.kind


def _head(length: int) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % length


def drip(data: bytes, moving: Moving) -> Raw:
    """One byte at a time, each well within any read timeout; after ten of them time is over."""

    def write(connection: socket.socket) -> None:
        for byte in data:
            connection.sendall(bytes([byte]))
            time.sleep(SECONDS / 10)
            moving.at += SECONDS / 10

    return write


# -- requests and answers -------------------------------------------------------------------------


def test_a_get_is_answered(http: HttpClient) -> None:
    with serving(lambda _: as_json({"a": 1}, ETag="x")) as server:
        answer = http.get(f"{server.url}/p?q=1", headers={"X-Own": "yes"})
        asked = server.asked[0]

    assert (answer.status, answer.json(), answer.headers["etag"]) == (200, {"a": 1}, "x")
    assert (asked.method, asked.path, asked.query) == ("GET", "/p", {"q": "1"})
    assert asked.headers["x-own"] == "yes"
    assert asked.headers["host"] == f"127.0.0.1:{server.port}"
    assert asked.headers["user-agent"].startswith("federation-broker/")


def test_a_form_is_posted(http: HttpClient) -> None:
    with serving(lambda _: Reply(status=418)) as server:
        answer = http.post_form(f"{server.url}/p", {"a": "1 & ü", "b": "\udcff"})
        asked = server.asked[0]

    assert answer.status == 418
    assert asked.method == "POST"
    assert asked.headers["content-type"] == "application/x-www-form-urlencoded"
    assert asked.body == b"a=1+%26+%C3%BC&b=%FF"


def test_connections_are_kept(http: HttpClient) -> None:
    with serving(lambda _: Reply()) as server:
        for _ in range(3):
            http.get(server.url)
        connections = http.network.pool(target(server.url)).connections

    assert len(connections) == 1
    assert "Request Count: 3" in repr(connections[0])


def test_a_kept_connection_that_died_is_replaced(http: HttpClient) -> None:
    """A server may close an idle connection at any moment, also while the request is on its way."""
    answers: list[Reply | Raw] = [Reply(), lambda c: c.close(), Reply(status=201)]
    with serving(lambda _: answers.pop(0)) as server:
        assert http.get(server.url).status == 200
        assert http.get(server.url).status == 201


def test_a_lost_post_is_not_repeated(http: HttpClient) -> None:
    with serving(lambda _: lambda c: c.close()) as server:
        assert failure(lambda: http.post_form(server.url, {})) is Failure.PROTOCOL
        assert len(server.asked) == 1


@pytest.mark.parametrize("name", ["localhost", "idp.localhost"])
def test_loopback_names_are_this_machine(http: HttpClient, name: str) -> None:
    with serving(lambda _: Reply()) as server:
        assert http.get(f"http://{name}:{server.port}/").status == 200
        assert server.asked[0].headers["host"] == f"{name}:{server.port}"


def test_compression_is_declined(http: HttpClient) -> None:
    with serving(lambda _: Reply(body=gzip.compress(b"{}"))) as server:
        answer = http.get(server.url)
        assert server.asked[0].headers["accept-encoding"] == "identity"

    assert answer.json() is None


# -- limits ---------------------------------------------------------------------------------------


def test_a_body_at_the_limit_is_read(small: HttpClient) -> None:
    with serving(lambda _: Reply(body=b"x" * 1000)) as server:
        assert len(small.get(server.url).body) == 1000


def test_a_longer_body_is_refused(small: HttpClient) -> None:
    with serving(lambda _: Reply(body=b"x" * 1001)) as server:
        assert failure(lambda: small.get(server.url)) is Failure.TOO_LARGE


def test_a_body_without_end_is_refused(small: HttpClient) -> None:
    def endless(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            connection.sendall(b"10\r\n" + b"x" * 16 + b"\r\n")

    with serving(lambda _: endless) as server:
        assert failure(lambda: small.get(server.url)) is Failure.TOO_LARGE


def chunked(size: int, times: int) -> Raw:
    chunk = b"%x\r\n%s\r\n" % (size, b"x" * size)
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    return lambda connection: connection.sendall(head + chunk * times + b"0\r\n\r\n")


def test_a_body_in_chunks_is_read(small: HttpClient) -> None:
    with serving(lambda _: chunked(100, 10)) as server:
        assert small.get(server.url).body == b"x" * 1000


def test_tiny_chunks_are_refused_long_before_the_size_limit(small: HttpClient) -> None:
    """Each costs as much as a long one: a megabyte of them is seconds of work."""
    with serving(lambda _: chunked(1, 15)) as server:
        assert small.get(server.url).body == b"x" * 15
    with serving(lambda _: chunked(1, 16)) as server:
        assert failure(lambda: small.get(server.url)) is Failure.TOO_LARGE


def test_headers_without_end_are_refused(http: HttpClient) -> None:
    def endless(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        while True:
            connection.sendall(b"X-More: " + b"x" * 500 + b"\r\n")

    with serving(lambda _: endless) as server:
        assert failure(lambda: http.post_form(server.url, {})) is Failure.PROTOCOL


# -- one deadline for everything ------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        _head(100) + b"x" * 100,
        b"HTTP/1.1 200 OK\r\n" + b"X-Slow: very\r\n" * 50,
        b"HTTP/1.1 102 Processing\r\n\r\n" * 50,
    ],
    ids=["body", "headers", "provisional answers"],
)
def test_what_drips_has_the_deadline_of_the_whole_request(
    brief: HttpClient, moving: Moving, data: bytes
) -> None:
    """Each of these ends by itself, later: waited for, it would be an answer or another failure."""
    with serving(lambda _: drip(data, moving)) as server:
        assert failure(lambda: brief.get(server.url)) is Failure.TIMEOUT


@pytest.mark.parametrize("data", [b"", _head(9) + b"x"], ids=["silence", "half a body"])
def test_what_stalls_is_not_waited_for(brief: HttpClient, data: bytes) -> None:
    def stall(connection: socket.socket) -> None:
        connection.sendall(data)
        server.over.wait(10)

    with serving(lambda _: stall) as server:
        assert failure(lambda: brief.get(server.url)) is Failure.TIMEOUT


def test_redirects_share_the_deadline(timed: HttpClient, moving: Moving) -> None:
    """With a deadline for each hop it would be their number that ends this."""

    def application(asked: Asked) -> Reply:
        moving.at += 8
        return redirect("/again")

    with serving(application) as server:
        assert failure(lambda: timed.get(server.url)) is Failure.TIMEOUT
        assert len(server.asked) == 4


def test_the_time_of_one_request_is_not_taken_from_the_next(
    timed: HttpClient, moving: Moving
) -> None:
    with serving(lambda _: Reply()) as server:
        timed.get(server.url)
        moving.at += 31
        assert timed.get(server.url).status == 200


def test_addresses_share_the_time_to_connect_by_the_given_clock(
    timed: HttpClient, moving: Moving, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of it for the first of two, and then all that is left for the second."""
    given: list[float | None] = []

    def connect(
        _self: object, host: str, _port: int, timeout: float | None, *_: object
    ) -> httpcore2.NetworkStream:
        given.append(timeout)
        moving.at += 0.5
        raise httpcore2.ConnectError(host)

    found = [(0, 0, 0, "", (address, 0)) for address in ("192.0.2.1", "192.0.2.2")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    monkeypatch.setattr(httpcore2.SyncBackend, "connect_tcp", connect)
    assert failure(lambda: timed.get("https://idp.example/")) is Failure.CONNECT
    assert given == [1.0, 1.5]


def test_a_tls_handshake_that_stalls_is_a_failed_connection(brief: HttpClient) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        port = listening.getsockname()[1]
        assert failure(lambda: brief.get(f"https://127.0.0.1:{port}/")) is Failure.CONNECT


def test_nobody_there(brief: HttpClient) -> None:
    assert failure(lambda: brief.get(f"http://127.0.0.1:{_free_port()}/")) is Failure.CONNECT


def test_a_name_that_does_not_resolve(brief: HttpClient) -> None:
    assert failure(lambda: brief.get("https://nowhere.invalid/")) is Failure.CONNECT


def test_a_name_that_resolves_slowly(brief: HttpClient, monkeypatch: pytest.MonkeyPatch) -> None:
    over, resolved = threading.Event(), threading.Event()

    def resolver(*_: object, **__: object) -> list[object]:
        over.wait(10)
        resolved.set()
        return []

    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    assert failure(lambda: brief.get("https://idp.example/")) is Failure.CONNECT
    assert not resolved.is_set()
    over.set()


@pytest.mark.parametrize("name", ["a" * 64 + ".example", "no-address.example"])
def test_names_without_address(
    brief: HttpClient, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def resolver(host: str, *_: object, **__: object) -> list[object]:
        host.encode("idna")
        return []

    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    assert failure(lambda: brief.get(f"https://{name}/")) is Failure.CONNECT


def test_every_address_of_a_name_is_tried(
    http: HttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, 0)) for a in ("127.0.0.9", "127.0.0.1")
    ]
    resolve = socket.getaddrinfo
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda host, *a, **k: found if host == "idp.example" else resolve(host, *a, **k),
    )
    with _tls_server() as port, pytest.raises(HttpError, match="CERTIFICATE_VERIFY_FAILED"):
        http.get(f"https://idp.example:{port}/")


def test_a_slow_server_does_not_hold_up_others(http: HttpClient) -> None:
    release = threading.Event()

    def application(asked: Asked) -> Reply:
        if asked.path == "/slow":
            release.wait(5)
        return Reply()

    with serving(application) as server:
        slow = [threading.Thread(target=http.get, args=(f"{server.url}/slow",)) for _ in range(20)]
        for thread in slow:
            thread.start()
        try:
            assert http.get(f"{server.url}/fast").status == 200
            assert all(thread.is_alive() for thread in slow)
        finally:
            release.set()
            for thread in slow:
                thread.join()


# -- which URLs -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "http://idp.example/",
        "http://192.168.0.1/",
        "http://127.0.0.2/",
        "http://localhost.example/",
        "http://[::ffff:127.0.0.1]/",
        "ftp://localhost/",
        "file:///etc/passwd",
        "gopher://localhost/",
        "https://user:password@idp.example/",
        "https://idp.example@evil.example/",
        "https:///path",
        "https://idp.example:99999/",
        "https://idp.example/a b",
        "https://idp.example/\r\nX-Evil: 1",
        "https://[::1/",
        "//idp.example/",
        "idp.example",
        "",
    ],
)
def test_other_urls_are_refused(http: HttpClient, url: str) -> None:
    assert failure(lambda: http.get(url)) is Failure.REFUSED_URL
    assert failure(lambda: http.post_form(url, {})) is Failure.REFUSED_URL


# -- redirects ------------------------------------------------------------------------------------


def _chain(asked: Asked) -> Reply:
    steps = int(asked.query.get("n", "0"))
    return redirect(f"/?n={steps - 1}") if steps else Reply(body=b"there")


def test_a_get_follows_redirects(http: HttpClient) -> None:
    with serving(_chain) as server:
        assert http.get(f"{server.url}/?n=5").body == b"there"


def test_redirects_come_to_an_end(http: HttpClient) -> None:
    with serving(_chain) as server:
        assert failure(lambda: http.get(f"{server.url}/?n=50")) is Failure.PROTOCOL
        assert len(server.asked) == 20


def test_a_get_may_be_told_not_to(http: HttpClient) -> None:
    with serving(_chain) as server:
        assert http.get(f"{server.url}/?n=5", redirects=False).status == 302


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_post_is_not_redirected(http: HttpClient, status: int) -> None:
    with serving(lambda _: redirect("/elsewhere", status)) as server:
        assert http.post_form(server.url, {"code": "x"}).status == status
        assert len(server.asked) == 1


def test_a_credential_stays_with_its_origin(http: HttpClient) -> None:
    private = {"Authorization": "Bearer secret"}
    with (
        serving(lambda _: Reply()) as other,
        serving(
            lambda asked: redirect(other.url) if asked.path == "/out" else _chain(asked)
        ) as server,
    ):
        assert failure(lambda: http.get(f"{server.url}/out", headers=private)) is (
            Failure.REFUSED_URL
        )
        assert other.asked == []
        assert http.get(f"{server.url}/?n=1", headers=private).body == b"there"
        assert http.get(f"{server.url}/out").status == 200


@pytest.mark.parametrize(
    "location", ["http://idp.example/", "file:///etc/passwd", "ftp://localhost/", "http://[::1"]
)
def test_a_redirect_obeys_the_same_rules(http: HttpClient, location: str) -> None:
    with serving(lambda _: redirect(location)) as server:
        assert failure(lambda: http.get(server.url)) is Failure.REFUSED_URL


# -- what is no HTTP ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 2OO OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nxxxxxx",
        _head(50) + b"short",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"\x16\x03\x01\x02\x00",
        b"",
    ],
)
def test_nonsense_is_a_protocol_failure(http: HttpClient, data: bytes) -> None:
    with serving(lambda _: lambda connection: connection.sendall(data)) as server:
        assert failure(lambda: http.post_form(server.url, {})) is Failure.PROTOCOL


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nb", "ü", "\x00"])
def test_a_header_that_http_cannot_carry_is_not_sent(http: HttpClient, value: str) -> None:
    private = {"Authorization": value}
    with serving(lambda _: Reply()) as server:
        assert failure(lambda: http.get(server.url, headers=private)) is Failure.PROTOCOL
        assert server.asked == []


def test_an_untrusted_certificate_is_a_failed_connection(http: HttpClient) -> None:
    with _tls_server() as port, pytest.raises(HttpError) as caught:
        http.get(f"https://localhost:{port}/")

    assert caught.value.kind is Failure.CONNECT
    assert "CERTIFICATE_VERIFY_FAILED" in str(caught.value)


def test_failures_say_nothing_secret(http: HttpClient) -> None:
    with pytest.raises(HttpError) as caught:
        http.get("http://idp.example/?code=secret")
    assert "secret" not in str(caught.value)


# -- proxies --------------------------------------------------------------------------------------


def test_a_proxy_of_the_environment_is_used() -> None:
    tunnels: list[str] = []

    def proxy(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        with connection:
            tunnels.append(connection.recv(4096).split(b"\r\n")[0].decode())
            connection.sendall(b"HTTP/1.1 502 No\r\nContent-Length: 0\r\n\r\n")

    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        thread = threading.Thread(target=proxy, args=(listening,))
        thread.start()
        proxies = {
            "https": f"http://127.0.0.1:{listening.getsockname()[1]}",
            "no": "direct.invalid",
        }
        client = HttpClient(network=Network(total_seconds=2.0, proxies=proxies))
        assert failure(lambda: client.get("https://idp.example/x")) is Failure.CONNECT
        thread.join()
        assert failure(lambda: client.get("https://direct.invalid/")) is Failure.CONNECT
        client.close()

    assert tunnels == ["CONNECT idp.example:443 HTTP/1.1"]


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1", "http://", "x://y"])
def test_a_proxy_we_cannot_use_is_a_failed_connection(proxy: str) -> None:
    client = HttpClient(network=Network(proxies={"https": proxy}))

    assert failure(lambda: client.get("https://idp.example/")) is Failure.CONNECT


def test_this_machine_is_reached_without_proxy() -> None:
    client = HttpClient(network=Network(proxies={"http": "http://127.0.0.1:1"}))
    with serving(lambda _: Reply()) as server:
        assert client.get(server.url).status == 200
    client.close()


# -- the circuit breaker --------------------------------------------------------------------------


@pytest.fixture
def guarded(moving: Moving) -> Iterator[HttpClient]:
    client = HttpClient(network=Network(monotonic=moving, proxies={})).guarded()
    yield client
    client.close()


def test_the_breaker_opens_after_five_failures_in_a_row(
    guarded: HttpClient, moving: Moving
) -> None:
    dead = f"http://127.0.0.1:{_free_port()}/"
    for _ in range(5):
        assert failure(lambda: guarded.get(dead)) is Failure.CONNECT

    assert failure(lambda: guarded.get(dead)) is Failure.CIRCUIT_OPEN
    moving.at += 4.9
    assert failure(lambda: guarded.get(dead)) is Failure.CIRCUIT_OPEN
    moving.at += 0.2
    assert failure(lambda: guarded.get(dead)) is Failure.CONNECT
    assert failure(lambda: guarded.get(dead)) is Failure.CIRCUIT_OPEN


def test_an_answer_closes_the_breaker(guarded: HttpClient) -> None:
    dead = f"http://127.0.0.1:{_free_port()}/"
    with serving(lambda _: Reply(status=500)) as server:
        for _ in range(3):
            for _ in range(4):
                assert failure(lambda: guarded.get(dead)) is Failure.CONNECT
            assert guarded.get(server.url).status == 500


def test_only_absence_counts(guarded: HttpClient) -> None:
    with serving(lambda _: lambda c: c.close()) as server:
        for _ in range(9):
            assert failure(lambda: guarded.post_form(server.url, {})) is Failure.PROTOCOL
            assert failure(lambda: guarded.get("http://idp.example/")) is Failure.REFUSED_URL


def test_each_provider_has_its_own_breaker(guarded: HttpClient) -> None:
    dead = f"http://127.0.0.1:{_free_port()}/"
    for _ in range(6):
        failure(lambda: guarded.get(dead))

    assert failure(lambda: guarded.guarded().get(dead)) is Failure.CONNECT


def _free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        return int(listening.getsockname()[1])


@contextmanager
def _tls_server() -> Iterator[int]:
    """A handshake with a certificate nobody vouches for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    self_signed(context)
    listening = socket.create_server(("127.0.0.1", 0))

    def shake() -> None:
        connection, _ = listening.accept()
        try:
            context.wrap_socket(connection, server_side=True).close()
        except OSError:
            connection.close()

    thread = threading.Thread(target=shake)
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        thread.join()
        listening.close()
