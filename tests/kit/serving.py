"""``broker serve`` as a process of its own, and plain HTTP towards it."""

from __future__ import annotations

import http.client
import os
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path
from typing import Any

import yaml

from tests.kit.servers import free_port, wait_until

BROKER = str(Path(sys.executable).with_name("broker"))


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Message = field(repr=False)
    body: bytes = field(repr=False)


@dataclass
class Serving:
    """A running ``broker serve``."""

    process: subprocess.Popen[bytes]
    port: int
    config: Path
    log: Path
    tls: bool = False

    def get(self, path: str, *, host: str | None = None, timeout: float = 10) -> Reply:
        return self.request(
            "GET", path, headers={} if host is None else {"Host": host}, timeout=timeout
        )

    def request(
        self,
        method: str,
        path: str,
        body: str | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = 10,
    ) -> Reply:
        connection = self._connection(timeout)
        try:
            with suppress(BrokenPipeError):  # a server may answer before it has read it all
                connection.request(method, path, body, dict(headers or {}))
            response = connection.getresponse()
            return Reply(response.status, response.headers, response.read())
        finally:
            connection.close()

    def _connection(self, timeout: float) -> http.client.HTTPConnection:
        if not self.tls:
            return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=timeout, context=context)

    def write_config(self, document: Mapping[str, Any]) -> None:
        self.config.write_text(yaml.safe_dump(document))

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def workers(self) -> list[int]:
        """The processes that it started, by their ids."""
        pid = self.process.pid
        return sorted(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))

    def logged(self, event: str) -> bool:
        return f'"event": "{event}"' in self.log.read_text()


@contextmanager
def serving(
    folder: Path,
    document: Mapping[str, Any],
    *,
    certs: Path,
    port: int | None = None,
    workers: int = 1,
    environ: Mapping[str, str] | None = None,
    tls: tuple[Path, Path] | None = None,
    options: Sequence[str] = (),
    program: Sequence[str] = (BROKER,),
) -> Iterator[Serving]:
    """Serve ``document`` until the block ends; healthy when the block begins."""
    port = port or free_port()
    config, log = folder / "broker.yaml", folder / "broker.log"
    config.write_text(yaml.safe_dump(document))
    command = [
        *program,
        "serve",
        "--config",
        str(config),
        "--port",
        str(port),
        "--workers",
        str(workers),
    ]
    if tls is not None:
        command += ["--tls-cert", str(tls[0]), "--tls-key", str(tls[1])]
    command += options
    environment = {
        **os.environ,
        "BROKER_STATE_DIR": str(folder / "var"),
        "BROKER_CERTS_DIR": str(certs),
        "BROKER_LOG": "json",
        **(environ or {}),
    }
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
    running = Serving(process, port, config, log, tls is not None)
    try:
        wait_until(lambda: _healthy(running), "broker serve")
        yield running
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=30)


def _healthy(running: Serving) -> None:
    assert running.process.poll() is None, running.log.read_text()
    assert running.get("/health", timeout=2).status == 200
