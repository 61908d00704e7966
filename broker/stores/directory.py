"""Users, their identities at providers and their groups, on SQL.

Owns how a profile is stored and read back. Names arrive as they are to be kept: a case-insensitive
pool's caller has lower-cased them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby, islice

import msgspec

from broker.model.login import LinkedIdentity, UserProfile
from broker.stores import directory_sql as statements
from broker.stores.engine import Connection, SqlEngine
from broker.stores.profiles import fold


class _IdentityTakenError(Exception):
    """Undoes a transaction: an identity of the user that it inserts is somebody's."""


class SqlDirectory:
    """``ports.UserDirectory``."""

    def __init__(self, sql: SqlEngine) -> None:
        self._sql = sql

    def find(self, pool_id: str, provider: str, subject: str) -> UserProfile | None:
        rows = self._sql.read(statements.FIND, pool=pool_id, provider=provider, subject=subject)
        return fold(pool_id, rows)

    def by_sub(self, pool_id: str, sub: str) -> UserProfile | None:
        return fold(pool_id, self._sql.read(statements.BY_SUB, pool=pool_id, of_sub=sub))

    def by_username(self, pool_id: str, username: str) -> UserProfile | None:
        rows = self._sql.read(statements.BY_USERNAME, pool=pool_id, of_name=username)
        return fold(pool_id, rows)

    def list(
        self, pool_id: str, *, after_username: str = "", limit: int = 60
    ) -> Sequence[UserProfile]:
        rows = self._sql.read(statements.PAGE, pool=pool_id, after=after_username, at_most=limit)
        by_user = groupby(rows, key=lambda row: row[0])
        users = (fold(pool_id, tuple(of_one)) for _, of_one in by_user)
        return [user for user in users if user is not None]

    def create(self, profile: UserProfile) -> UserProfile | None:
        """Of two processes that create one user, the second waits for the first and adds nothing."""
        try:
            with self._sql.transaction() as connection:
                created = _insert(connection, profile)
        except _IdentityTakenError:
            created = False
        return profile if created else self._owner_of(profile)

    def _owner_of(self, profile: UserProfile) -> UserProfile | None:
        owners = (
            self.find(profile.pool_id, each.provider_name, each.user_id)
            for each in profile.identities
        )
        return next((owner for owner in owners if owner is not None), None)

    def write_attributes(
        self, pool_id: str, sub: str, attributes: Mapping[str, str], *, now: int
    ) -> None:
        changes = _json(attributes)
        self._sql.write(
            statements.WRITE_ATTRIBUTES, pool=pool_id, of_sub=sub, changes=changes, now=now
        )

    def set_enabled(self, pool_id: str, sub: str, *, enabled: bool, now: int) -> bool:
        statement = statements.ENABLE if enabled else statements.DISABLE
        return bool(self._sql.write(statement, pool=pool_id, of_sub=sub, now=now))

    def sign_out_everywhere(self, pool_id: str, sub: str, *, now: int) -> bool:
        return bool(self._sql.write(statements.SIGN_OUT, pool=pool_id, of_sub=sub, now=now))

    def sign_out_from(self, pool_id: str, sub: str, provider: str, *, now: int) -> None:
        self._sql.write(
            statements.SIGN_OUT_FROM, pool=pool_id, of_sub=sub, provider=provider, now=now
        )

    def delete(self, pool_id: str, sub: str) -> bool:
        return bool(self._sql.write(statements.DELETE, pool=pool_id, of_sub=sub))

    def link(self, pool_id: str, sub: str, identity: LinkedIdentity) -> bool:
        linked = self._sql.write(
            statements.LINK, pool=pool_id, of_sub=sub, **_identity_columns(identity)
        )
        return bool(linked)

    def unlink(self, pool_id: str, provider: str, user_id: str) -> bool:
        return bool(
            self._sql.write(statements.UNLINK, pool=pool_id, provider=provider, subject=user_id)
        )

    def import_many(self, profiles: Iterable[UserProfile]) -> Sequence[int]:
        left_out: list[int] = []
        for start, batch in _batches(profiles):
            left_out += (start + position for position in self._import_batch(batch))
        return left_out

    def _import_batch(self, batch: Sequence[UserProfile]) -> frozenset[int]:
        with self._sql.bulk_transaction() as connection:
            written = connection.each(statements.IMPORT_USER, map(_import_columns, batch))
            left_out = frozenset[int]() if written == len(batch) else _left_out(connection, batch)
            stored = [user for position, user in enumerate(batch) if position not in left_out]
            connection.each(statements.IMPORT_IDENTITY, _imported_identities(stored))
            connection.each(statements.IMPORT_MEMBERSHIP, _imported_groups(stored))
        return left_out


