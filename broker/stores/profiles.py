"""How a user is read: one statement, whatever it begins from, and its rows folded into one profile.

The directory asks for users by name or identity, ``grants.py`` by their tokens. The user is joined with
its identities and its groups, so there is a row for each pair of those. The product stays small: a user
has its own identity and at most five links, and is in the group of the provider it first came by, in no
other. So nearly every read is of one row, and two aggregates, which each dialect would have to be told in
its own JSON functions, would save nothing. They are what to do when groups can be managed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import select

from broker.model.login import LinkedIdentity, UserProfile
from broker.stores.engine import Row
from broker.stores.schema import identities, memberships, users

_USER = tuple(column.name for column in users.c if column.name != "pool_id")
_IDENTITY = (
    identities.c.user_id,
    identities.c.provider_name,
    identities.c.provider_type,
    identities.c.issuer,
    identities.c.is_primary,
    identities.c.created_at,
    identities.c.signed_out_at,
)
_IDENTITIES = len(_USER)
_GROUP = _IDENTITIES + len(_IDENTITY)

_attributes = msgspec.json.Decoder(dict[str, str])


def owned_by(table: sa.FromClause, user: sa.FromClause) -> sa.ColumnElement[bool]:
    return sa.and_(table.c.pool_id == user.c.pool_id, table.c.sub == user.c.sub)


def of(
    user: sa.FromClause, *before: sa.ColumnElement[Any], among: sa.FromClause | None = None
) -> sa.Select[Any]:
    """``user`` is the users table or a part of it, ``among`` what it is joined with already.

    Columns named ``before`` come first: hand ``fold`` what is behind them.
    """
    joined = (user if among is None else among).outerjoin(identities, owned_by(identities, user))
    joined = joined.outerjoin(memberships, owned_by(memberships, user))
    columns = (user.c[name] for name in _USER)
    return select(*before, *columns, *_IDENTITY, memberships.c.group_name).select_from(joined)


def fold(pool_id: str, rows: Sequence[Row]) -> UserProfile | None:
    """The profile in the rows of one user. None: no rows, or an outer join found no user."""
    if not rows or rows[0][0] is None:
        return None
    sub, username, status, enabled, attributes, created_at, modified_at, valid_after = rows[0][
        :_IDENTITIES
    ]
    of_user = {row[_IDENTITIES:_GROUP] for row in rows if row[_IDENTITIES] is not None}
    groups = {row[_GROUP] for row in rows if row[_GROUP] is not None}
    return UserProfile(
        pool_id=pool_id,
        sub=sub,
        username=username,
        status=status,
        enabled=bool(enabled),
        attributes=_attributes.decode(attributes),
        identities=tuple(sorted(map(_identity, of_user), key=_age)),
        groups=tuple(sorted(groups)),
        created_at=created_at,
        modified_at=modified_at,
        tokens_valid_after=valid_after,
    )


def _identity(columns: Row) -> LinkedIdentity:
    user_id, provider_name, provider_type, issuer, primary, created_at, signed_out_at = columns
    return LinkedIdentity(
        user_id=user_id,
        provider_name=provider_name,
        provider_type=provider_type,
        issuer=issuer,
        primary=bool(primary),
        created_at=created_at,
        signed_out_at=signed_out_at or 0,
    )


def _age(identity: LinkedIdentity) -> tuple[int, str, str]:
    return identity.created_at, identity.provider_name, identity.user_id
