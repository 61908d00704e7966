"""SQLite as a database of several threads and processes on one machine.

Write-ahead log: readers never wait. ``synchronous=NORMAL``: a crash of the broker loses nothing; a
loss of power may take the last moments with it, for which every write is spared a flush to disk.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.pool import NullPool

from broker.model.errors import ConfigurationError, StoreUnavailableError
from broker.stores.database import Database
from broker.stores.locks import file_lock

_BEGIN = "BEGIN IMMEDIATE"
"""Take the write lock first: two readers that both want to write would refuse each other."""

_BUSY_SECONDS = 1.0
"""For another process that writes."""
_BULK_BUSY_SECONDS = 5.0
"""The same for an import, beside another one or a busy broker. Ctrl-C is not heard meanwhile."""
_CONNECTIONS = 8
_LOG_PAGES = 4000
"""Of 4 KiB, which the log may have before they are written back and the disk is flushed. Sign-ins touch the
same few pages again and again, so at four times the default each is written a fraction as often."""


class Turn:
    """One writer at a time is SQLite's rule. Threads queue for it here, which is fairer and cheaper
    than SQLite's own way of waiting, and leave that to processes."""

    def __init__(self) -> None:
        self._lock = Lock()

    def __enter__(self) -> None:
        if not self._lock.acquire(timeout=_BUSY_SECONDS):
            raise StoreUnavailableError("sqlite: other writers take too long")

    def __exit__(self, *error: object) -> None:
        self._lock.release()


def database(url: sa.URL) -> Database:
    """Raises ``ConfigurationError``, and ``StoreUnavailableError`` while others have it locked."""
    _prepare(_path(url))
    engine = sa.create_engine(
        url,
        poolclass=NullPool,
        connect_args={
            "isolation_level": None,  # the driver's autocommit
            "check_same_thread": False,  # one thread at a time has a connection
            "timeout": _BUSY_SECONDS,
        },
        hide_parameters=True,
    )
    event.listen(engine, "connect", _set_up)
    return Database(
        engine=engine,
        begin=_BEGIN,
        connections=_CONNECTIONS,
        patience=_BUSY_SECONDS,
        turn=Turn(),
        bulk=_bulk,
    )


def _path(url: sa.URL) -> Path:
    if url.database in (None, "", ":memory:"):
        raise ConfigurationError(("database URL: SQLite needs a file: its processes share it",))
    return Path(str(url.database))


def _prepare(path: Path) -> None:
    """A file for the owner alone, in WAL mode. Under a lock, because SQLite does not wait for
    another process that switches a new database to WAL at the same moment, but fails."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with file_lock(path.with_name(f"{path.name}.lock")):
            path.touch(mode=0o600)
            connection = sqlite3.connect(path, timeout=_BUSY_SECONDS)
            connection.execute("PRAGMA journal_mode=WAL")
            connection.close()
    except sqlite3.Error as error:
        if is_busy(error):
            raise StoreUnavailableError(f"sqlite: {path}: {error}") from error
        raise _unusable(path, str(error)) from error
    except OSError as error:
        raise _unusable(Path(error.filename or path), str(error.strerror)) from error


def is_busy(error: sqlite3.Error) -> bool:
    """Whether somebody else has it in hand, and will have done before long."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
    )


def _unusable(path: Path, reason: str) -> ConfigurationError:
    fault = (
        f"BROKER_DATABASE_URL: {path} cannot be used: {reason}. It must be a SQLite database that the "
        "user who runs this may write to; BROKER_STATE_DIR says where it is by default"
    )
    return ConfigurationError((fault,))


@contextmanager
def _bulk(connection: sqlite3.Connection) -> Iterator[None]:
    _set_busy_timeout(connection, _BULK_BUSY_SECONDS)
    connection.execute(_BEGIN)
    yield
    connection.execute("COMMIT")
    _set_busy_timeout(connection, _BUSY_SECONDS)


def _set_busy_timeout(connection: sqlite3.Connection, seconds: float) -> None:
    connection.execute(f"PRAGMA busy_timeout={int(seconds * 1000)}")


def _set_up(connection: Any, _record: object) -> None:
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute(f"PRAGMA wal_autocheckpoint={_LOG_PAGES}")
    connection.execute("PRAGMA foreign_keys=ON")
