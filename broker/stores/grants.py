"""Refresh tokens and the revocation of what a sign-in has yielded.

A family is alive while it has no mark in ``revoked_families``; nothing else is asked. So a mark
may come before its family, and a revocation that races with ``start`` or ``rotate`` wins whichever
is first. A mark is kept while a token of its family has not expired.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import bindparam, exists, func, or_, select, update

# SQLite took its upsert from PostgreSQL, and SQLAlchemy renders this one construct for both.
from sqlalchemy.dialects.postgresql import insert

from broker.model.stored import Rotation
from broker.model.tokens import HeldFamily, TokenFamily, TokenHolder
from broker.ports import Clock
from broker.stores import profiles
from broker.stores.digests import digest
from broker.stores.engine import Connection, Row, SqlEngine
from broker.stores.profiles import owned_by
from broker.stores.schema import refresh_tokens as tokens
from broker.stores.schema import revoked_families as marks
from broker.stores.schema import users
from broker.stores.sweeper import Sweeper, expired

LONGEST_ACCESS_TOKEN = 86_400
"""A user's revoked families are remembered until no access token of theirs can be alive."""

_FAMILY = (
    tokens.c.pool_id,
    tokens.c.origin_jti,
    tokens.c.client_id,
    tokens.c.sub,
    tokens.c.scopes,
    tokens.c.auth_time,
    tokens.c.issued_at,
    tokens.c.expires_at,
    tokens.c.resource,
    tokens.c.provider,
)
_NAMES = [column.name for column in _FAMILY]

_THIS_TOKEN = (tokens.c.pool_id == bindparam("pool"), tokens.c.digest == bindparam("token"))
_THIS_FAMILY = (marks.c.pool_id == bindparam("pool"), marks.c.origin_jti == bindparam("family"))
_REVOKED = exists().where(
    marks.c.pool_id == tokens.c.pool_id, marks.c.origin_jti == tokens.c.origin_jti
)
_LIVE_FAMILY = (tokens.c.expires_at > bindparam("now"), ~_REVOKED)

_START = insert(tokens).from_select(
    [*_NAMES, "digest"],
    select(*(bindparam(name, type_=tokens.c[name].type) for name in [*_NAMES, "digest"])).where(
        ~exists().where(
            marks.c.pool_id == bindparam("pool_id"),
            marks.c.origin_jti == bindparam("origin_jti"),
        )
    ),
)
_HELD = profiles.of(users, *_FAMILY, among=tokens.outerjoin(users, owned_by(tokens, users)))
_FIND = _HELD.where(
    *_THIS_TOKEN,
    *_LIVE_FAMILY,
    or_(tokens.c.replaced_until.is_(None), tokens.c.replaced_until > bindparam("now")),
)
_LOOKUP = _HELD.where(*_THIS_TOKEN)
_HOLDER = profiles.of(users, exists().where(*_THIS_FAMILY).label("revoked")).where(
    users.c.pool_id == bindparam("pool"), users.c.sub == bindparam("of_sub")
)

_REPLACE = (
    update(tokens)
    .where(*_THIS_TOKEN, *_LIVE_FAMILY, tokens.c.replaced_until.is_(None))
    .values(replaced_until=bindparam("until"))
    .returning(tokens.c.digest)
)
_REPLACED = select(tokens.c.replaced_until).where(*_THIS_TOKEN, *_LIVE_FAMILY)
_ADD = insert(tokens).from_select(
    [*_NAMES, "digest"],
    select(*_FAMILY, bindparam("new_token", type_=tokens.c.digest.type)).where(*_THIS_TOKEN),
)

_MARK = insert(marks)
_REVOKE = _MARK.on_conflict_do_update(
    index_elements=[marks.c.pool_id, marks.c.origin_jti],
    set_={"keep_until": _MARK.excluded.keep_until},
    where=marks.c.keep_until < _MARK.excluded.keep_until,
)
_OF_PROVIDER = bindparam("of_provider", type_=tokens.c.provider.type)
_REVOKE_USER = (
    insert(marks)
    .from_select(
        ["pool_id", "origin_jti", "keep_until"],
        select(
            tokens.c.pool_id,
            tokens.c.origin_jti,
            func.max(tokens.c.expires_at) + LONGEST_ACCESS_TOKEN,
        )
        .where(
            tokens.c.pool_id == bindparam("pool"),
            tokens.c.sub == bindparam("of_sub"),
            or_(
                tokens.c.provider.is_(None),
                tokens.c.provider == func.coalesce(_OF_PROVIDER, tokens.c.provider),
            ),
        )
        .group_by(tokens.c.pool_id, tokens.c.origin_jti),
    )
    .on_conflict_do_nothing()
)

