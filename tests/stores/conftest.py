"""Every store on everything it runs on, empty before each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from broker.stores.engine import SqlEngine, make_engine
from broker.stores.migrate import migrate
from tests.kit.clock import ManualClock
from tests.kit.servers import PostgresqlServer
from tests.kit.store_backends import State, empty, fake_redis, open_state


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def _migrated(url: str) -> Iterator[SqlEngine]:
    sql = make_engine(url)
    migrate(sql)
    yield sql
    sql.dispose()


@pytest.fixture(scope="session")
def sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlEngine]:
    yield from _migrated(f"sqlite:///{tmp_path_factory.mktemp('sqlite')}/broker.db")


@pytest.fixture(scope="session")
def postgresql(postgresql_server: PostgresqlServer) -> Iterator[SqlEngine]:
    yield from _migrated(postgresql_server.new_database())


@pytest.fixture(params=["sqlite", "postgresql"])
def sql(request: pytest.FixtureRequest) -> SqlEngine:
    engine: SqlEngine = request.getfixturevalue(request.param)
    empty(engine)
    return engine


@pytest.fixture(params=["sqlite", "postgresql", "redis", "fakeredis"])
def state_url(request: pytest.FixtureRequest) -> str:
    if request.param == "redis":
        return str(request.getfixturevalue("redis_url"))
    if request.param == "fakeredis":
        fake_redis("").flushall()
        return "fake:"
    engine: SqlEngine = request.getfixturevalue(request.param)
    empty(engine)
    return engine.url.render_as_string(hide_password=False)


@pytest.fixture
def state(state_url: str, clock: ManualClock) -> Iterator[State]:
    """The short-lived stores."""
    opened = open_state(state_url, clock)
    yield opened
    opened.close()
