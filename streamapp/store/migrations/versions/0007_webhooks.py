"""Where a job's end is told to a program, with room for a URL, and the secrets that this is signed with."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the column and the table, and widen a delivery's recipient."""
    op.add_column("jobs", sa.Column("webhook", sa.String(length=2048), nullable=True))
    with op.batch_alter_table("deliveries") as batch:  # SQLite makes the table anew, PostgreSQL notes the length
        batch.alter_column(
            "recipient", existing_type=sa.String(length=320), type_=sa.String(length=2048), existing_nullable=False
        )
    op.create_table(
        "webhook_secrets",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("secret", sa.String(length=100), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("tenant", "number"),
    )
