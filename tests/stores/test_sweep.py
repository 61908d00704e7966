"""Expired rows go, all of them and nothing else, whoever else is at it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode

import pytest
import sqlalchemy as sa

from broker.model.stored import Kind
from broker.stores import sweeper
from broker.stores.engine import SqlEngine, make_engine
from broker.stores.migrate import migrate
from broker.stores.schema import seen, single_use
from broker.stores.sql_state import SqlState
from tests.kit.clock import ManualClock
from tests.kit.store_backends import empty

POOL = "eu-west-1_one"


@pytest.fixture
def state(sql: SqlEngine, clock: ManualClock) -> SqlState:
    return SqlState(sql, clock=clock)


def fill(sql: SqlEngine, clock: ManualClock, marks: int) -> None:
    """So many marks that have expired."""
    rows = (
        {"pool_id": POOL, "scope": "x", "digest": f"{number}", "expires_at": clock.now() - 1}
        for number in range(marks)
    )
    with sql.transaction() as connection:
        connection.each(sa.insert(seen), rows)


def left(sql: SqlEngine, table: sa.Table) -> int:
    return len(sql.read(sa.select(table.c.digest)))


def test_expired_rows_alone_are_removed(state: SqlState, clock: ManualClock) -> None:
    for lifetime in (10, 20):
        state.single_use.put(POOL, Kind.CODE, f"{lifetime}", b"", lifetime=lifetime)
        state.replay.first_time(POOL, "x", f"{lifetime}", until=clock.now() + lifetime)
    clock.advance(9)
    assert state.sweep() == 0
    clock.advance(1)
    assert state.sweep() == 2
    assert state.single_use.take(POOL, Kind.CODE, "20") == b""
    assert not state.replay.first_time(POOL, "x", "20", until=clock.now())


def test_it_goes_on_until_nothing_is_left(
    sql: SqlEngine, state: SqlState, clock: ManualClock
) -> None:
    rows = sweeper.BATCH * 2 + 1
    fill(sql, clock, rows)
    assert state.sweep() == rows
    assert left(sql, seen) == 0


def test_one_run_has_an_end(
    sql: SqlEngine, state: SqlState, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeper, "BATCH", 10)
    monkeypatch.setattr(sweeper, "BATCHES", 3)
    fill(sql, clock, 50)
    assert [state.sweep(), state.sweep(), state.sweep()] == [30, 20, 0]


def test_it_has_one_however_postgresql_goes_about_it(
    postgresql_url: str, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a nested loop, which it takes when it thinks that there is next to nothing in the table."""
    other_ways = ("hashjoin", "mergejoin", "hashagg", "sort", "material")
    plan = "".join(f" -c enable_{way}=off" for way in other_ways)
    sql = make_engine(f"{postgresql_url}?{urlencode({'options': plan.strip()})}")
    migrate(sql)
    state = SqlState(sql, clock=clock)
    monkeypatch.setattr(sweeper, "BATCH", 10)
    monkeypatch.setattr(sweeper, "BATCHES", 1)
    fill(sql, clock, 50)
    assert [state.sweep() for _ in range(6)] == [10, 10, 10, 10, 10, 0]
    state.close()


def test_several_workers_may_sweep_at_once(
    sql: SqlEngine, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeper, "BATCH", 50)
    fill(sql, clock, 2000)
    workers = [SqlState(sql, clock=clock) for _ in range(4)]
    with ThreadPoolExecutor(len(workers)) as threads:
        removed = list(threads.map(lambda worker: worker.sweep(), workers))
    assert sum(removed) == 2000
    assert left(sql, seen) == 0


def test_rows_that_another_worker_has_in_hand_are_passed_over(
    postgresql: SqlEngine, clock: ManualClock
) -> None:
    """Waiting for them would be waiting for its whole batch, and the other way round a deadlock."""
    empty(postgresql)
    state = SqlState(postgresql, clock=clock)
    fill(postgresql, clock, 3)
    with postgresql.transaction() as other:
        other.command("DELETE FROM seen WHERE digest = '1'")
        assert state.sweep() == 2
    assert left(postgresql, seen) == 0


def test_no_request_sweeps(sql: SqlEngine, state: SqlState, clock: ManualClock) -> None:
    """A login whose mark is kept must not fail at somebody else's garbage."""
    fill(sql, clock, 1)
    for number in range(600):
        state.single_use.put(POOL, Kind.CODE, f"{number}", b"", lifetime=300)
    assert (left(sql, single_use), left(sql, seen)) == (600, 1)