_EXPIRED = tokens.c.expires_at <= bindparam("now")
_FORGOTTEN = (
    marks.c.keep_until <= bindparam("now"),
    ~exists().where(
        tokens.c.pool_id == marks.c.pool_id,
        tokens.c.origin_jti == marks.c.origin_jti,
        tokens.c.expires_at > bindparam("now"),
    ),
)
_SWEEPS = (
    expired(tokens, tokens.c.digest, _EXPIRED),
    expired(marks, marks.c.origin_jti, *_FORGOTTEN),
)


def _held(pool_id: str, rows: Sequence[Row]) -> HeldFamily | None:
    if not rows:
        return None
    values = dict(zip(_NAMES, rows[0], strict=False))  # the user's columns follow
    return HeldFamily(
        family=TokenFamily(**{**values, "scopes": tuple(values["scopes"].split())}),
        user=profiles.fold(pool_id, [row[len(_NAMES) :] for row in rows]),
    )


class SqlGrants:
    """``ports.RefreshTokenStore``."""

    def __init__(self, sql: SqlEngine, *, clock: Clock) -> None:
        self._sql = sql
        self._clock = clock
        self.sweep = Sweeper(sql, clock, *_SWEEPS).sweep

    def start(self, family: TokenFamily, token: str) -> None:
        self._sql.write(
            _START,
            pool_id=family.pool_id,
            origin_jti=family.origin_jti,
            client_id=family.client_id,
            sub=family.sub,
            scopes=" ".join(family.scopes),
            auth_time=family.auth_time,
            issued_at=family.issued_at,
            expires_at=family.expires_at,
            resource=family.resource,
            provider=family.provider,
            digest=digest(token),
        )

    def find(self, pool_id: str, token: str) -> HeldFamily | None:
        now = self._clock.now()
        return _held(pool_id, self._sql.read(_FIND, pool=pool_id, token=digest(token), now=now))

    def lookup(self, pool_id: str, token: str) -> HeldFamily | None:
        return _held(pool_id, self._sql.read(_LOOKUP, pool=pool_id, token=digest(token)))

    def holder(self, pool_id: str, sub: str, origin_jti: str) -> TokenHolder | None:
        rows = self._sql.read(_HOLDER, pool=pool_id, of_sub=sub, family=origin_jti)
        user = profiles.fold(pool_id, [row[1:] for row in rows])
        return None if user is None else TokenHolder(user=user, revoked=bool(rows[0][0]))

    def rotate(self, pool_id: str, old: str, new: str, *, grace: int) -> Rotation:
        """One transaction: a crash leaves the old token or the new one, never neither."""
        token, now = digest(old), self._clock.now()
        with self._sql.transaction() as connection:
            won = connection.one(_REPLACE, pool=pool_id, token=token, now=now, until=now + grace)
            outcome = (
                Rotation.ROTATED if won else _lost(connection, pool_id, token, now, grace=grace)
            )
            if outcome in (Rotation.ROTATED, Rotation.IN_GRACE):
                connection.all(_ADD, pool=pool_id, token=token, new_token=digest(new))
        return outcome

    def revoke(self, pool_id: str, origin_jti: str, *, remember_until: int) -> None:
        self._sql.write(
            _REVOKE, pool_id=pool_id, origin_jti=origin_jti, keep_until=float(remember_until)
        )

    def revoke_user(self, pool_id: str, sub: str, provider: str | None = None) -> None:
        self._sql.write(_REVOKE_USER, pool=pool_id, of_sub=sub, of_provider=provider)


def _lost(connection: Connection, pool_id: str, token: str, now: float, *, grace: int) -> Rotation:
    """What a token is that could not be replaced: no live one, or one replaced before.

    Without a grace period times are not compared: ``now`` was read before this racer waited for
    the winner, whose clock may well say later.
    """
    row = connection.one(_REPLACED, pool=pool_id, token=token, now=now)
    if row is None:
        return Rotation.UNKNOWN
    return Rotation.IN_GRACE if grace > 0 and row[0] > now else Rotation.REUSED
