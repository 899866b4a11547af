"""Where a job starts among those that wait, found without reading all of them."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

WAITS = sa.text("status = 'running' AND waiting <> 0")
SERVED = sa.text("status = 'running' AND NOT (done = 0 AND waiting = unfinished AND unfinished > 0)")


def upgrade() -> None:
    """Add the indexes."""
    op.create_index("jobs_waiting", "jobs", ["tenant", "served"], sqlite_where=WAITS, postgresql_where=WAITS)
    columns = ["tenant", "served", "waiting"]
    op.create_index("jobs_served", "jobs", columns, sqlite_where=SERVED, postgresql_where=SERVED)
