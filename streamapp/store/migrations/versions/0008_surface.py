"""Finding jobs by what they are and whose they are, and what was done to many."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add the indexes and the table."""
    op.create_index("jobs_by_state", "jobs", ["tenant", "status", "created_at", "id"])
    op.create_index("jobs_by_task", "jobs", ["tenant", "task", "created_at", "id"])
    named = sa.text("email IS NOT NULL")
    columns = ["tenant", "email", "created_at", "id"]
    op.create_index("jobs_by_email", "jobs", columns, sqlite_where=named, postgresql_where=named)
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=True),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=100), nullable=True),
        sa.Column("what", sa.String(length=50), nullable=False),
        sa.Column("filter", sa.Text(), nullable=False),
        sa.Column("changed", sa.Integer(), nullable=False),
    )
    op.create_index("audit_by_tenant", "audit", ["tenant", "id"])
