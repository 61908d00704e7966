"""How statements reach a database: lent connections, transactions, and failures.

Owns the one place where a driver's errors become ``StoreUnavailableError``. What differs between
the databases is in ``sqlite.py`` and ``postgresql.py``; what the statements say is the stores'
business.

Statements are SQLAlchemy Core, compiled once per engine, and run on the driver's own connection:
a read by key then costs a fifth of ``sqlalchemy.Connection.execute``. Drivers are in autocommit
mode: one statement is one transaction, and ``transaction()`` joins several.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar, cast

import sqlalchemy as sa
from sqlalchemy.sql.compiler import SQLCompiler

from broker.model.errors import ConfigurationError, StoreUnavailableError
from broker.stores import postgresql, sqlite
from broker.stores.connections import Connections, NoneFreeError
from broker.stores.database import Database
from broker.stores.schema import users

Row = tuple[Any, ...]

_AT_ONCE = 50
"""Rows that a server is sent in one go, and so has the time of one answer for."""
_LARGE = "broker_large"

Statement = TypeVar("Statement", bound=sa.Executable)


def large(statement: Statement) -> Statement:
    """Mark a statement that carries megabytes: no connection keeps a cursor for it, since psycopg's
    holds the parameters and rows of its last execution, which are twice as large on the wire."""
    return statement.execution_options(**{_LARGE: True})


@dataclass(frozen=True, slots=True)
class Compiled:
    """A statement as a driver wants it: SQL, the constants it was written with, the order of its
    parameters where the driver takes them by position, whether there are rows to fetch (psycopg
    describes every column to answer that), and whether it is ``large``."""

    sql: str
    constants: Mapping[str, object]
    order: tuple[str, ...] | None
    has_rows: bool
    is_large: bool

    def arrange(self, parameters: Mapping[str, object]) -> Any:
        values = {**self.constants, **parameters} if self.constants else parameters
        return values if self.order is None else [values[name] for name in self.order]


class Statements:
    """What has been compiled for one dialect. Statements are module-level, so this cannot grow."""

    def __init__(self, dialect: sa.Dialect) -> None:
        self._dialect = dialect
        self._compiled: dict[sa.ClauseElement, Compiled] = {}

    def __getitem__(self, statement: sa.ClauseElement) -> Compiled:
        found = self._compiled.get(statement)
        return found or self._compiled.setdefault(statement, self._compile(statement))

    def _compile(self, statement: sa.ClauseElement) -> Compiled:
        compiled = cast("SQLCompiler", statement.compile(dialect=self._dialect))
        constants = {name: value for name, value in compiled.params.items() if value is not None}
        order = compiled.positiontup
        return Compiled(
            sql=compiled.string,
            constants=constants,
            order=None if order is None else tuple(order),
            has_rows=_has_rows(statement),
            is_large=isinstance(statement, sa.Executable)
            and _LARGE in statement.get_execution_options(),
        )


def _has_rows(statement: sa.ClauseElement) -> bool:
    """All have but those that change rows and have no RETURNING."""
    return not isinstance(statement, sa.UpdateBase) or len(statement.exported_columns) > 0


class Connection:
    """A driver's connection, and a cursor for each statement that it has run: what psycopg finds out
    about the parameters of a statement stays in its cursor, and a third of the cost of a read is that."""

    def __init__(self, driver: Any, statements: Statements) -> None:
        self.driver = driver
        self._statements = statements
        self._cursors: dict[sa.ClauseElement, Any] = {}

    def command(self, sql: str) -> None:
        self.driver.execute(sql)

    def all(self, statement: sa.ClauseElement, /, **parameters: object) -> list[Row]:
        """Every row that ``statement`` selects or returns."""
        compiled = self._statements[statement]
        cursor = self._cursors.get(statement) or self._new_cursor(statement)
        cursor.execute(compiled.sql, compiled.arrange(parameters))
        if compiled.is_large:
            del self._cursors[statement]
        return cursor.fetchall() if compiled.has_rows else []

    def _new_cursor(self, statement: sa.ClauseElement) -> Any:
        return self._cursors.setdefault(statement, self.driver.cursor())

    def one(self, statement: sa.ClauseElement, /, **parameters: object) -> Row | None:
        """The first row, for a statement that has at most one."""
        rows = self.all(statement, **parameters)
        return rows[0] if rows else None

    def each(self, statement: sa.ClauseElement, rows: Iterable[Mapping[str, object]]) -> int:
        """Run ``statement`` for each of ``rows``; how many rows of the table it changed."""
        compiled = self._statements[statement]
        cursor = self._cursors.get(statement) or self._new_cursor(statement)
        changed, left = 0, iter(rows)
        while piece := [compiled.arrange(row) for row in islice(left, _AT_ONCE)]:
            cursor.executemany(compiled.sql, piece)
            changed += max(0, int(cursor.rowcount))
        return changed

    def close(self) -> None:
        """Cursors first: SQLite's connection lives on, with its lock, while one of them is in the middle
        of a statement, and the traceback of what failed there may be kept for long."""
        try:
            for cursor in self._cursors.values():
                cursor.close()
        finally:
            self.driver.close()


class _Loan:
    """One connection for one ``with`` block, thrown away after any failure: closing it undoes what
    was begun, and a broken one serves nobody else.

    A class, because ``contextmanager`` costs as much as the rest of a loan.
    """

    __slots__ = ("_connection", "_connections", "_unavailable")

    def __init__(
        self,
        connections: Connections[Connection],
        unavailable: Callable[[BaseException], StoreUnavailableError | None],
    ) -> None:
        self._connections = connections
        self._unavailable = unavailable

    def __enter__(self) -> Connection:
        try:
            self._connection = self._connections.take()
        except Exception as error:
            if unavailable := self._unavailable(error):
                raise unavailable from error
            raise
        return self._connection

    def __exit__(self, _: object, error: BaseException | None, trace: object) -> None:
        if error is None:
            self._connections.give_back(self._connection)
            return
        self._connections.discard(self._connection)
        if unavailable := self._unavailable(error):
            raise unavailable from error


class SqlEngine:
    """The database as the stores see it. Safe among threads; not to be kept across a fork."""

    def __init__(self, database: Database) -> None:
        self._engine = database.engine
        self._begin = database.begin
        self._turn = database.turn
        self._bulk = database.bulk
        statements = Statements(self._engine.dialect)
        self._connections = Connections(
            lambda: Connection(database.connect(), statements),
            at_most=database.connections,
            patience=database.patience,
            is_good=lambda connection: database.is_good(connection.driver),
        )
        self._failures = (
            self._engine.dialect.loaded_dbapi.Error,
            sa.exc.DBAPIError,  # while connecting
            NoneFreeError,
        )

    @property
    def url(self) -> sa.URL:
        return self._engine.url

    @property
    def is_server(self) -> bool:
        """Whether processes of other machines may use the same database."""
        return self.url.get_backend_name() != "sqlite"

    def read(self, statement: sa.ClauseElement, /, **parameters: object) -> list[Row]:
        """One statement that changes nothing."""
        with self._lent() as connection:
            return connection.all(statement, **parameters)

    def read_one(self, statement: sa.ClauseElement, /, **parameters: object) -> Row | None:
        with self._lent() as connection:
            return connection.one(statement, **parameters)

    def write(self, statement: sa.ClauseElement, /, **parameters: object) -> list[Row]:
        """One statement that changes rows, and what it returns; committed when this returns."""
        with self._turn, self._lent() as connection:
            return connection.all(statement, **parameters)

    def write_one(self, statement: sa.ClauseElement, /, **parameters: object) -> Row | None:
        with self._turn, self._lent() as connection:
            return connection.one(statement, **parameters)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Several statements as one; an exception undoes them all."""
        with self._turn, self._lent() as connection:
            connection.command(self._begin)
            yield connection
            connection.command("COMMIT")

    @contextmanager
    def bulk_transaction(self) -> Iterator[Connection]:
        """``transaction`` for many rows, which waits longer for the database. The turn among threads is
        waited for as ever."""
        with self._turn, self._lent() as connection, self._bulk(connection.driver):
            yield connection

    def _lent(self) -> _Loan:
        return _Loan(self._connections, self._unavailable)

    def _unavailable(self, error: BaseException) -> StoreUnavailableError | None:
        """What a failure of the database is to its callers; None: it is another's."""
        if isinstance(error, self._failures):
            return StoreUnavailableError(f"{self._engine.dialect.name}: {error}")
        return None

    def ping(self) -> None:
        """Ask for something that is stored: SQLite says 1 whatever has become of its file. Raises
        ``StoreUnavailableError``."""
        self.read(_PING)

    def dispose(self) -> None:
        """Close all connections; the engine opens new ones when it is used again."""
        self._connections.close()


_PING = sa.select(users.c.enabled).limit(sa.literal_column("1"))


def make_engine(url: str) -> SqlEngine:
    """The engine for ``sqlite:///path`` or ``postgresql://...``. Call it after the fork."""
    parsed = _parsed(url)
    match parsed.get_backend_name():
        case "sqlite":
            return SqlEngine(sqlite.database(parsed))
        case "postgresql" | "postgres":
            return SqlEngine(postgresql.database(parsed))
        case other:
            raise ConfigurationError((f"database URL: {other} is neither sqlite nor postgresql",))


def _parsed(url: str) -> sa.URL:
    try:
        return sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError) as error:
        raise ConfigurationError((f"database URL: {error}",)) from error
