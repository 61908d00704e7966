"""A Redis that loses its replies: it reads a command, closes the connection and says nothing."""

from __future__ import annotations

import socket
from threading import Thread
from typing import Self

HANDSHAKE = (b"HELLO", b"CLIENT", b"SELECT")


class ForgetfulRedis:
    """``received`` are the commands it was sent, without those that open a connection."""

    def __init__(self) -> None:
        self.received: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = Thread(target=self._serve, daemon=True)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._listener.getsockname()[1]}/0"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                self._converse(connection)

    def _converse(self, connection: socket.socket) -> None:
        while sent := connection.recv(65536):
            commands = [part.split(b"\r\n")[2] for part in sent.split(b"*")[1:]]
            asked = [name for name in commands if name not in HANDSHAKE]
            self.received += asked
            if asked:
                return
            connection.sendall(b"+OK\r\n" * len(commands))
