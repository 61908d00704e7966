"""Outgoing HTTP: everything the broker fetches from identity providers goes through here.

Owns the limits that make a lying or stalling server harmless: one deadline for the whole request,
a size limit while reading, no schemes but https (http towards loopback), redirects only where no
credential travels. Raises ``HttpError`` and nothing else. What an answer means is the caller's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TypeVar, cast
from urllib.parse import urlencode

import httpcore2
import msgspec

from broker import __version__
from broker.upstream.breaker import Breaker
from broker.upstream.network import Network
from broker.upstream.urls import RefusedUrlError, Target, redirected, target

MAX_BYTES = 1 << 20
MIN_CHUNK = 64
"""A body in pieces that are shorter on average costs more work than its size says."""
MAX_REDIRECTS = 20
USER_AGENT = f"federation-broker/{__version__}"

ACCEPT = "application/json, */*;q=0.5"

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_NONE: Mapping[str, str] = {}
_T = TypeVar("_T")


class Failure(StrEnum):
    """Why there is no answer."""

    CONNECT = "connect"
    TIMEOUT = "timeout"
    TOO_LARGE = "too_large"
    REFUSED_URL = "refused_url"
    PROTOCOL = "protocol"
    CIRCUIT_OPEN = "circuit_open"


class HttpError(Exception):
    """No answer. The text is fit for a log: no URL, no credential, no body."""

    def __init__(self, kind: Failure, text: str) -> None:
        super().__init__(f"{kind}: {text}")
        self.kind = kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer, whatever its status. Header names are lower-case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)

    def json(self) -> object:
        """The body as JSON, strictly (RFC 8259). None when it is something else."""
        try:
            return cast("object", msgspec.json.decode(self.body))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return None


@dataclass(frozen=True, kw_only=True)
class HttpClient:
    """Requests over pooled connections. Share one; ``guarded()`` gives each provider its breaker."""

    network: Network = field(default_factory=Network)
    max_bytes: int = MAX_BYTES
    seconds: float | None = None
    """For a whole request, where the network's own limit is not meant."""
    breaker: Breaker | None = None

    def guarded(self) -> HttpClient:
        """The same connections behind a circuit breaker of their own."""
        return replace(self, breaker=Breaker(monotonic=self.network.monotonic))

    def patient(self, *, max_bytes: int, seconds: float) -> HttpClient:
        """The same connections, for large documents that nobody waits for."""
        return replace(self, max_bytes=max_bytes, seconds=seconds)

    def get(
        self, url: str, *, headers: Mapping[str, str] = _NONE, redirects: bool = True
    ) -> Answer:
        """GET. Redirects are followed; with an Authorization header, to the same origin only."""
        return self._guarded(lambda: self._get(url, headers, redirects=redirects))

    def post_form(
        self, url: str, form: Mapping[str, str], *, headers: Mapping[str, str] = _NONE
    ) -> Answer:
        """POST ``form``. Never redirected: it carries a code or a secret, and is not repeatable."""
        body = urlencode(form, errors="surrogateescape").encode()
        sent = {**headers, "Content-Type": "application/x-www-form-urlencoded"}
        return self._guarded(lambda: self._exchange("POST", _target(url), sent, body))

    def close(self) -> None:
        self.network.close()

    def _guarded(self, send: Callable[[], Answer]) -> Answer:
        breaker = self.breaker
        if breaker is not None and breaker.is_open:
            raise HttpError(Failure.CIRCUIT_OPEN, "this provider did not answer lately")
        try:
            with self.network.deadline(self.seconds):
                answer = send()
        except HttpError as error:
            if breaker is not None and error.kind in {Failure.CONNECT, Failure.TIMEOUT}:
                breaker.failed()
            raise
        if breaker is not None:
            breaker.answered()
        return answer

    def _get(self, url: str, headers: Mapping[str, str], *, redirects: bool) -> Answer:
        for _ in range(MAX_REDIRECTS):
            answer = self._get_once(_target(url), headers)
            location = answer.headers.get("location")
            if not redirects or answer.status not in _REDIRECTS or location is None:
                return answer
            url = _redirected(url, location, private="Authorization" in headers)
        raise HttpError(Failure.PROTOCOL, "too many redirects")

    def _get_once(self, to: Target, headers: Mapping[str, str]) -> Answer:
        """RFC 9110 9.2.2: a GET may be sent again when a kept connection turns out to be dead."""
        try:
            return self._exchange("GET", to, headers, b"")
        except HttpError as error:
            if not isinstance(error.__cause__, httpcore2.RemoteProtocolError | httpcore2.ReadError):
                raise
        return self._exchange("GET", to, headers, b"")

    def _exchange(self, method: str, to: Target, headers: Mapping[str, str], body: bytes) -> Answer:
        request = httpcore2.Request(
            method=method,
            url=httpcore2.URL(
                scheme=to.scheme.encode(), host=to.host.encode(), port=to.port, target=to.path
            ),
            headers=_headers(to, headers, body),
            content=body,
        )
        return _translated(lambda: self._answer(self.network.pool(to).handle_request(request)))

    def _answer(self, response: httpcore2.Response) -> Answer:
        try:
            body = self._body(cast("Iterable[bytes]", response.stream))
        finally:
            response.close()
        return Answer(
            status=response.status,
            headers={
                name.decode("latin-1").lower(): value.decode("latin-1")
                for name, value in response.headers
            },
            body=body,
        )

    def _body(self, chunks: Iterable[bytes]) -> bytes:
        """At most ``max_bytes``, in as many chunks as fit in there: no more is read."""
        parts: list[bytes] = []
        size = 0
        for chunk in chunks:
            parts.append(chunk)
            size += len(chunk)
            if max(size, len(parts) * MIN_CHUNK) > self.max_bytes:
                raise HttpError(
                    Failure.TOO_LARGE, f"more than {self.max_bytes} bytes, or as many tiny chunks"
                )
        return b"".join(parts)


