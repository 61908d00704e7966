"""Brings a database to the schema of this version, when the broker starts.

Broker processes that start together wait for each other. A database that is up to date is
recognised by one query, without alembic, which takes longer to import than all the rest.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from broker.model.errors import ConfigurationError, StoreUnavailableError
from broker.stores import sqlite
from broker.stores.engine import SqlEngine
from broker.stores.schema import REVISION

_LOCKS = {
    "sqlite": "BEGIN EXCLUSIVE",
    "postgresql": "SELECT pg_advisory_xact_lock(5201314159265)",
}
_WAITING_SECONDS = 60
"""For another process's migration."""


def migrate(sql: SqlEngine) -> None:
    """Raises ``StoreUnavailableError``, and ``ConfigurationError`` for a database that waiting does
    not mend: of a later version of the broker, or one that does not let it make its tables."""
    try:
        _migrate(_plain_engine(sql.url))
    except (sa.exc.DBAPIError, OSError) as error:
        reason = str(error).partition("\n")[0]
        if _is_away(error):
            raise StoreUnavailableError(f"database: {reason}") from error
        fault = (
            f"BROKER_DATABASE_URL: the tables cannot be made: {reason}. The database must be the "
            "broker's own, and its user allowed to make tables in it"
        )
        raise ConfigurationError((fault,)) from error


def _is_away(error: sa.exc.DBAPIError | OSError) -> bool:
    """Whether it may do later, as it is. SQLite calls everything an operational error."""
    cause = error.orig if isinstance(error, sa.exc.DBAPIError) else error
    if isinstance(cause, sqlite3.Error):
        return sqlite.is_busy(cause)
    return isinstance(error, sa.exc.OperationalError | OSError)


def _plain_engine(url: sa.URL) -> sa.Engine:
    """One without the deadlines of requests, and with transactions as alembic knows them."""
    sqlite = {"timeout": _WAITING_SECONDS, "isolation_level": None}
    return sa.create_engine(
        url,
        poolclass=NullPool,
        connect_args=sqlite if url.get_backend_name() == "sqlite" else {},
        hide_parameters=True,
    )


def _migrate(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        if _revision(connection) == REVISION:
            return
    with engine.begin() as connection:
        connection.exec_driver_sql(_LOCKS[engine.dialect.name])
        if _revision(connection) != REVISION:  # still: another process may have been first
            _upgrade(connection)


def _revision(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    return str(connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar())


def _upgrade(connection: sa.Connection) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    configuration = Config()
    configuration.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    configuration.attributes["connection"] = connection
    try:
        command.upgrade(configuration, "head")
    except CommandError as error:
        raise ConfigurationError((f"BROKER_DATABASE_URL: {error}",)) from error
