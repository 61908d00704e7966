"""Brings a database to the schema of this version, when the broker starts.

Broker processes that start together wait for each other. A database that is up to date is
recognised by one query, without alembic, which takes longer to import than all the rest.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from broker.model.errors import ConfigurationError, StoreUnavailableError
from broker.stores.engine import SqlEngine
from broker.stores.schema import REVISION

_LOCKS = {
    "sqlite": "BEGIN EXCLUSIVE",
    "postgresql": "SELECT pg_advisory_xact_lock(5201314159265)",
}
_WAITING_SECONDS = 60
"""For another process's migration."""


def migrate(sql: SqlEngine) -> None:
    """Raises ``StoreUnavailableError``, and ``ConfigurationError`` for a database of a later
    version of the broker."""
    try:
        _migrate(_plain_engine(sql.url))
    except (sa.exc.DBAPIError, OSError) as error:
        raise StoreUnavailableError(f"migration: {error}") from error


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
        raise ConfigurationError((f"database: {error}",)) from error
