"""The demo's own web servers: loopback sockets, one thread each, quiet.

A socket is bound before its application is made, so every URL is known before any server starts,
and no port can be lost in between.
"""

from __future__ import annotations

import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from types import TracebackType
from typing import TYPE_CHECKING

from werkzeug.serving import WSGIRequestHandler, make_server

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

LOOPBACK = "127.0.0.1"
_BELOW_EPHEMERAL = range(20_000, 32_000)
_TRIES = 50


class Listener:
    """A bound loopback socket that waits for its application."""

    def __init__(self) -> None:
        self._socket = socket.create_server((LOOPBACK, 0))

    @property
    def port(self) -> int:
        port: int = self._socket.getsockname()[1]
        return port

    def __enter__(self) -> Listener:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._socket.close()

    @contextmanager
    def serving(self, app: WSGIApplication) -> Iterator[None]:
        """Answer requests with ``app`` until the block ends; requests under way are not awaited."""
        server = make_server(
            LOOPBACK,
            self.port,
            app,
            threaded=True,
            request_handler=_QuietHandler,
            fd=self._socket.fileno(),
        )
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


class _QuietHandler(WSGIRequestHandler):
    """Without a line for each request: the demo tells its story itself."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


def free_port() -> int:
    """A port for another process to bind.

    Below the ports that the system gives to outgoing connections, so that none of those takes it
    between this look and that process's start.
    """
    for _ in range(_TRIES):
        port = secrets.choice(_BELOW_EPHEMERAL)
        try:
            socket.create_server((LOOPBACK, port)).close()
        except OSError:
            continue
        return port
    raise OSError(f"None of {_TRIES} ports on {LOOPBACK} was free.")
