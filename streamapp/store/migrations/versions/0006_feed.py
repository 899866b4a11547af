"""Numbers by which a tenant's events are read in their order.

What was settled before gets the number 1: below every reader's place, and told to whoever asks for that job alone.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

SETTLED = {
    "jobs": "status IN ('succeeded', 'failed', 'cancelled', 'expired')",
    "deliveries": "state IN ('sent', 'dead', 'parked') OR (state = 'pending' AND attempts > 0)",
}


def upgrade() -> None:
    """Add the columns, number what is there, and make the indexes."""
    for table, settled in SETTLED.items():
        op.add_column(table, sa.Column("feed", sa.BigInteger(), nullable=True))
        op.execute(sa.text(f"UPDATE {table} SET feed = 1 WHERE {settled}"))
        present = sa.text("feed IS NOT NULL")
        op.create_index(
            f"{table}_by_feed", table, ["tenant", "feed", "id"], sqlite_where=present, postgresql_where=present
        )
