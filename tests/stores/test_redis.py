"""What is Redis's own: how long it keeps things, and scripts it may have forgotten."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from broker.model.errors import ConfigurationError, StoreUnavailableError
from broker.model.login import LoginSession
from broker.model.stored import Entry, Kind
from broker.stores.redis import GARBAGE_SECONDS, RedisState
from tests.kit.clock import ManualClock

POOL = "eu-west-1_one"


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def state(redis_url: str, clock: ManualClock) -> Iterator[RedisState]:
    state = RedisState(redis_url, clock=clock)
    yield state
    state.close()


def session(number: int, *, lifetime: int, clock: ManualClock) -> LoginSession:
    now = int(clock.now())
    return LoginSession(
        id=f"session-{number}",
        pool_id=POOL,
        sub="sub",
        username="CorpSAML_anna",
        provider="CorpSAML",
        subject="anna",
        auth_time=now,
        expires_at=now + lifetime,
    )


def test_a_value_is_kept_a_little_longer_than_it_counts(
    state: RedisState, client: redis.Redis
) -> None:
    state.single_use.put(POOL, Kind.CODE, "key", b"value", lifetime=300)
    (key,) = client.keys("*")
    assert 300 < client.ttl(key) <= 300 + GARBAGE_SECONDS
    state.single_use.spend(POOL, Kind.CODE, "key", remember=900)
    assert 900 < client.ttl(key) <= 900 + GARBAGE_SECONDS


def test_a_value_kept_with_a_session_is_kept_as_long_as_by_itself(
    state: RedisState, client: redis.Redis, clock: ManualClock
) -> None:
    entry = Entry(kind=Kind.CODE, key="key", value=b"value", lifetime=300)
    state.sessions.put(session(1, lifetime=3600, clock=clock), entry)
    (key,) = client.keys("broker:code:*")
    assert 300 < client.ttl(key) <= 300 + GARBAGE_SECONDS


def test_an_index_outlives_the_longest_session_it_names(
    state: RedisState, client: redis.Redis, clock: ManualClock
) -> None:
    state.sessions.put(session(1, lifetime=3600, clock=clock))
    state.sessions.put(session(2, lifetime=60, clock=clock))
    (index,) = client.keys("broker:person:*")
    assert client.ttl(index) > 3600


def test_an_index_names_live_sessions_alone(
    state: RedisState, client: redis.Redis, clock: ManualClock
) -> None:
    """Somebody who signs in all day long must not make it grow."""
    for number in range(5):
        state.sessions.put(session(number, lifetime=60, clock=clock))
        clock.advance(30)
    (index,) = client.keys("broker:person:*")
    assert client.zcard(index) == 2


def test_scripts_that_the_server_forgot_are_sent_again(
    state: RedisState, client: redis.Redis, clock: ManualClock
) -> None:
    assert state.replay.first_time(POOL, "x", "key", until=clock.now() + 300)
    client.script_flush()
    assert not state.replay.first_time(POOL, "x", "key", until=clock.now() + 300)


def test_a_refusing_server_fails_closed(
    state: RedisState, client: redis.Redis, clock: ManualClock
) -> None:
    """Full, with ``noeviction``: no mark can be kept, so nobody signs in."""
    client.config_set("maxmemory", 1)
    try:
        with pytest.raises(StoreUnavailableError):
            state.replay.first_time(POOL, "x", "key", until=clock.now() + 300)
        with pytest.raises(StoreUnavailableError):
            state.single_use.put(POOL, Kind.CODE, "key", b"value", lifetime=300)
        entry = Entry(kind=Kind.CODE, key="key", value=b"value", lifetime=300)
        with pytest.raises(StoreUnavailableError):
            state.sessions.put(session(1, lifetime=3600, clock=clock), entry)
    finally:
        client.config_set("maxmemory", 0)
    assert client.keys("*") == []


def test_a_refusal_costs_no_connection(state: RedisState, client: redis.Redis) -> None:
    """It is an answer like any other. More of them than there are places for connections."""
    state.single_use.put(POOL, Kind.CODE, "key", b"value", lifetime=300)
    (key,) = client.keys("*")
    client.delete(key)
    client.rpush(key, "a list, which GETDEL refuses")
    before = client.info("stats")["total_connections_received"]
    for _ in range(40):
        with pytest.raises(StoreUnavailableError, match="wrong kind"):
            state.single_use.take(POOL, Kind.CODE, "key")
    state.ping()
    assert client.info("stats")["total_connections_received"] == before


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("nonsense", "must specify"),
        ("redis://localhost:port/0", "port"),
        ("redis://localhost/0?foo=1", "'foo'"),
        ("redis://localhost/0?timeout=5", "'timeout'"),
        ("redis://localhost/0?ssl_cert_reqs=none", "'ssl_cert_reqs'"),  # which is of rediss://
        ("redis://localhost/0?decode_responses=true", "decode_responses is not for"),
        ("redis://localhost/0?socket_timeout=60", "socket_timeout is not for"),
        ("redis://localhost/0?retry_on_timeout=yes", "retry_on_timeout is not for"),
        ("redis://localhost/0?protocol=3", "protocol is not for"),
    ],
)
def test_a_wrong_url_is_a_fault_of_the_configuration(
    url: str, problem: str, clock: ManualClock
) -> None:
    with pytest.raises(ConfigurationError, match=problem) as raised:
        RedisState(url, clock=clock)
    assert raised.value.faults[0].startswith("BROKER_REDIS_URL: ")


@pytest.mark.parametrize(
    "url",
    [
        "rediss://user:secret@localhost:6380/2?ssl_cert_reqs=none&ssl_ca_certs=/ca.pem",
        "unix:///run/redis.sock?db=1",
        "redis://localhost?client_name=broker",
    ],
)
def test_an_url_may_say_where_and_as_whom(url: str, clock: ManualClock) -> None:
    RedisState(url, clock=clock)
