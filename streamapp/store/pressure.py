"""How old the oldest message is that still waits to be read and done: what `streamapp.jobs.pressure` looks at."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, and_, exists, func, not_, select

from streamapp.store.chunks import FLYING
from streamapp.store.schema import chunks, clock, deliveries, jobs
from streamapp.store.upkeep import dead_letters

__all__ = ["oldest_s"]


def oldest_s(connection: Connection) -> float:
    """Seconds since the oldest published message whose row is open; 0 when there is none.

    What an open dead letter stands for was read, and waits for an operator and not in a topic.
    """
    queued = and_(jobs.c.status == "queued", not_(_buried(jobs.c.id)))
    flying = and_(chunks.c.state == FLYING, not_(_buried(chunks.c.job)))
    oldest = (
        select(func.min(jobs.c.published_at)).where(queued),
        select(func.min(chunks.c.published_at)).where(flying),
        select(func.min(deliveries.c.published_at)).where(deliveries.c.state == "pending"),
    )
    ages = [connection.execute(select(clock() - each.scalar_subquery())).scalar_one() for each in oldest]
    return max(0.0, *(age for age in ages if age is not None), 0.0)


def _buried(job: ColumnElement[str]) -> ColumnElement[bool]:
    return exists().where(dead_letters.c.job == job, dead_letters.c.state == "open")
