"""Real Redis and PostgreSQL servers on free ports, in temporary directories, gone afterwards.

``redis_server`` and ``postgresql_server`` live as long as the test session (one each per xdist
worker); ``redis_url`` and ``postgresql_url`` hand a test an empty database of its own.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest
import redis

PATIENCE = 30.0
"""Seconds a server may take to start on a busy machine."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(ready: Callable[[], object], what: str) -> None:
    """Poll ``ready`` until it raises no more, neither a failure to connect nor a failed assertion."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            ready()
        except (AssertionError, OSError, redis.RedisError, psycopg.Error) as error:
            if time.monotonic() > deadline:
                raise TimeoutError(what) from error
            time.sleep(0.02)
        else:
            return


class Server:
    """A server process that can be stopped, frozen and started again on the same port."""

    user: str | None = None
    sudden_end = signal.SIGKILL

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        raise AssertionError("each server has its own command line")

    def ping(self) -> None:
        raise AssertionError("each server has its own question")

    def start(self) -> None:
        self._process = subprocess.Popen(
            self.command(),
            user=self.user,
            group=self.user,
            extra_groups=[] if self.user else None,
            cwd=self.directory,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_until(self.ping, type(self).__name__)

    def kill(self) -> None:
        """End it the hard way: what a client sees is a connection that broke."""
        if self._process is not None:
            self._process.send_signal(self.sudden_end)
            self.thaw()  # a frozen one would not hear of it
            self._process.wait()
            self._process = None

    def children(self) -> list[int]:
        assert self._process is not None
        pid = self._process.pid
        listed = Path(f"/proc/{pid}/task/{pid}/children").read_text()
        return [pid, *map(int, listed.split())]

    def freeze(self) -> None:
        """Keep the port open and the connections up, and answer nothing."""
        self._signal_all(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal_all(signal.SIGCONT)

    def _signal_all(self, sign: signal.Signals) -> None:
        for pid in self.children():
            with suppress(ProcessLookupError):  # a connection that has just ended took it along
                os.kill(pid, sign)


class RedisServer(Server):
    """Keeps nothing on disk."""

    def command(self) -> list[str]:
        where = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.directory)]
        return ["redis-server", *where, "--save", "", "--appendonly", "no", "--databases", "4"]

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def ping(self) -> None:
        with redis.Redis.from_url(self.url, retry=None) as client:
            client.ping()


class PostgresqlServer(Server):
    """Without fsync: the data need not outlive the machine."""

    sudden_end = signal.SIGQUIT  # takes its child processes along, and no time for good-byes

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.binaries = max(Path("/usr/lib/postgresql").glob("*/bin"))
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            self.user = "postgres"
            shutil.chown(directory, "postgres", "postgres")
        self.owner = self.user or pwd.getpwuid(os.geteuid()).pw_name
        self.data = directory / "data"
        self._initialise()

    def _initialise(self) -> None:
        options = ["--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8"]
        subprocess.run(
            [self.binaries / "initdb", f"--username={self.owner}", *options, self.data],
            user=self.user,
            group=self.user,
            extra_groups=[] if self.user else None,
            cwd=self.directory,
            stdout=subprocess.DEVNULL,
            check=True,
        )

    def command(self) -> list[str]:
        settings = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": self.directory,
            "fsync": "off",
            "full_page_writes": "off",
            "max_connections": 200,
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [str(self.binaries / "postgres"), "-D", str(self.data), *options]

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://{self.owner}@127.0.0.1:{self.port}/{database}"

    def ping(self) -> None:
        psycopg.connect(self.url()).close()

    def execute(self, statement: str) -> None:
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(statement)

    def new_database(self) -> str:
        name = f"broker_{uuid.uuid4().hex}"
        self.execute(f"CREATE DATABASE {name}")
        return self.url(name)


def _temporary_directory() -> Path:
    """Not pytest's own: its parents are closed to the user that PostgreSQL runs as."""
    directory = Path(tempfile.mkdtemp(prefix="broker-test-"))
    directory.chmod(0o755)
    return directory


def _running(make: Callable[[Path], Server]) -> Iterator[Server]:
    directory = _temporary_directory()
    server = make(directory)
    try:
        server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def redis_server() -> Iterator[Server]:
    yield from _running(RedisServer)


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[Server]:
    yield from _running(PostgresqlServer)


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """A Redis without a key."""
    with redis.Redis.from_url(redis_server.url) as client:
        client.flushall()
    return redis_server.url


@pytest.fixture
def postgresql_url(postgresql_server: PostgresqlServer) -> Iterator[str]:
    """A PostgreSQL database without a table."""
    url = postgresql_server.new_database()
    yield url
    name = url.rpartition("/")[2]
    postgresql_server.execute(f"DROP DATABASE {name} WITH (FORCE)")
