"""Whoever reads a store can use nothing of what is in it."""

from __future__ import annotations

import redis

from broker.model.login import LoginSession
from broker.model.stored import Kind
from broker.model.tokens import TokenFamily
from broker.stores.engine import SqlEngine
from broker.stores.grants import SqlGrants
from broker.stores.redis import RedisState
from broker.stores.sql_state import SqlState
from tests.kit.clock import ManualClock
from tests.kit.store_backends import State, dump_redis, dump_sql

POOL = "eu-west-1_one"


def fill(state: State, clock: ManualClock) -> None:
    """Every key has ``secret`` in it."""
    state.single_use.put(POOL, Kind.TRANSACTION, "secret-state", b"", lifetime=300)
    state.single_use.put(POOL, Kind.CODE, "secret-code", b"", lifetime=300)
    state.single_use.put(POOL, Kind.CODE, "secret-code-2", b"", lifetime=300)
    state.single_use.spend(POOL, Kind.CODE, "secret-code-2", remember=300)
    state.replay.first_time(POOL, "CorpSAML", "_secret-assertion", until=clock.now() + 300)
    state.sessions.put(
        LoginSession(
            id="secret-session",
            pool_id=POOL,
            sub="sub",
            username="CorpSAML_anna",
            provider="CorpSAML",
            subject="anna",
            auth_time=1,
            expires_at=int(clock.now()) + 3600,
        )
    )


def test_sql_has_digests_only(sql: SqlEngine, clock: ManualClock) -> None:
    fill(SqlState(sql, clock=clock), clock)
    grants = SqlGrants(sql, clock=clock)
    family = TokenFamily(
        pool_id=POOL,
        origin_jti="jti",
        client_id="1client",
        sub="sub",
        scopes=("openid",),
        auth_time=1,
        issued_at=1,
        expires_at=int(clock.now()) + 3600,
    )
    grants.start(family, "secret-token")
    grants.rotate(POOL, "secret-token", "secret-token-2", grace=60)
    dump = dump_sql(sql)
    assert dump.count(POOL) >= 7
    assert "secret" not in dump


def test_redis_has_digests_only(redis_url: str, clock: ManualClock) -> None:
    state = RedisState(redis_url, clock=clock)
    fill(state, clock)
    state.close()
    with redis.Redis.from_url(redis_url) as client:
        dump = dump_redis(client)
        lifetimes = [client.ttl(key) for key in client.keys("*")]
    assert dump.count(POOL) >= 6
    assert "secret" not in dump
    assert all(lifetime > 0 for lifetime in lifetimes), "every key is garbage some day"
