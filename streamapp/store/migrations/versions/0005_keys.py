"""Who may: API keys, tenants that are paused, and indexes of the jobs that have not ended and those with an e-mail."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make the table, the column and the indexes."""
    op.create_table(
        "api_keys",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("login_of", sa.String(length=32), nullable=True),
        sa.Column("per_minute", sa.Integer(), nullable=True),
        sa.Column("active_jobs", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=True),
        sa.Column("last_used_at", sa.Double(), nullable=True),
        sa.Column("revoked_at", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("api_keys_logins", "api_keys", ["login_of", "expires_at"], unique=False)
    op.add_column("tenants", sa.Column("paused", sa.Boolean(), nullable=False, server_default=sa.false()))
    mailed = sa.text("email IS NOT NULL")
    columns = ["email", "created_at"]
    op.create_index("jobs_by_recipient", "jobs", columns, unique=False, sqlite_where=mailed, postgresql_where=mailed)
