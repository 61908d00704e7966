"""Real servers for a run, the same way the tests start them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.kit.servers import PostgresqlServer, RedisServer, Server


@contextmanager
def redis() -> Iterator[str]:
    with _running(RedisServer) as server:
        assert isinstance(server, RedisServer)
        yield server.url


@contextmanager
def postgresql() -> Iterator[str]:
    with _running(PostgresqlServer) as server:
        assert isinstance(server, PostgresqlServer)
        yield server.new_database()


@contextmanager
def _running(make: type[Server]) -> Iterator[Server]:
    # Not below a folder of ours: the user that PostgreSQL runs as must be able to reach it.
    directory = Path(tempfile.mkdtemp(prefix="broker-bench-"))
    directory.chmod(0o755)
    server = make(directory)
    try:
        server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(directory, ignore_errors=True)
