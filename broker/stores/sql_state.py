"""Short-lived state on SQL: what Redis does, for installations without one.

Each verb is one statement, so it is exact among threads, processes and machines that share the
database. A row past its time counts as absent, by the clock the stores are given, and is removed by
the next sweep.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import bindparam, delete, select, update

# SQLite took its upsert from PostgreSQL, and SQLAlchemy renders this one construct for both.
from sqlalchemy.dialects.postgresql import insert

from broker.model.login import LoginSession
from broker.model.stored import Entry, Kind, Spent
from broker.ports import Clock
from broker.stores.digests import digest
from broker.stores.engine import SqlEngine
from broker.stores.schema import seen, sessions, single_use
from broker.stores.session_codec import decode_session, encode_session, person_of
from broker.stores.sweeper import Sweeper, expired

_SWEEPS = tuple(
    expired(table, table.c.digest, table.c.expires_at <= bindparam("now"))
    for table in (single_use, seen, sessions)
)

_IS_IT = (
    single_use.c.pool_id == bindparam("pool"),
    single_use.c.kind == bindparam("of_kind"),
    single_use.c.digest == bindparam("key"),
)
_KEEP = insert(single_use)
_PUT = _KEEP.on_conflict_do_update(
    index_elements=[single_use.c.digest, single_use.c.kind, single_use.c.pool_id],
    set_={
        "value": _KEEP.excluded.value,
        "uses": _KEEP.excluded.uses,
        "expires_at": _KEEP.excluded.expires_at,
    },
)
_TAKE = delete(single_use).where(*_IS_IT).returning(single_use.c.value, single_use.c.expires_at)
_SPEND = (
    update(single_use)
    .where(*_IS_IT, single_use.c.expires_at > bindparam("now"))
    .values(
        uses=single_use.c.uses + 1,
        expires_at=sa.case(
            (single_use.c.uses == 0, bindparam("remember_until")), else_=single_use.c.expires_at
        ),
    )
    .returning(single_use.c.value, single_use.c.uses)
)


def _columns(pool_id: str, entry: Entry, now: float) -> dict[str, object]:
    return {
        "pool_id": pool_id,
        "kind": entry.kind.value,
        "digest": digest(entry.key),
        "value": entry.value,
        "uses": 0,
        "expires_at": now + entry.lifetime,
    }


class SqlSingleUse:
    """``ports.SingleUseStore``."""

    def __init__(self, sql: SqlEngine, clock: Clock) -> None:
        self._sql = sql
        self._clock = clock

    def put(self, pool_id: str, kind: Kind, key: str, value: bytes, *, lifetime: int) -> None:
        entry = Entry(kind=kind, key=key, value=value, lifetime=lifetime)
        self._sql.write(_PUT, **_columns(pool_id, entry, self._clock.now()))

    def take(self, pool_id: str, kind: Kind, key: str) -> bytes | None:
        row = self._sql.write_one(_TAKE, pool=pool_id, of_kind=kind.value, key=digest(key))
        if row is None or row[1] <= self._clock.now():
            return None
        return bytes(row[0])

    def spend(self, pool_id: str, kind: Kind, key: str, *, remember: int) -> Spent | None:
        """The row lock orders the racers, and each is told the count after its own step."""
        now = self._clock.now()
        row = self._sql.write_one(
            _SPEND,
            pool=pool_id,
            of_kind=kind.value,
            key=digest(key),
            now=now,
            remember_until=now + remember,
        )
        return None if row is None else Spent(value=bytes(row[0]), first=row[1] == 1)


_MARK = insert(seen)
_FIRST_TIME = _MARK.on_conflict_do_update(
    index_elements=[seen.c.pool_id, seen.c.scope, seen.c.digest],
    set_={"expires_at": _MARK.excluded.expires_at},
    where=seen.c.expires_at <= bindparam("now"),
).returning(seen.c.pool_id)
_SEEN = select(seen.c.pool_id).where(
    seen.c.pool_id == bindparam("pool"),
    seen.c.scope == bindparam("of_scope"),
    seen.c.digest == bindparam("key"),
    seen.c.expires_at > bindparam("now"),
)


class SqlReplayGuard:
    """``ports.ReplayGuard``."""

    def __init__(self, sql: SqlEngine, clock: Clock) -> None:
        self._sql = sql
        self._clock = clock

    def first_time(self, pool_id: str, scope: str, key: str, *, until: float) -> bool:
        marked = self._sql.write(
            _FIRST_TIME,
            pool_id=pool_id,
            scope=scope,
            digest=digest(key),
            expires_at=until,
            now=self._clock.now(),
        )
        return bool(marked)

    def seen(self, pool_id: str, scope: str, key: str) -> bool:
        now = self._clock.now()
        row = self._sql.read_one(_SEEN, pool=pool_id, of_scope=scope, key=digest(key), now=now)
        return row is not None


_NEW_SESSION = insert(sessions)
_PUT_SESSION = _NEW_SESSION.on_conflict_do_update(
    index_elements=[sessions.c.pool_id, sessions.c.digest],
    set_={name: _NEW_SESSION.excluded[name] for name in ("person", "value", "expires_at")},
)
_THIS_SESSION = (
    sessions.c.pool_id == bindparam("pool"),
    sessions.c.digest == bindparam("key"),
)
_GET_SESSION = select(sessions.c.value).where(
    *_THIS_SESSION, sessions.c.expires_at > bindparam("now")
)
_END_SESSION = delete(sessions).where(*_THIS_SESSION)
_END_FOR = (
    delete(sessions)
    .where(sessions.c.pool_id == bindparam("pool"), sessions.c.person == bindparam("of_person"))
    .returning(sessions.c.value, sessions.c.expires_at)
)


class SqlSessions:
    """``ports.SessionStore``."""

    def __init__(self, sql: SqlEngine, clock: Clock) -> None:
        self._sql = sql
        self._clock = clock

    def put(self, session: LoginSession, *entries: Entry) -> None:
        now = self._clock.now()
        with self._sql.transaction() as connection:
            connection.all(
                _PUT_SESSION,
                pool_id=session.pool_id,
                digest=digest(session.id),
                person=person_of(session.provider, session.subject),
                value=encode_session(session),
                expires_at=float(session.expires_at),
            )
            for entry in entries:
                connection.all(_PUT, **_columns(session.pool_id, entry, now))

    def get(self, pool_id: str, session_id: str) -> LoginSession | None:
        row = self._sql.read_one(
            _GET_SESSION, pool=pool_id, key=digest(session_id), now=self._clock.now()
        )
        return None if row is None else decode_session(row[0], session_id)

    def end(self, pool_id: str, session_id: str) -> None:
        self._sql.write(_END_SESSION, pool=pool_id, key=digest(session_id))

    def end_for(self, pool_id: str, provider: str, subject: str) -> tuple[LoginSession, ...]:
        rows = self._sql.write(_END_FOR, pool=pool_id, of_person=person_of(provider, subject))
        now = self._clock.now()
        return tuple(decode_session(value) for value, expires_at in rows if expires_at > now)


class SqlState:
    """The three short-lived stores on one database."""

    def __init__(self, sql: SqlEngine, *, clock: Clock) -> None:
        self._sql = sql
        self.sweep = Sweeper(sql, clock, *_SWEEPS).sweep
        self.single_use = SqlSingleUse(sql, clock)
        self.replay = SqlReplayGuard(sql, clock)
        self.sessions = SqlSessions(sql, clock)

    def ping(self) -> None:
        """Raises ``StoreUnavailableError``."""
        self._sql.ping()

    def close(self) -> None:
        self._sql.dispose()
