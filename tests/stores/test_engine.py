"""How statements reach a database."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite as SQLiteDialect

from broker.model.errors import ConfigurationError, StoreUnavailableError
from broker.model.stored import Kind
from broker.stores.engine import Connection, SqlEngine, Statements, make_engine
from broker.stores.migrate import migrate
from broker.stores.schema import seen
from broker.stores.sql_state import SqlState
from tests.kit.clock import ManualClock
from tests.kit.store_backends import empty

POOL = "eu-west-1_one"
MARKS = sa.select(seen.c.digest)
INSERT = sa.insert(seen)
MARK = {"pool_id": POOL, "scope": "scope", "digest": "a", "expires_at": 1}


def insert_mark(digest: str) -> str:
    return f"INSERT INTO seen VALUES ('{POOL}', 'scope', '{digest}', 1)"


def insert_one(connection: Connection) -> object:
    return connection.all(INSERT, **MARK)


def insert_each(connection: Connection) -> object:
    return connection.each(INSERT, [MARK])


def insert_in_bulk(sql: SqlEngine) -> None:
    with sql.bulk_transaction() as connection:
        insert_each(connection)


def insert_twice(sql: SqlEngine, again: Callable[[Connection], object]) -> None:
    with sql.transaction() as connection:
        insert_one(connection)
        again(connection)


def insert_and_fail(sql: SqlEngine) -> None:
    with sql.transaction() as connection:
        connection.command(insert_mark("a"))
        raise KeyError


class TestTransaction:
    def test_what_it_did_stays(self, sql: SqlEngine) -> None:
        with sql.transaction() as connection:
            connection.command(insert_mark("a"))
        assert sql.read(MARKS) == [("a",)]

    def test_an_exception_undoes_it(self, sql: SqlEngine) -> None:
        with pytest.raises(KeyError):
            insert_and_fail(sql)
        assert sql.read(MARKS) == []

    def test_the_next_one_begins_afresh(self, sql: SqlEngine) -> None:
        with pytest.raises(KeyError):
            insert_and_fail(sql)
        with sql.transaction() as connection:
            connection.command(insert_mark("b"))
        assert sql.read(MARKS) == [("b",)]

    @pytest.mark.parametrize("again", [insert_one, insert_each])
    def test_after_a_statement_failed_others_can_write(
        self, sql: SqlEngine, again: Callable[[Connection], object]
    ) -> None:
        """Even while the traceback is kept, with all that its frames refer to."""
        with pytest.raises(StoreUnavailableError) as kept:
            insert_twice(sql, again)
        sql.write(sa.delete(seen))
        assert kept.tb is not None


class TestBulkTransaction:
    def test_what_it_did_stays(self, sql: SqlEngine) -> None:
        insert_in_bulk(sql)
        sql.dispose()  # what its connection alone can see would go with it
        assert sql.read(MARKS) == [("a",)]

    def test_an_exception_undoes_it(self, sql: SqlEngine) -> None:
        with pytest.raises(StoreUnavailableError), sql.bulk_transaction() as connection:
            connection.each(INSERT, [MARK, MARK])
        assert sql.read(MARKS) == []

    def test_sqlite_waits_longer_for_others_until_it_ends(self, sqlite: SqlEngine) -> None:
        patience = sa.text("PRAGMA busy_timeout")
        with sqlite.bulk_transaction() as connection:
            assert connection.all(patience) == [(5_000,)]
        with sqlite.transaction() as same:
            assert same.all(patience) == [(1_000,)]
        assert same is connection

    def test_postgresql_is_given_longer_to_answer_until_it_ends(
        self, postgresql: SqlEngine
    ) -> None:
        with postgresql.bulk_transaction() as connection:
            connection.command("SELECT pg_sleep(1.7)")
        with pytest.raises(StoreUnavailableError), postgresql.transaction() as same:
            same.command("SELECT pg_sleep(6)")
        assert same is connection

    def test_it_waits_no_longer_for_locks_on_postgresql(self, postgresql: SqlEngine) -> None:
        """Whoever needs what it has locked already would wait as long."""
        empty(postgresql)
        with postgresql.transaction() as other:
            insert_one(other)
            with pytest.raises(StoreUnavailableError) as raised:
                insert_in_bulk(postgresql)
        assert isinstance(raised.value.__cause__, psycopg.errors.LockNotAvailable)


class Counting:
    """A driver's connection and its cursor: how many rows it is given at once."""

    rowcount = 0

    def __init__(self) -> None:
        self.given: list[int] = []

    def cursor(self) -> Counting:
        return self

    def executemany(self, _: str, rows: list[object]) -> None:
        self.given.append(len(rows))
        self.rowcount = len(rows) - 1


