"""Whose turn it is within a tenant, and how many of its jobs may run at a time."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the columns."""
    op.add_column("tenants", sa.Column("turn", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("tenants", sa.Column("running", sa.Integer(), nullable=True))
