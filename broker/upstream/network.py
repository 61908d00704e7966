"""Sockets with one deadline: connections, their pools, proxies and trust.

The HTTP engine knows timeouts per read; a server that sends a byte a second never breaks one. So
every read, write, handshake and name look-up here asks how much of the *request's* time is left.
Which requests are made, and what their answers mean, is the business of ``http.py``.
"""

from __future__ import annotations

import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies_environment, proxy_bypass

import httpcore2

from broker.model.urls import is_loopback
from broker.upstream.urls import Target

CONNECT_SECONDS = 2.0
TOTAL_SECONDS = 5.0
KEEPALIVE_SECONDS = 4.0
"""Below the five seconds after which Node's servers drop an idle connection: a request sent into a
connection that is being closed is lost, and a token request cannot be repeated."""

_LOOPBACK = ("127.0.0.1", "::1")


class Budget(threading.local):
    """What is left of the time of the request this thread is making."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._until = float("inf")

    def now(self) -> float:
        return self._monotonic()

    def start(self, seconds: float) -> None:
        self._until = self._monotonic() + seconds

    def left(self, spent: type[httpcore2.TimeoutException]) -> float:
        """Seconds, more than none. Raises ``spent``."""
        seconds = self._until - self._monotonic()
        if seconds <= 0:
            raise spent("the time for this request is spent")
        return seconds


class _Stream(httpcore2.NetworkStream):
    """A connection on which every operation ends with the request's time."""

    def __init__(self, inner: httpcore2.NetworkStream, budget: Budget, connect: float) -> None:
        self._inner = inner
        self._budget = budget
        self._connect = connect

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002  # the interface's; the budget decides
        return self._inner.read(max_bytes, self._budget.left(httpcore2.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002  # the interface's; the budget decides
        self._inner.write(buffer, self._budget.left(httpcore2.WriteTimeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002  # the interface's; the budget decides
    ) -> httpcore2.NetworkStream:
        seconds = min(self._connect, self._budget.left(httpcore2.ConnectTimeout))
        secure = self._inner.start_tls(ssl_context, server_hostname, seconds)
        return _Stream(secure, self._budget, self._connect)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _Backend(httpcore2.NetworkBackend):
    """Opens connections within the smaller of the connect time and the request's time."""

    def __init__(self, budget: Budget, connect: float) -> None:
        self._inner = httpcore2.SyncBackend()
        self._budget = budget
        self._connect = connect

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002  # the interface's; the budget decides
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        seconds = min(self._connect, self._budget.left(httpcore2.ConnectTimeout))
        until = self._budget.now() + seconds
        addresses = _addresses(host, port, seconds)
        for tries_left in range(len(addresses), 0, -1):
            # Each address gets its share, so that a dead first one leaves time for the others.
            share = max((until - self._budget.now()) / tries_left, 0.001)
            try:
                stream = self._inner.connect_tcp(
                    addresses[-tries_left], port, share, local_address, socket_options
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                if tries_left == 1:
                    raise
            else:
                return _Stream(stream, self._budget, self._connect)
        raise httpcore2.ConnectError("the name has no address")


def _addresses(host: str, port: int, seconds: float) -> tuple[str, ...]:
    """The addresses of ``host``; loopback names are loopback, whatever a resolver says."""
    if is_loopback(host):
        return (host,) if host in _LOOPBACK else _LOOPBACK
    # The resolver takes no timeout: it gets a thread of its own, which is left behind when late.
    answers: queue.SimpleQueue[tuple[str, ...] | OSError] = queue.SimpleQueue()
    threading.Thread(target=_resolve, args=(host, port, answers), daemon=True).start()
    try:
        answer = answers.get(timeout=seconds)
    except queue.Empty:
        raise httpcore2.ConnectTimeout("the name was not resolved in time") from None
    if isinstance(answer, OSError):
        raise httpcore2.ConnectError("the name does not resolve") from answer
    return answer


def _resolve(host: str, port: int, answers: queue.SimpleQueue[tuple[str, ...] | OSError]) -> None:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        answers.put(tuple(dict.fromkeys(str(entry[4][0]) for entry in found)))
    except OSError as error:
        answers.put(error)
    except UnicodeError as error:  # a label that is too long for a name
        answers.put(OSError(str(error)))


@cache
def _trust() -> ssl.SSLContext:
    """The machine's certificate authorities (or ``SSL_CERT_FILE``), read once per process."""
    return httpcore2.default_ssl_context()


@dataclass(frozen=True, kw_only=True)
class Network:
    """Pooled connections, one pool per scheme and proxy. ``monotonic`` measures deadlines."""

    monotonic: Callable[[], float] = time.monotonic
    connect_seconds: float = CONNECT_SECONDS
    total_seconds: float = TOTAL_SECONDS
    proxies: dict[str, str] = field(default_factory=getproxies_environment)
    _pools: dict[tuple[str, str], httpcore2.ConnectionPool] = field(
        default_factory=dict, init=False, repr=False
    )
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)
    _budget: Budget = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_budget", Budget(self.monotonic))

    @contextmanager
    def deadline(self, seconds: float | None = None) -> Iterator[None]:
        """Everything this thread sends and reads inside has ``total_seconds`` together, or else
        ``seconds``."""
        self._budget.start(self.total_seconds if seconds is None else seconds)
        try:
            yield
        finally:
            self._budget.start(float("inf"))

    def pool(self, target: Target) -> httpcore2.ConnectionPool:
        """The connections that lead to ``target``."""
        key = (target.scheme, self._proxy(target))
        with self._lock:
            if key not in self._pools:
                self._pools[key] = self._new_pool(*key)
            return self._pools[key]

    def close(self) -> None:
        """Drop every idle connection."""
        with self._lock:
            for pool in self._pools.values():
                pool.close()

    def _proxy(self, target: Target) -> str:
        """The proxy that the environment names (``HTTPS_PROXY``, ``NO_PROXY`` ...), or ''."""
        proxy = self.proxies.get(target.scheme) or self.proxies.get("all") or ""
        if not proxy or is_loopback(target.host):
            return ""
        return "" if proxy_bypass(target.authority, self.proxies) else proxy

    def _new_pool(self, scheme: str, proxy: str) -> httpcore2.ConnectionPool:
        return httpcore2.ConnectionPool(
            ssl_context=_trust() if scheme == "https" else None,
            proxy=_proxy(proxy) if proxy else None,
            max_connections=None,  # the server's threads are the bound; waiting here would block others
            max_keepalive_connections=64,
            keepalive_expiry=KEEPALIVE_SECONDS,
            network_backend=_Backend(self._budget, self.connect_seconds),
        )


def _proxy(url: str) -> httpcore2.Proxy:
    parts = urlsplit(url if "://" in url else f"http://{url}")
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise httpcore2.ProxyError("the environment names a proxy that is not an http(s) URL")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    auth = (unquote(parts.username or ""), unquote(parts.password or ""))
    return httpcore2.Proxy(
        url=f"{parts.scheme}://{parts.hostname}:{port}/",
        auth=auth if parts.username else None,
        ssl_context=_trust() if parts.scheme == "https" else None,
    )