@pytest.mark.parametrize(
    ("rows", "given"), [(0, []), (1, [1]), (50, [50]), (51, [50, 1]), (120, [50, 50, 20])]
)
def test_many_rows_are_sent_a_few_at_a_time(rows: int, given: list[int]) -> None:
    """A server has the time of one answer for what it is sent at once, however much that is."""
    driver = Counting()
    connection = Connection(driver, Statements(SQLiteDialect()))
    columns = {"pool_id": POOL, "scope": "x", "digest": "d", "expires_at": 1.0}
    changed = connection.each(sa.insert(seen), (columns for _ in range(rows)))
    assert driver.given == given
    assert changed == rows - len(given)


def test_threads_share_an_engine(sql: SqlEngine, clock: ManualClock) -> None:
    """More of them than there are connections."""
    state = SqlState(sql, clock=clock)

    def put_and_take(number: int) -> bytes | None:
        state.single_use.put(POOL, Kind.CODE, f"{number}", b"%d" % number, lifetime=300)
        return state.single_use.take(POOL, Kind.CODE, f"{number}")

    with ThreadPoolExecutor(40) as threads:
        found = list(threads.map(put_and_take, range(400)))
    assert found == [b"%d" % number for number in range(400)]


class TestSqlite:
    def test_the_file_is_for_its_owner_alone(self, tmp_path: Path) -> None:
        sql = make_engine(f"sqlite:///{tmp_path}/state/broker.db")
        with sql.transaction() as connection:
            connection.command("CREATE TABLE t (x)")
        files = list((tmp_path / "state").iterdir())
        assert {path.name for path in files} >= {"broker.db", "broker.db-wal"}
        assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
        assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700
        sql.dispose()

    def test_a_writer_does_not_wait_for_readers(self, sqlite: SqlEngine) -> None:
        """Without its log, SQLite could not commit before every reader is through."""
        empty(sqlite)
        with closing(sqlite3.connect(str(sqlite.url.database), isolation_level=None)) as reader:
            reader.execute("BEGIN")
            assert reader.execute("SELECT * FROM seen").fetchall() == []
            with sqlite.transaction() as connection:
                connection.command(insert_mark("a"))
            assert reader.execute("SELECT * FROM seen").fetchall() == []
        assert sqlite.read(MARKS) == [("a",)]

    def test_a_database_that_stays_locked_is_unavailable(self, tmp_path: Path) -> None:
        url = f"sqlite:///{tmp_path}/broker.db"
        other_process, ours = make_engine(url), make_engine(url)
        with (
            other_process.transaction(),
            pytest.raises(StoreUnavailableError, match="locked"),
            ours.transaction(),
        ):
            pass
        with ours.transaction() as connection:
            connection.command("CREATE TABLE t (x)")
        for engine in (other_process, ours):
            engine.dispose()

    def test_a_thread_does_not_queue_for_ever(self, sqlite: SqlEngine) -> None:
        with (
            sqlite.transaction(),
            ThreadPoolExecutor(1) as threads,
            pytest.raises(StoreUnavailableError, match="other writers"),
        ):
            threads.submit(sqlite.write, sa.delete(seen)).result()

    def test_a_directory_that_cannot_be_made_is_a_fault(self, tmp_path: Path) -> None:
        (tmp_path / "state").write_text("a file")
        with pytest.raises(ConfigurationError, match="state"):
            make_engine(f"sqlite:///{tmp_path}/state/broker.db")

    def test_a_damaged_file_is_unavailable(self, tmp_path: Path) -> None:
        """It still says which tables it has; they are not there."""
        file = tmp_path / "broker.db"
        sql = make_engine(f"sqlite:///{file}")
        migrate(sql)
        sql.ping()
        roots = sql.read(sa.text("SELECT rootpage FROM sqlite_schema WHERE rootpage > 0"))
        sql.dispose()  # which writes the log into the file
        with file.open("r+b") as opened:
            for (page,) in roots:
                opened.seek((page - 1) * 4096)
                opened.write(b"damaged!" * 512)
        for ask in (sql.ping, lambda: sql.read(MARKS), lambda: sql.write(sa.delete(seen))):
            with pytest.raises(StoreUnavailableError, match="malformed"):
                ask()
        sql.dispose()

    @pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
    def test_memory_is_refused(self, url: str) -> None:
        with pytest.raises(ConfigurationError, match="file"):
            make_engine(url)


@pytest.mark.parametrize("url", ["mysql://localhost/broker", "nonsense"])
def test_other_databases_are_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="database URL"):
        make_engine(url)


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_postgresql_goes_by_several_names(postgresql_url: str, scheme: str) -> None:
    sql = make_engine(postgresql_url.replace("postgresql", scheme, 1))
    assert sql.read(sa.text("SELECT 1")) == [(1,)]
    sql.dispose()
