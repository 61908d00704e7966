"""Links that wait for a first sign-in."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "expected_links",
        sa.Column("pool_id", KEY, nullable=False),
        sa.Column("provider_name", KEY, nullable=False),
        sa.Column("attribute", KEY, nullable=False),
        sa.Column("value", KEY, nullable=False),
        sa.Column("sub", KEY, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("value", "attribute", "provider_name", "pool_id"),
        sa.ForeignKeyConstraint(
            ["sub", "pool_id"], ["users.sub", "users.pool_id"], ondelete="CASCADE"
        ),
        sqlite_with_rowid=False,
    )
    op.create_index("expected_links_user", "expected_links", ["sub", "pool_id"])
    op.create_index(
        "expected_links_provider", "expected_links", ["provider_name", "pool_id", "attribute"]
    )


def downgrade() -> None:
    op.drop_table("expected_links")
