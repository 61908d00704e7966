"""The tables, as they are after the last migration.

Columns are of types that SQLite and PostgreSQL drivers hand over as they are (text, bytes, numbers),
because ``engine.py`` runs statements without SQLAlchemy's conversions. Secrets are not here, only
their digests. Keys compare and sort byte by byte on both databases.

Keys and indexes begin with the column that tells most apart. A database without statistics takes
the pool for as good a choice as any, and would read all of it to find one user.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
)

REVISION = "0004"
"""The last migration: a database that names it needs no work at start."""

Key = Text().with_variant(Text(collation="C"), "postgresql")

metadata = MetaData()

# Short-lived state. A row past its time counts as absent, and the sweep removes it.

single_use = Table(
    "single_use",
    metadata,
    Column("pool_id", Key, nullable=False),
    Column("kind", Key, nullable=False),
    Column("digest", Key, nullable=False),
    Column("value", LargeBinary, nullable=False),
    Column("uses", Integer, nullable=False),
    Column("expires_at", Double, nullable=False),
    PrimaryKeyConstraint("digest", "kind", "pool_id"),
    Index("single_use_expiry", "expires_at"),
    sqlite_with_rowid=False,
)

seen = Table(
    "seen",
    metadata,
    Column("pool_id", Key, nullable=False),
    Column("scope", Key, nullable=False),
    Column("digest", Key, nullable=False),
    Column("expires_at", Double, nullable=False),
    PrimaryKeyConstraint("digest", "scope", "pool_id"),
    Index("seen_expiry", "expires_at"),
    sqlite_with_rowid=False,
)

sessions = Table(
    "sessions",
    metadata,
    Column("pool_id", Key, nullable=False),
    Column("digest", Key, nullable=False),
    Column("person", Key, nullable=False),
    Column("value", LargeBinary, nullable=False),
    Column("expires_at", Double, nullable=False),
    PrimaryKeyConstraint("digest", "pool_id"),
    Index("sessions_person", "person", "pool_id"),
    Index("sessions_expiry", "expires_at"),
    sqlite_with_rowid=False,
)

# Durable: the directory.

users = Table(
    "users",
    metadata,
    Column("pool_id", Key, nullable=False),
    Column("sub", Key, nullable=False),
    Column("username", Key, nullable=False),
    Column("status", Text, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("attributes", Text, nullable=False),  # a JSON object of strings
    Column("created_at", BigInteger, nullable=False),
    Column("modified_at", BigInteger, nullable=False),
    Column("tokens_valid_after", BigInteger, nullable=False),
    PrimaryKeyConstraint("sub", "pool_id"),
    Index("users_username", "pool_id", "username", unique=True),
)

identities = Table(
    "identities",
    metadata,
    Column("pool_id", Key, nullable=False),
    Column("provider_name", Key, nullable=False),
    Column("user_id", Key, nullable=False),
    Column("sub", Key, nullable=False),
    Column("provider_type", Text, nullable=False),
    Column("issuer", Text),
    Column("is_primary", Boolean, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("signed_out_at", BigInteger),  # null: never by its provider
    PrimaryKeyConstraint("user_id", "provider_name", "pool_id"),
    ForeignKeyConstraint(["sub", "pool_id"], ["users.sub", "users.pool_id"], ondelete="CASCADE"),
    Index("identities_user", "sub", "pool_id"),
    sqlite_with_rowid=False,
)

memberships = Table(
    "memberships",
    metadata,
    Column("pool_id", Key, nullable=False),
    Column("sub", Key, nullable=False),
    Column("group_name", Key, nullable=False),
    PrimaryKeyConstraint("sub", "group_name", "pool_id"),
    ForeignKeyConstraint(["sub", "pool_id"], ["users.sub", "users.pool_id"], ondelete="CASCADE"),
    sqlite_with_rowid=False,
)

expected_links = Table(
    "expected_links",
    metadata,
    Column("pool_id", Key, nullable=False),
    Column("provider_name", Key, nullable=False),
    Column("attribute", Key, nullable=False),
    Column("value", Key, nullable=False),
    Column("sub", Key, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("value", "attribute", "provider_name", "pool_id"),
    ForeignKeyConstraint(["sub", "pool_id"], ["users.sub", "users.pool_id"], ondelete="CASCADE"),
    Index("expected_links_user", "sub", "pool_id"),
    Index("expected_links_provider", "provider_name", "pool_id", "attribute"),
    sqlite_with_rowid=False,
)

# Durable: refresh tokens. The facts of a family never change, so each of its tokens carries them:
# a sign-in is one insert, a refresh one look-up.

refresh_tokens = Table(
    "refresh_tokens",
    metadata,
    Column("pool_id", Key, nullable=False),
    Column("digest", Key, nullable=False),
    Column("origin_jti", Key, nullable=False),
    Column("client_id", Text, nullable=False),
    Column("sub", Key, nullable=False),
    Column("scopes", Text, nullable=False),  # separated by spaces, as on the wire
    Column("auth_time", BigInteger, nullable=False),
    Column("issued_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("resource", Text),
    Column("provider", Key),  # null: of a version that did not keep it
    Column("replaced_until", Double),  # null: current; else the end of its grace period
    PrimaryKeyConstraint("digest", "pool_id"),
    Index("refresh_tokens_family", "origin_jti", "pool_id"),
    Index("refresh_tokens_user", "sub", "pool_id"),
    Index("refresh_tokens_expiry", "expires_at"),
    sqlite_with_rowid=False,
)

revoked_families = Table(
    "revoked_families",
    metadata,
    Column("pool_id", Key, nullable=False),
    Column("origin_jti", Key, nullable=False),
    Column("keep_until", Double, nullable=False),
    PrimaryKeyConstraint("origin_jti", "pool_id"),
    Index("revoked_families_expiry", "keep_until"),
    sqlite_with_rowid=False,
)

# Durable: what one machine has fetched for all.

documents = Table(
    "documents",
    metadata,
    Column("digest", Key, nullable=False),
    Column("document", LargeBinary),
    Column("note", LargeBinary, nullable=False),
    Column("noted_at", Double, nullable=False),
    PrimaryKeyConstraint("digest"),
)
