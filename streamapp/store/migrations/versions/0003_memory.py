"""Results and reports that are remembered, by what they depend on."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the columns, the table and the indexes."""
    op.add_column("jobs", sa.Column("work_hash", sa.String(length=64), nullable=True))
    op.add_column("jobs", sa.Column("content_hash", sa.String(length=64), nullable=True))
    op.add_column("jobs", sa.Column("fresh", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("jobs", sa.Column("remembered", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("jobs", sa.Column("remembered_at", sa.Double(), nullable=True))
    known = sa.text("work_hash IS NOT NULL")
    op.create_index("jobs_by_work", "jobs", ["tenant", "work_hash"], sqlite_where=known, postgresql_where=known)
    op.add_column("chunks", sa.Column("version", sa.Text(), nullable=True))
    op.add_column("chunks", sa.Column("digest", sa.String(length=64), nullable=True))
    op.create_table(
        "remembered",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("predictor", sa.String(length=100), nullable=False),
        sa.Column("bytes", sa.Integer(), nullable=False),
        sa.Column("made_at", sa.Double(), nullable=False),
        sa.Column("used_at", sa.Double(), nullable=False),
        sa.Column("outcomes", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "digest"),
    )
    op.create_index("remembered_by_use", "remembered", ["tenant", "used_at", "bytes"])
    op.create_index("remembered_by_age", "remembered", ["made_at"])
