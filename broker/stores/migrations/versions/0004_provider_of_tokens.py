"""By which provider a refresh token came, and when that provider signed its person out."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.add_column("refresh_tokens", sa.Column("provider", KEY))
    op.add_column("identities", sa.Column("signed_out_at", sa.BigInteger()))


def downgrade() -> None:
    op.drop_column("identities", "signed_out_at")
    op.drop_column("refresh_tokens", "provider")
