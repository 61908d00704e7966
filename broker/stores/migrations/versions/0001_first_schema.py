"""The first schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "refresh_tokens",
        sa.Column("pool_id", KEY, nullable=False),
        sa.Column("digest", KEY, nullable=False),
        sa.Column("origin_jti", KEY, nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("sub", KEY, nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("auth_time", sa.BigInteger(), nullable=False),
        sa.Column("issued_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("resource", sa.Text()),
        sa.Column("replaced_until", sa.Double()),
        sa.PrimaryKeyConstraint("digest", "pool_id"),
        sqlite_with_rowid=False,
    )
    op.create_index("refresh_tokens_expiry", "refresh_tokens", ["expires_at"])
    op.create_index("refresh_tokens_family", "refresh_tokens", ["origin_jti", "pool_id"])
    op.create_index("refresh_tokens_user", "refresh_tokens", ["sub", "pool_id"])
    op.create_table(
        "revoked_families",
        sa.Column("pool_id", KEY, nullable=False),
        sa.Column("origin_jti", KEY, nullable=False),
        sa.Column("keep_until", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("origin_jti", "pool_id"),
        sqlite_with_rowid=False,
    )
    op.create_index("revoked_families_expiry", "revoked_families", ["keep_until"])
    op.create_table(
        "seen",
        sa.Column("pool_id", KEY, nullable=False),
        sa.Column("scope", KEY, nullable=False),
        sa.Column("digest", KEY, nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("digest", "scope", "pool_id"),
        sqlite_with_rowid=False,
    )
    op.create_index("seen_expiry", "seen", ["expires_at"])
    op.create_table(
        "sessions",
        sa.Column("pool_id", KEY, nullable=False),
        sa.Column("digest", KEY, nullable=False),
        sa.Column("person", KEY, nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("digest", "pool_id"),
        sqlite_with_rowid=False,
    )
    op.create_index("sessions_expiry", "sessions", ["expires_at"])
    op.create_index("sessions_person", "sessions", ["person", "pool_id"])
    op.create_table(
        "single_use",
        sa.Column("pool_id", KEY, nullable=False),
        sa.Column("kind", KEY, nullable=False),
        sa.Column("digest", KEY, nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.Column("uses", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("digest", "kind", "pool_id"),
        sqlite_with_rowid=False,
    )
    op.create_index("single_use_expiry", "single_use", ["expires_at"])
    op.create_table(
        "users",
        sa.Column("pool_id", KEY, nullable=False),
        sa.Column("sub", KEY, nullable=False),
        sa.Column("username", KEY, nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("attributes", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("modified_at", sa.BigInteger(), nullable=False),
        sa.Column("tokens_valid_after", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("sub", "pool_id"),
    )
    op.create_index("users_username", "users", ["pool_id", "username"], unique=True)
    op.create_table(
        "identities",
        sa.Column("pool_id", KEY, nullable=False),
        sa.Column("provider_name", KEY, nullable=False),
        sa.Column("user_id", KEY, nullable=False),
        sa.Column("sub", KEY, nullable=False),
        sa.Column("provider_type", sa.Text(), nullable=False),
        sa.Column("issuer", sa.Text()),
        sa.Column("is_primary", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["sub", "pool_id"], ["users.sub", "users.pool_id"], ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", "provider_name", "pool_id"),
        sqlite_with_rowid=False,
    )
    op.create_index("identities_user", "identities", ["sub", "pool_id"])
    op.create_table(
        "memberships",
        sa.Column("pool_id", KEY, nullable=False),
        sa.Column("sub", KEY, nullable=False),
        sa.Column("group_name", KEY, nullable=False),
        sa.ForeignKeyConstraint(
            ["sub", "pool_id"], ["users.sub", "users.pool_id"], ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("sub", "group_name", "pool_id"),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    for table in (
        "memberships",
        "identities",
        "users",
        "single_use",
        "sessions",
        "seen",
        "revoked_families",
        "refresh_tokens",
    ):
        op.drop_table(table)
