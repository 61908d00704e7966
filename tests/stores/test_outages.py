"""A server that is gone or silent: a quick refusal, and service again when it is back."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa

from broker.model.errors import StoreUnavailableError
from broker.model.login import LoginSession
from broker.model.stored import Entry, Kind
from broker.stores.directory import SqlDirectory
from broker.stores.engine import make_engine
from broker.stores.grants import SqlGrants
from broker.stores.migrate import migrate
from broker.stores.redis import RedisState
from broker.stores.sql_state import SqlState
from tests.kit.clock import ManualClock
from tests.kit.forgetful_redis import ForgetfulRedis
from tests.kit.pools import user
from tests.kit.servers import PostgresqlServer, Server, free_port

POOL = "eu-west-1_one"

_SLOW_USERS = """
CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS
  $$BEGIN PERFORM pg_sleep(CASE NEW.username WHEN 'anna' THEN 1.7 ELSE 6 END); RETURN NEW; END$$;
CREATE TRIGGER slow BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION slow()
"""

Questions = tuple[Callable[[], object], ...]


def about_state(state: RedisState | SqlState, clock: ManualClock) -> Questions:
    def put() -> None:
        state.single_use.put(POOL, Kind.CODE, "key", b"value", lifetime=300)

    session = LoginSession(
        id="session",
        pool_id=POOL,
        sub="sub",
        username="anna",
        provider="CorpSAML",
        subject="anna",
        auth_time=int(clock.now()),
        expires_at=int(clock.now()) + 3600,
    )
    entry = Entry(kind=Kind.CODE, key="key", value=b"value", lifetime=300)
    return (
        state.ping,
        put,
        lambda: state.sessions.put(session, entry),
        lambda: state.single_use.take(POOL, Kind.CODE, "key"),
        lambda: state.single_use.spend(POOL, Kind.CODE, "key", remember=300),
        lambda: state.replay.first_time(POOL, "x", "key", until=clock.now() + 300),
        lambda: state.replay.seen(POOL, "x", "key"),
        lambda: state.sessions.get(POOL, "key"),
        lambda: state.sessions.end_for(POOL, "CorpSAML", "anna"),
    )


@pytest.fixture(params=["redis", "postgresql"])
def served(
    request: pytest.FixtureRequest, clock: ManualClock
) -> Iterator[tuple[Server, Questions]]:
    """A server, and questions that were answered once, so that connections are open."""
    if request.param == "redis":
        server: Server = request.getfixturevalue("redis_server")
        state: RedisState | SqlState = RedisState(request.getfixturevalue("redis_url"), clock=clock)
        questions = about_state(state, clock)
    else:
        server = request.getfixturevalue("postgresql_server")
        sql = make_engine(request.getfixturevalue("postgresql_url"))
        migrate(sql)
        state = SqlState(sql, clock=clock)
        grants, directory = SqlGrants(sql, clock=clock), SqlDirectory(sql)
        questions = (
            *about_state(state, clock),
            lambda: grants.find(POOL, "token"),
            lambda: grants.rotate(POOL, "old", "new", grace=0),
            lambda: directory.by_sub(POOL, "sub"),
            lambda: directory.delete(POOL, "sub"),
        )
    for ask in questions:
        ask()
    yield server, questions
    state.close()


def test_a_dead_server_refuses_and_is_used_again_when_it_is_back(
    served: tuple[Server, Questions],
) -> None:
    server, questions = served
    server.kill()
    try:
        for ask in questions:
            with pytest.raises(StoreUnavailableError):
                ask()
    finally:
        server.start()
    for ask in questions:
        ask()


def test_a_restart_between_two_questions_goes_unnoticed(served: tuple[Server, Questions]) -> None:
    """The pooled connection is found to be broken before a question is entrusted to it."""
    server, questions = served
    for ask in questions[:3]:
        server.kill()
        server.start()
        ask()


def test_a_silent_server_is_not_waited_for(served: tuple[Server, Questions]) -> None:
    """It is refused while it is still silent: it would be so until this test lets it speak."""
    server, questions = served
    server.freeze()
    try:
        for ask in questions[:2]:
            with pytest.raises(StoreUnavailableError):
                ask()
    finally:
        server.thaw()
    for ask in questions:
        ask()


def test_a_late_answer_is_not_taken_for_the_next_one(
    postgresql_server: PostgresqlServer, postgresql_url: str
) -> None:
    sql = make_engine(postgresql_url)
    with pytest.raises(StoreUnavailableError), sql.transaction() as connection:
        connection.command("SELECT pg_sleep(2)")
    assert sql.read(sa.text("SELECT 1")) == [(1,)]
    sql.dispose()


def test_an_import_waits_longer_than_a_sign_in(postgresql_url: str) -> None:
    """Nobody waits for it at a browser, and a busy server would end it half-way."""
    sql = make_engine(postgresql_url)
    migrate(sql)
    with sql.transaction() as connection:
        connection.command(_SLOW_USERS)
    anna, berta = (user(sub=name, username=name, identities=()) for name in ("anna", "berta"))
    assert SqlDirectory(sql).import_many([anna]) == []
    with pytest.raises(StoreUnavailableError):
        SqlDirectory(sql).create(berta)
    sql.dispose()


def test_nothing_listens(clock: ManualClock) -> None:
    nowhere = f"127.0.0.1:{free_port()}"
    with pytest.raises(StoreUnavailableError):
        RedisState(f"redis://{nowhere}/0", clock=clock).ping()
    with pytest.raises(StoreUnavailableError):
        make_engine(f"postgresql://broker@{nowhere}/broker").ping()
    with pytest.raises(StoreUnavailableError):
        migrate(make_engine(f"postgresql://broker@{nowhere}/broker"))


@pytest.mark.parametrize("verb", ["take", "spend", "first_time"])
def test_redis_is_asked_once(clock: ManualClock, verb: str) -> None:
    """A second try after a lost reply would call a good code unknown, or a login a replay."""
    with ForgetfulRedis() as server:
        state = RedisState(server.url, clock=clock)
        ask = {
            "take": lambda: state.single_use.take(POOL, Kind.CODE, "key"),
            "spend": lambda: state.single_use.spend(POOL, Kind.CODE, "key", remember=300),
            "first_time": lambda: state.replay.first_time(POOL, "x", "key", until=clock.now()),
        }[verb]
        with pytest.raises(StoreUnavailableError):
            ask()
        state.close()
    assert len(server.received) == 1
