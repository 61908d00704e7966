"""Short-lived state on Redis: one round trip for each verb, exact among all its clients.

One server, or one with replicas (no Cluster: a person's sessions are found through an index), that
keeps what it is given: ``maxmemory-policy noeviction``, and ``appendonly yes`` so that a restart
does not forget which assertions were seen.

Nothing is ever tried twice (``redis_client.py``). The expiry that counts stands before the value and is
compared with the injected clock; the server's own expiry removes garbage.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from redis import Redis

from broker.model.login import LoginSession
from broker.model.stored import Entry, Kind, Spent
from broker.ports import Clock
from broker.stores.digests import digest
from broker.stores.redis_client import RedisClient, Script, connect
from broker.stores.session_codec import decode_session, encode_session, person_of

GARBAGE_SECONDS = 60
"""How much longer the server keeps a value than its expiry says: clocks differ."""

_DIGITS = 13
"""Expiries are epoch milliseconds of this many digits, until the year 2286."""


def _milliseconds(moment: float) -> bytes:
    return b"%0*d" % (_DIGITS, int(moment * 1000))


def _expired(framed: bytes, now: float) -> bool:
    return int(framed[:_DIGITS]) <= now * 1000


def _time_to_live(lifetime: float) -> int:
    return max(1, int((lifetime + GARBAGE_SECONDS) * 1000))


def _framed(value: bytes, lifetime: int, now: float) -> tuple[bytes, int]:
    """A single-use value as it is kept (expiry, "0": not spent yet, payload), its native lifetime."""
    return _milliseconds(now + lifetime) + b"0" + value, _time_to_live(lifetime)


# Value: as ``_framed``, with "1" when it is spent. KEYS: the value's. ARGV: now, the expiry and the
# native lifetime it gets when it is spent.
_SPEND = Script("""
local framed = redis.call('GET', KEYS[1])
if not framed or tonumber(string.sub(framed, 1, 13)) <= tonumber(ARGV[1]) then return false end
local payload = string.sub(framed, 15)
if string.sub(framed, 14, 14) == '1' then return {0, payload} end
redis.call('SET', KEYS[1], ARGV[2] .. '1' .. payload, 'PX', ARGV[3])
return {1, payload}
""")


class RedisSingleUse:
    """``ports.SingleUseStore``."""

    def __init__(self, client: RedisClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock

    def put(self, pool_id: str, kind: Kind, key: str, value: bytes, *, lifetime: int) -> None:
        framed, time_to_live = _framed(value, lifetime, self._clock.now())
        self._client.command("SET", _name(pool_id, kind, key), framed, "PX", time_to_live)

    def take(self, pool_id: str, kind: Kind, key: str) -> bytes | None:
        framed = self._client.command("GETDEL", _name(pool_id, kind, key))
        if framed is None or _expired(framed, self._clock.now()):
            return None
        return cast("bytes", framed[_DIGITS + 1 :])

    def spend(self, pool_id: str, kind: Kind, key: str, *, remember: int) -> Spent | None:
        now = self._clock.now()
        answer = self._client.run(
            _SPEND,
            (_name(pool_id, kind, key),),
            _milliseconds(now),
            _milliseconds(now + remember),
            _time_to_live(remember),
        )
        return None if answer is None else Spent(value=answer[1], first=answer[0] == 1)


def _name(pool_id: str, kind: str, *secret: str) -> str:
    return f"broker:{kind}:{pool_id}:{digest(*secret)}"


# Value: the expiry. KEYS: the mark's. ARGV: now, the expiry, the native lifetime.
_FIRST_TIME = Script("""
local mark = redis.call('GET', KEYS[1])
if mark and tonumber(mark) > tonumber(ARGV[1]) then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
""")


class RedisReplayGuard:
    """``ports.ReplayGuard``."""

    def __init__(self, client: RedisClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock

    def first_time(self, pool_id: str, scope: str, key: str, *, until: float) -> bool:
        now = self._clock.now()
        first = self._client.run(
            _FIRST_TIME,
            (_name(pool_id, "seen", scope, key),),
            _milliseconds(now),
            _milliseconds(until),
            _time_to_live(until - now),
        )
        return bool(first)

    def seen(self, pool_id: str, scope: str, key: str) -> bool:
        mark = self._client.command("GET", _name(pool_id, "seen", scope, key))
        return mark is not None and not _expired(mark, self._clock.now())


# Value: expiry, session. The index is a sorted set of session names by expiry, so that a person
# who signs in all day has no more entries than live sessions. KEYS: the session's, the index's.
# ARGV: the framed session, its expiry, its native lifetime, now. More KEYS are those of single-use
# values, each with two more ARGV: the framed value, its native lifetime.
_PUT_SESSION = Script("""
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[3])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', ARGV[4])
redis.call('ZADD', KEYS[2], ARGV[2], KEYS[1])
if redis.call('PTTL', KEYS[2]) < tonumber(ARGV[3]) then
  redis.call('PEXPIRE', KEYS[2], ARGV[3])
end
for n = 3, #KEYS do redis.call('SET', KEYS[n], ARGV[2 * n - 1], 'PX', ARGV[2 * n]) end
""")

# KEYS: the index's. Every session it names goes with it.
_END_FOR = Script("""
local ended = {}
for _, name in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  ended[#ended + 1] = redis.call('GETDEL', name) or nil
end
redis.call('DEL', KEYS[1])
return ended
""")


class RedisSessions:
    """``ports.SessionStore``."""

    def __init__(self, client: RedisClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock

    def put(self, session: LoginSession, *entries: Entry) -> None:
        now = self._clock.now()
        expiry = _milliseconds(session.expires_at)
        self._client.run(
            _PUT_SESSION,
            (
                _name(session.pool_id, "session", session.id),
                _index(session.pool_id, session.provider, session.subject),
                *(_name(session.pool_id, entry.kind, entry.key) for entry in entries),
            ),
            expiry + encode_session(session),
            expiry,
            _time_to_live(session.expires_at - now),
            _milliseconds(now),
            *(word for e in entries for word in _framed(e.value, e.lifetime, now)),
        )

    def get(self, pool_id: str, session_id: str) -> LoginSession | None:
        framed = self._client.command("GET", _name(pool_id, "session", session_id))
        if framed is None or _expired(framed, self._clock.now()):
            return None
        return decode_session(framed[_DIGITS:], session_id)

    def end(self, pool_id: str, session_id: str) -> None:
        """The index may go on naming it: a name that leads nowhere ends nothing."""
        self._client.command("DEL", _name(pool_id, "session", session_id))

    def end_for(self, pool_id: str, provider: str, subject: str) -> tuple[LoginSession, ...]:
        now = self._clock.now()
        ended = self._client.run(_END_FOR, (_index(pool_id, provider, subject),))
        return tuple(
            decode_session(framed[_DIGITS:]) for framed in ended if not _expired(framed, now)
        )


def _index(pool_id: str, provider: str, subject: str) -> str:
    return f"broker:person:{pool_id}:{person_of(provider, subject)}"


class RedisState:
    """The three short-lived stores on one Redis. Safe among threads; opened after the fork."""

    def __init__(
        self, url: str, *, clock: Clock, connect: Callable[[str], Redis] = connect
    ) -> None:
        self._client = RedisClient(connect(url))
        self.single_use = RedisSingleUse(self._client, clock)
        self.replay = RedisReplayGuard(self._client, clock)
        self.sessions = RedisSessions(self._client, clock)

    def ping(self) -> None:
        """Raises ``StoreUnavailableError``."""
        self._client.command("PING")

    def close(self) -> None:
        self._client.close()
