"""Links that wait for a first sign-in, on SQL."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import bindparam, delete, select

# SQLite took its upsert from PostgreSQL, and SQLAlchemy renders this one construct for both.
from sqlalchemy.dialects.postgresql import insert

from broker.model.login import ExpectedLink, LinkedIdentity
from broker.stores.directory_sql import INSERT_IDENTITY
from broker.stores.engine import SqlEngine
from broker.stores.schema import expected_links as links
from broker.stores.schema import users

_COLUMNS = (
    links.c.provider_name,
    links.c.attribute,
    links.c.value,
    links.c.sub,
    links.c.created_at,
)
_NAMES = [column.name for column in _COLUMNS]
_IN_POOL = links.c.pool_id == bindparam("pool")
_THIS_LINK = (
    _IN_POOL,
    links.c.provider_name == bindparam("provider"),
    links.c.attribute == bindparam("attribute"),
    links.c.value == bindparam("value"),
)

_ADD = (
    insert(links)
    .from_select(
        ["pool_id", *_NAMES],
        select(
            users.c.pool_id,
            *(
                users.c.sub if name == "sub" else bindparam(name, type_=links.c[name].type)
                for name in _NAMES
            ),
        )
        .where(users.c.pool_id == bindparam("pool"), users.c.sub == bindparam("of_sub"))
        .with_for_update(read=True, key_share=True),  # one who is being deleted is waited for
    )
    .on_conflict_do_nothing()
    .returning(links.c.sub)
)
_TAKE = delete(links).where(*_THIS_LINK).returning(links.c.sub)
_OF_USER = (
    select(*_COLUMNS)
    .where(_IN_POOL, links.c.sub == bindparam("of_sub"))
    .order_by(links.c.created_at, links.c.provider_name, links.c.attribute, links.c.value)
)
_ATTRIBUTES = (
    select(links.c.attribute)
    .distinct()
    .where(_IN_POOL, links.c.provider_name == bindparam("provider"))
)


class _IdentityTakenError(Exception):
    """Undoes a transaction: the identity is somebody's, and the link stays."""


class SqlExpectedLinks:
    """``ports.ExpectedLinks``."""

    def __init__(self, sql: SqlEngine) -> None:
        self._sql = sql

    def add(self, pool_id: str, link: ExpectedLink) -> bool:
        added = self._sql.write(
            _ADD,
            pool=pool_id,
            of_sub=link.sub,
            provider_name=link.provider_name,
            attribute=link.attribute,
            value=link.value,
            created_at=link.created_at,
        )
        return bool(added)

    def remove(self, pool_id: str, provider: str, attribute: str, value: str) -> bool:
        return bool(
            self._sql.write(
                _TAKE, pool=pool_id, provider=provider, attribute=attribute, value=value
            )
        )

    def of_user(self, pool_id: str, sub: str) -> Sequence[ExpectedLink]:
        rows = self._sql.read(_OF_USER, pool=pool_id, of_sub=sub)
        return [ExpectedLink(**dict(zip(_NAMES, row, strict=True))) for row in rows]

    def attributes_of(self, pool_id: str, provider: str) -> frozenset[str]:
        rows = self._sql.read(_ATTRIBUTES, pool=pool_id, provider=provider)
        return frozenset(row[0] for row in rows)

    def redeem(self, pool_id: str, attribute: str, value: str, identity: LinkedIdentity) -> bool:
        if "\0" in value:  # a provider may send it, PostgreSQL would not even look for it
            return False
        try:
            with self._sql.transaction() as connection:
                taken = connection.one(
                    _TAKE,
                    pool=pool_id,
                    provider=identity.provider_name,
                    attribute=attribute,
                    value=value,
                )
                if taken is None:
                    return False
                inserted = connection.one(
                    INSERT_IDENTITY,
                    pool_id=pool_id,
                    sub=taken[0],
                    provider_name=identity.provider_name,
                    user_id=identity.user_id,
                    provider_type=identity.provider_type,
                    issuer=identity.issuer,
                    is_primary=identity.primary,
                    created_at=identity.created_at,
                    signed_out_at=identity.signed_out_at,
                )
                if inserted is None:
                    raise _IdentityTakenError
        except _IdentityTakenError:
            return False
        return True