def _insert(connection: Connection, profile: UserProfile) -> bool:
    """False, and nothing inserted: the name is taken."""
    owner = {"pool_id": profile.pool_id, "sub": profile.sub}
    if not connection.one(statements.INSERT_USER, **_user_columns(profile)):
        return False
    for identity in profile.identities:
        if not connection.one(statements.INSERT_IDENTITY, **owner, **_identity_columns(identity)):
            raise _IdentityTakenError
    for group in profile.groups:
        connection.all(statements.INSERT_MEMBERSHIP, **owner, group_name=group)
    return True


def _json(attributes: Mapping[str, str]) -> str:
    return msgspec.json.encode(dict(attributes)).decode()


def _user_columns(profile: UserProfile) -> dict[str, object]:
    return {
        "pool_id": profile.pool_id,
        "sub": profile.sub,
        "username": profile.username,
        "status": profile.status,
        "enabled": profile.enabled,
        "attributes": _json(profile.attributes),
        "created_at": profile.created_at,
        "modified_at": profile.modified_at,
        "tokens_valid_after": profile.tokens_valid_after,
    }


def _import_columns(profile: UserProfile) -> dict[str, object]:
    own = profile.identities[0] if profile.identities else None
    return {
        **_user_columns(profile),
        "own_provider": None if own is None else own.provider_name,
        "own_user_id": None if own is None else own.user_id,
    }


def _left_out(connection: Connection, batch: Sequence[UserProfile]) -> frozenset[int]:
    """Those of a batch that belong to others. The statement has room for a whole batch: the last
    one fills it up."""
    given: dict[str, object] = {}
    for position in range(statements.IMPORT_BATCH):
        user = _import_columns(batch[min(position, len(batch) - 1)])
        given |= {f"{name}_{position}": user[name] for name in statements.TAKEN_COLUMNS}
    found = connection.all(statements.TAKEN, **given)
    return frozenset(position for (position,) in found if position < len(batch))


def _imported_identities(batch: Iterable[UserProfile]) -> Iterator[dict[str, object]]:
    for user in batch:
        for each in user.identities:
            yield {"pool": user.pool_id, "of_name": user.username, **_identity_columns(each)}


def _imported_groups(batch: Iterable[UserProfile]) -> Iterator[dict[str, object]]:
    for user in batch:
        for group in user.groups:
            yield {"pool": user.pool_id, "of_name": user.username, "group_name": group}


def _identity_columns(identity: LinkedIdentity) -> dict[str, object]:
    return {
        "provider_name": identity.provider_name,
        "user_id": identity.user_id,
        "provider_type": identity.provider_type,
        "issuer": identity.issuer,
        "is_primary": identity.primary,
        "created_at": identity.created_at,
        "signed_out_at": identity.signed_out_at,
    }


def _batches(profiles: Iterable[UserProfile]) -> Iterator[tuple[int, Sequence[UserProfile]]]:
    """Each with the position of its first."""
    remaining, start = iter(profiles), 0
    while batch := tuple(islice(remaining, statements.IMPORT_BATCH)):
        yield start, batch
        start += len(batch)
