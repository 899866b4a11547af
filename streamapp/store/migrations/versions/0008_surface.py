"""Finding jobs by what they are and whose they are."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0004"


def upgrade() -> None:
    """Add the indexes."""
    op.create_index("jobs_by_state", "jobs", ["tenant", "status", "created_at", "id"])
    op.create_index("jobs_by_task", "jobs", ["tenant", "task", "created_at", "id"])
    named = sa.text("email IS NOT NULL")
    columns = ["tenant", "email", "created_at", "id"]
    op.create_index("jobs_by_email", "jobs", columns, sqlite_where=named, postgresql_where=named)