def _headers(to: Target, headers: Mapping[str, str], body: bytes) -> list[tuple[str, str]]:
    """Ours and the caller's. Without an Accept-Encoding any coding would do (RFC 9110 12.5.3); with
    ``identity`` bodies come as they are, and the size limit means what it says."""
    if not all(value.isascii() for value in headers.values()):
        raise HttpError(Failure.PROTOCOL, "a header value that HTTP cannot carry")
    length = {"Content-Length": str(len(body))} if body else {}
    ours = {
        "Host": to.authority,
        "User-Agent": USER_AGENT,
        "Accept": ACCEPT,
        "Accept-Encoding": "identity",
    }
    return [*{**ours, **headers, **length}.items()]


def _target(url: str) -> Target:
    try:
        return target(url)
    except RefusedUrlError as error:
        raise HttpError(Failure.REFUSED_URL, str(error)) from error


def _redirected(url: str, location: str, *, private: bool) -> str:
    """Where a redirect leads: credentials stay with the origin they were meant for."""
    try:
        following = redirected(location, url)
    except RefusedUrlError as error:
        raise HttpError(Failure.REFUSED_URL, f"redirect: {error}") from error
    if private and _target(following).origin != _target(url).origin:
        raise HttpError(Failure.REFUSED_URL, "redirect to another host with a credential")
    return following


_KINDS: tuple[tuple[type[Exception], Failure], ...] = (
    (httpcore2.ConnectTimeout, Failure.CONNECT),
    (httpcore2.ConnectError, Failure.CONNECT),
    (httpcore2.ProxyError, Failure.CONNECT),
    (httpcore2.TimeoutException, Failure.TIMEOUT),
    (httpcore2.NetworkError, Failure.PROTOCOL),
    (httpcore2.ProtocolError, Failure.PROTOCOL),
    (httpcore2.UnsupportedProtocol, Failure.REFUSED_URL),
)


def _translated(send: Callable[[], _T]) -> _T:
    """``send()``, with the engine's exceptions turned into ours."""
    try:
        return send()
    except tuple(known for known, _ in _KINDS) as error:
        kind = next(kind for known, kind in _KINDS if isinstance(error, known))
        raise HttpError(kind, str(error) or type(error).__name__) from error
