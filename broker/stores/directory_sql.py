"""The statements of the user directory. How a profile is read is ``profiles.py``'s business."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam, delete, select, update

# SQLite took its upsert from PostgreSQL, and SQLAlchemy renders this one construct for both.
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler

from broker.stores import profiles
from broker.stores.profiles import owned_by
from broker.stores.schema import identities, memberships, users


class Merged(sa.sql.functions.GenericFunction[str]):
    """Two JSON objects as one; the second wins."""

    type = sa.Text()
    inherit_cache = True


@compiles(Merged, "sqlite")
def _merged_sqlite(element: Merged, compiler: SQLCompiler, **options: Any) -> str:
    return f"json_patch({compiler.process(element.clauses, **options)})"


@compiles(Merged, "postgresql")
def _merged_postgresql(element: Merged, compiler: SQLCompiler, **options: Any) -> str:
    first, second = (compiler.process(clause, **options) for clause in element.clauses)
    return f"CAST(CAST({first} AS JSONB) || CAST({second} AS JSONB) AS TEXT)"


class Changes(sa.sql.functions.GenericFunction[bool]):
    """Whether ``Merged`` of two JSON objects is other than the first. Texts can be compared where
    all were written alike, by SQLite or as it writes them."""

    type = sa.Boolean()
    inherit_cache = True


@compiles(Changes, "sqlite")
def _changes_sqlite(element: Changes, compiler: SQLCompiler, **options: Any) -> str:
    first, second = (compiler.process(clause, **options) for clause in element.clauses)
    return f"json_patch({first}, {second}) <> {first}"


@compiles(Changes, "postgresql")
def _changes_postgresql(element: Changes, compiler: SQLCompiler, **options: Any) -> str:
    first, second = (compiler.process(clause, **options) for clause in element.clauses)
    return f"NOT CAST({first} AS JSONB) @> CAST({second} AS JSONB)"


_IN_POOL = users.c.pool_id == bindparam("pool")
_THIS_USER = (_IN_POOL, users.c.sub == bindparam("of_sub"))
_THIS_NAME = (_IN_POOL, users.c.username == bindparam("of_name"))

_wanted = identities.alias("wanted")
FIND = profiles.of(users, among=sa.join(_wanted, users, owned_by(_wanted, users))).where(
    _wanted.c.pool_id == bindparam("pool"),
    _wanted.c.provider_name == bindparam("provider"),
    _wanted.c.user_id == bindparam("subject"),
)
BY_SUB = profiles.of(users).where(*_THIS_USER)
BY_USERNAME = profiles.of(users).where(*_THIS_NAME)

_page = (
    select(users)
    .where(_IN_POOL, users.c.username > bindparam("after"))
    .order_by(users.c.username)
    .limit(bindparam("at_most"))
    .subquery("page")
)
PAGE = profiles.of(_page).order_by(_page.c.username)

INSERT_USER = insert(users).on_conflict_do_nothing().returning(users.c.sub)
INSERT_IDENTITY = insert(identities).on_conflict_do_nothing().returning(identities.c.sub)
INSERT_MEMBERSHIP = insert(memberships).on_conflict_do_nothing()


def _change(**values: Any) -> sa.ClauseElement:
    """Returns a row if there is such a user."""
    changed = update(users).where(*_THIS_USER).values(modified_at=bindparam("now"), **values)
    return changed.returning(users.c.sub)


WRITE_ATTRIBUTES = _change(attributes=Merged(users.c.attributes, bindparam("changes")))
ENABLE = _change(enabled=True)
DISABLE = _change(enabled=False, tokens_valid_after=bindparam("now"))
SIGN_OUT = _change(tokens_valid_after=bindparam("now"))
SIGN_OUT_FROM = (
    update(identities)
    .where(
        identities.c.pool_id == bindparam("pool"),
        identities.c.sub == bindparam("of_sub"),
        identities.c.provider_name == bindparam("provider"),
    )
    .values(signed_out_at=bindparam("now"))
)
DELETE = delete(users).where(*_THIS_USER).returning(users.c.sub)
UNLINK = (
    delete(identities)
    .where(
        identities.c.pool_id == bindparam("pool"),
        identities.c.provider_name == bindparam("provider"),
        identities.c.user_id == bindparam("subject"),
    )
    .returning(identities.c.sub)
)


def _insert_for(table: sa.Table, *is_owner: sa.ColumnElement[bool]) -> Insert:
    """A row of ``table`` for the user that ``is_owner``, none if there is none or the row exists;
    the other columns are given by their names. One who is being deleted is waited for, and none then."""
    given = [column for column in table.c if column.name not in ("pool_id", "sub")]
    values = (bindparam(column.name, type_=column.type) for column in given)
    return (
        insert(table)
        .from_select(
            ["pool_id", "sub", *(column.name for column in given)],
            select(users.c.pool_id, users.c.sub, *values)
            .where(*is_owner)
            .with_for_update(read=True, key_share=True),
        )
        .on_conflict_do_nothing()
    )


LINK = _insert_for(identities, *_THIS_USER).returning(identities.c.sub)

# An import knows users by name: a user that exists keeps its sub.
IMPORT_IDENTITY = _insert_for(identities, *_THIS_NAME)
IMPORT_MEMBERSHIP = _insert_for(memberships, *_THIS_NAME)

_other = users.alias("other")
_is_other = sa.and_(
    _other.c.pool_id == bindparam("pool_id"), _other.c.username != bindparam("username")
)
_import = insert(users).from_select(
    [column.name for column in users.c],
    select(*(bindparam(column.name, type_=column.type) for column in users.c)).where(
        ~sa.exists().where(_is_other, _other.c.sub == bindparam("sub")),
        ~sa.exists().where(
            _is_other,
            owned_by(_wanted, _other),
            _wanted.c.provider_name == bindparam("own_provider"),
            _wanted.c.user_id == bindparam("own_user_id"),
        ),
    ),
)
IMPORT_USER = _import.on_conflict_do_update(
    index_elements=[users.c.pool_id, users.c.username],
    set_={
        "attributes": Merged(users.c.attributes, _import.excluded.attributes),
        "modified_at": _import.excluded.modified_at,
    },
    where=Changes(users.c.attributes, _import.excluded.attributes),
)

IMPORT_BATCH = 500
"""Users in one transaction of an import: sign-ins wait for one of them at most."""
TAKEN_COLUMNS = ("pool_id", "username", "sub", "own_provider", "own_user_id")
"""What tells whether somebody is another user. Each is given by its name and a position."""

_batch = (
    sa.values(sa.column("position", sa.Integer), *(sa.column(n, sa.Text) for n in TAKEN_COLUMNS))
    .data(
        [
            (
                sa.literal_column(str(position)),
                *(bindparam(f"{name}_{position}", type_=sa.Text) for name in TAKEN_COLUMNS),
            )
            for position in range(IMPORT_BATCH)
        ]
    )
    .cte("batch")
)
_is_others = sa.and_(_other.c.pool_id == _batch.c.pool_id, _other.c.username != _batch.c.username)
TAKEN = sa.union(
    select(_batch.c.position)
    .select_from(sa.join(_batch, _other, _is_others))
    .where(_other.c.sub == _batch.c.sub),
    select(_batch.c.position)
    .select_from(sa.join(_batch, _other, _is_others).join(_wanted, owned_by(_wanted, _other)))
    .where(
        _wanted.c.provider_name == _batch.c.own_provider,
        _wanted.c.user_id == _batch.c.own_user_id,
    ),
)
"""The positions of those in a batch whose ``sub`` or own identity is another user's."""
