"""PostgreSQL through psycopg, with a client that does not wait for ever.

A server that is gone refuses at once. One that hangs, or a network that swallows packets, would
keep a thread for minutes: so each connection has a deadline of its own for every answer.
"""

from __future__ import annotations

import select
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import sqlalchemy as sa
from psycopg.abc import RV, PQGen
from sqlalchemy import event
from sqlalchemy.pool import NullPool

from broker.stores.database import Database

_ANSWER_SECONDS = 1.5
_BULK_ANSWER_SECONDS = 30.0
"""For some rows of an import: whoever runs it would rather wait for a busy server than begin again."""
_CONNECT_SECONDS = 2
"""For each address of the server. psycopg takes less for two seconds as well."""
_TURN_SECONDS = 0.3
"""For a connection to come free. All are taken for longer only when the server hangs, and whoever waits
may have to connect after that: together it must stay near two seconds."""
_CONNECTIONS = 16


class ImpatientConnection(psycopg.Connection[Any]):
    """A connection that waits ``answer_seconds`` for an answer. Whoever borrowed it throws it away
    then: the answer may still come, and must not be taken for that to the next question."""

    answer_seconds = _ANSWER_SECONDS

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        return super().wait(gen, interval, self.answer_seconds if timeout is None else timeout)


def database(url: sa.URL) -> Database:
    engine = sa.create_engine(
        url.set(drivername="postgresql+psycopg"),
        poolclass=NullPool,
        connect_args={"connect_timeout": _CONNECT_SECONDS, "application_name": "broker"},
        isolation_level="AUTOCOMMIT",
        use_native_hstore=False,  # saves a query per connection
        hide_parameters=True,
    )
    event.listen(engine, "do_connect", _connect)
    return Database(
        engine=engine,
        begin="BEGIN",
        connections=_CONNECTIONS,
        patience=_TURN_SECONDS,
        bulk=_bulk,
        is_good=_is_good,
    )


def _connect(
    _dialect: sa.Dialect, _record: object, arguments: list[Any], parameters: dict[str, Any]
) -> ImpatientConnection:
    return ImpatientConnection.connect(*arguments, **parameters)


@contextmanager
def _bulk(connection: ImpatientConnection) -> Iterator[None]:
    """Locks are waited for no longer than ever: others wait for those that it has already."""
    connection.answer_seconds = _BULK_ANSWER_SECONDS
    connection.execute("BEGIN")
    connection.execute(f"SET LOCAL lock_timeout = {int(_ANSWER_SECONDS * 1000)}")
    yield
    connection.execute("COMMIT")
    connection.answer_seconds = _ANSWER_SECONDS


def _is_good(connection: psycopg.Connection[Any]) -> bool:
    """An idle connection has nothing to say; one that can be read was closed by the server. Asking
    the socket costs a microsecond, a round trip before each statement fifty."""
    return not connection.closed and not _readable(connection.fileno())


def _readable(descriptor: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))
