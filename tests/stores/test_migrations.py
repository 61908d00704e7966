"""From any database of the past to the schema of this version."""

from __future__ import annotations

import re
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.pool import NullPool

from broker.model.errors import ConfigurationError, StoreUnavailableError
from broker.stores.engine import SqlEngine, make_engine
from broker.stores.migrate import migrate
from broker.stores.schema import REVISION, metadata
from tests.kit.servers import PostgresqlServer


@contextmanager
def alembics(sql: SqlEngine) -> Iterator[sa.Connection]:
    """A connection of the kind that alembic wants."""
    with sa.create_engine(sql.url, poolclass=NullPool).begin() as connection:
        yield connection


def scripts() -> ScriptDirectory:
    configuration = Config()
    configuration.set_main_option("script_location", str(files("broker.stores") / "migrations"))
    return ScriptDirectory.from_config(configuration)


def test_the_schema_names_the_last_migration() -> None:
    assert scripts().get_current_head() == REVISION


def test_migrations_lead_to_the_schema(sql: SqlEngine) -> None:
    with alembics(sql) as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_keys_sort_by_code_point_on_both(sql: SqlEngine) -> None:
    """What the migration says of PostgreSQL's collation; alembic does not compare it."""
    if sql.url.get_backend_name() == "postgresql":
        query = "SELECT collation_name FROM information_schema.columns WHERE table_name = 'users'"
        with alembics(sql) as connection:
            names = set(connection.execute(sa.text(query)).scalars())
        assert names == {"C", None}


def test_a_database_that_is_up_to_date_needs_no_alembic(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/broker.db"
    program = (
        "import sys; from broker.stores.engine import make_engine; "
        "from broker.stores.migrate import migrate; "
        f"migrate(make_engine({url!r})); print('alembic' in sys.modules)"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for _ in range(2)
    ]
    assert runs == ["True", "False"]


def test_the_database_of_a_later_version_is_refused(tmp_path: Path) -> None:
    sql = make_engine(f"sqlite:///{tmp_path}/broker.db")
    migrate(sql)
    with sql.transaction() as connection:
        connection.command("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(ConfigurationError, match="9999"):
        migrate(sql)
    sql.dispose()


def test_a_migration_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    """A table in the way of a later one: the earlier ones are gone again, and a retry works."""
    sql = make_engine(f"sqlite:///{tmp_path}/broker.db")
    with sql.transaction() as connection:
        connection.command("CREATE TABLE users (name TEXT)")
    with pytest.raises(ConfigurationError, match=r"BROKER_DATABASE_URL.* users already exists"):
        migrate(sql)
    with sql.transaction() as connection:
        connection.command("DROP TABLE users")
    migrate(sql)
    sql.dispose()


def test_one_that_may_not_make_tables_is_told_so(
    postgresql_server: PostgresqlServer, postgresql_url: str
) -> None:
    role = f"reader_{uuid.uuid4().hex}"
    postgresql_server.execute(f"CREATE ROLE {role} LOGIN")
    sql = make_engine(re.sub("//.*@", f"//{role}@", postgresql_url))
    with pytest.raises(ConfigurationError, match=r"permission denied.* allowed to make tables"):
        migrate(sql)
    postgresql_server.execute(f"DROP ROLE {role}")


def test_a_database_that_another_process_holds_is_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("broker.stores.migrate._WAITING_SECONDS", 0)
    sql = make_engine(f"sqlite:///{tmp_path}/broker.db")
    with sql.transaction(), pytest.raises(StoreUnavailableError, match="locked"):
        migrate(sql)
    migrate(sql)
    sql.dispose()


def test_the_first_migration_can_be_undone(tmp_path: Path) -> None:
    from alembic import command

    sql = make_engine(f"sqlite:///{tmp_path}/broker.db")
    migrate(sql)
    configuration = Config()
    configuration.set_main_option("script_location", str(files("broker.stores") / "migrations"))
    with alembics(sql) as connection:
        configuration.attributes["connection"] = connection
        command.downgrade(configuration, "base")
        assert sa.inspect(connection).get_table_names() == ["alembic_version"]
    sql.dispose()
