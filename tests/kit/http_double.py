"""A small HTTP server on loopback for tests: a function from request to reply, or to bytes on a socket.

It keeps connections alive as real servers do, remembers what it was asked, and can misbehave below HTTP:
a ``Raw`` reply writes to the socket itself, slowly or never.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request as it arrived. Header names are lower-case."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))


@dataclass(frozen=True, kw_only=True)
class Reply:
    """A well-formed answer."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


Raw = Callable[[socket.socket], None]
"""Writes whatever it likes; the connection is closed afterwards."""

Application = Callable[[Asked], Reply | Raw]


def as_json(value: Any, status: int = 200, **headers: str) -> Reply:
    return Reply(
        status=status,
        body=json.dumps(value).encode(),
        headers={"Content-Type": "application/json", **headers},
    )


def html(status: int = 200) -> Reply:
    body = b"<!doctype html><title>Oops</title><p>secret-detail-of-the-provider"
    return Reply(status=status, body=body, headers={"Content-Type": "text/html"})


def redirect(location: str, status: int = 302) -> Reply:
    return Reply(status=status, headers={"Location": location})


class HttpDouble:
    """Use as a context manager; ``url`` is its base URL, ``asked`` what it was asked so far."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self.asked: list[Asked] = []
        self.over = threading.Event()
        """Set when the test is over: what stalls waits for it instead of for a time."""
        double = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 30
            disable_nagle_algorithm = True

            def _answer(self) -> None:
                asked = _read(self)
                double.asked.append(asked)
                reply = double.application(asked)
                if isinstance(reply, Reply):
                    _write(self, reply)
                    return
                self.close_connection = True
                try:
                    reply(self.connection)
                except OSError:  # the client had enough
                    return

            do_GET = do_POST = _answer  # noqa: N815  # names of the base class

            def log_message(self, *_: Any) -> None:
                """Nothing on stderr."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

            def handle_error(self, *_: Any) -> None:
                """A client that hangs up is no news."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def count(self, path: str) -> int:
        return sum(asked.path == path for asked in self.asked)

    def last(self, path: str) -> Asked:
        return [asked for asked in self.asked if asked.path == path][-1]

    def __enter__(self) -> HttpDouble:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self._server.shutdown()
        self._server.server_close()


def _read(handler: BaseHTTPRequestHandler) -> Asked:
    parts = urlsplit(handler.path)
    length = int(handler.headers.get("Content-Length") or 0)
    return Asked(
        method=handler.command,
        path=parts.path,
        query=dict(parse_qsl(parts.query, keep_blank_values=True)),
        headers={name.lower(): value for name, value in handler.headers.items()},
        body=handler.rfile.read(length),
    )


def _write(handler: BaseHTTPRequestHandler, reply: Reply) -> None:
    handler.send_response(reply.status)
    for name, value in reply.headers.items():
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(reply.body)))
    handler.end_headers()
    handler.wfile.write(reply.body)
