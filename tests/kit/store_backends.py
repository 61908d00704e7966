"""The stores on each thing they run on, by the URL of that thing: ``sqlite:``, ``postgresql:``,
``redis:``, and ``fake:`` for a Redis in the process."""

from __future__ import annotations

from typing import Any

from broker.ports import Clock
from broker.stores.engine import SqlEngine, make_engine
from broker.stores.redis import RedisState
from broker.stores.schema import metadata
from broker.stores.sql_state import SqlState

State = RedisState | SqlState


def fake_redis(_url: str) -> Any:
    """A client of the one Redis in this process."""
    import fakeredis  # slow to import, and of no use to processes that race

    return fakeredis.FakeRedis(host="the same for every client")


def open_state(url: str, clock: Clock) -> State:
    if url.startswith("fake:"):
        return RedisState(url, clock=clock, connect=fake_redis)
    if url.startswith("redis:"):
        return RedisState(url, clock=clock)
    return SqlState(make_engine(url), clock=clock)


def empty(sql: SqlEngine) -> None:
    with sql.transaction() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.command(f"DELETE FROM {table.name}")


def dump_sql(sql: SqlEngine) -> str:
    """All that is in the tables."""
    return repr([sql.read(table.select()) for table in metadata.sorted_tables])


def dump_redis(client: Any) -> str:
    """All that is in a Redis: every key, and every value."""
    found = []
    for key in client.keys("*"):
        value = client.zrange(key, 0, -1) if client.type(key) == b"zset" else client.get(key)
        found.append((key, value))
    return repr(found)
