"""Where messages were put, leases for what one worker does at a time, and what is left of removed jobs."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the columns and the tables."""
    for table in ("jobs", "chunks", "deliveries"):
        op.add_column(table, sa.Column("sent_partition", sa.Integer(), nullable=True))
        op.add_column(table, sa.Column("sent_offset", sa.BigInteger(), nullable=True))
    op.create_table(
        "leases",
        sa.Column("name", sa.String(length=50), nullable=False),
        sa.Column("owner", sa.String(length=100), nullable=False),
        sa.Column("taken_at", sa.Double(), nullable=False),
        sa.Column("lease_until", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "tombstones",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("job", sa.String(length=36), nullable=False),
        sa.Column("run", sa.Integer(), nullable=False),
        sa.Column("body_hash", sa.String(length=64), nullable=False),
        sa.Column("idempotency_key", sa.String(length=255), nullable=True),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("removed_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "job"),
    )
    op.create_index("tombstones_by_key", "tombstones", ["tenant", "idempotency_key"])
    op.create_index("tombstones_by_age", "tombstones", ["removed_at"])
    op.create_table(
        "spoken_for",
        sa.Column("delivery", sa.String(length=64), nullable=False),
        sa.Column("noted_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("delivery"),
    )
