"""Finding jobs: a page of a tenant's jobs, newest first, as far as they match a filter.

Each filter by itself is served by an index that has its jobs in the order of the page, so that a page costs what it
shows and not what there is. Two exceptions: words in an error are looked for in the jobs that have one, and an open
state of a delivery in the deliveries that are not sent; both are few.

A page goes on after its last job's place, so that what comes meanwhile moves nothing: new jobs stand before it.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, bindparam, exists, func, or_, select, tuple_

from streamapp.identity import Run
from streamapp.store.cursor import Cursor
from streamapp.store.schema import deliveries, jobs
from streamapp.store.sql import AnyRow

__all__ = ["Wanted", "deliveries_of", "matching"]

WITH_AN_ERROR = ("failed", "cancelled", "expired")
SENT = "sent"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which jobs are meant; what is None or empty does not matter.

    ``created_from`` counts, ``created_before`` does not, so that one day's end is the next one's beginning; seconds
    since the epoch. ``error`` is a part of it, in any case; ``delivery`` the state of the e-mail of the newest run.
    """

    statuses: tuple[str, ...] = ()
    task: str | None = None
    created_from: float | None = None
    created_before: float | None = None
    email: str | None = None
    error: str | None = None
    delivery: str | None = None

    @property
    def asks_for_mail(self) -> bool:
        """Whether it is about who got what."""
        return self.email is not None or self.delivery is not None


def matching(
    connection: Connection, tenant: str, wanted: Wanted, limit: int, after: Cursor | None = None
) -> list[AnyRow]:
    """Those that match, newest first, `limit` at most, behind the place `after`."""
    query = _page(tenant, wanted, limit, after)
    statuses = wanted.statuses or (WITH_AN_ERROR if wanted.error is not None else ())
    if wanted.email is not None and statuses:
        return list(connection.execute(query.where(jobs.c.status.in_(statuses))))
    if not statuses:
        return list(connection.execute(query))
    # a page for each status: an index has the jobs of one in their order, and of several it has not
    pages = [connection.execute(query.where(jobs.c.status == status)).all() for status in dict.fromkeys(statuses)]
    return list(heapq.merge(*pages, key=lambda row: (row.created_at, row.id), reverse=True))[:limit]


def _page(tenant: str, wanted: Wanted, limit: int, after: Cursor | None) -> Select[Any]:
    # the deliveries name those few jobs; an index with the order of the page would lead SQLite through all of them
    age = jobs.c.created_at if wanted.delivery in (None, SENT) else jobs.c.created_at + 0.0
    conditions = [jobs.c.tenant == tenant, *_conditions(tenant, wanted)]
    if after is not None:
        place = tuple_(bindparam("after_at", after.created_at), bindparam("after_id", after.id))
        conditions.append(tuple_(age, jobs.c.id) < place)
    return select(jobs).where(*conditions).order_by(age.desc(), jobs.c.id.desc()).limit(limit)


def _conditions(tenant: str, wanted: Wanted) -> Iterator[ColumnElement[bool]]:
    if wanted.task is not None:
        yield jobs.c.task == wanted.task
    if wanted.created_from is not None:
        yield jobs.c.created_at >= wanted.created_from
    if wanted.created_before is not None:
        yield jobs.c.created_at < wanted.created_before
    if wanted.email is not None:
        yield jobs.c.email == wanted.email
    if wanted.error is not None:
        yield func.lower(jobs.c.error).contains(wanted.error.lower(), autoescape=True)
    if wanted.delivery is not None:
        yield from _delivered(tenant, wanted.delivery)


def _delivered(tenant: str, state: str) -> Iterator[ColumnElement[bool]]:
    """Whether a job's e-mail is in that state. Sent are most, so each job is asked; of the others there are few."""
    mail = and_(deliveries.c.tenant == tenant, deliveries.c.kind == "email", deliveries.c.state == state)
    yield exists().where(mail, deliveries.c.job == jobs.c.id, deliveries.c.run == jobs.c.run)
    if state != SENT:
        yield jobs.c.id.in_(select(deliveries.c.job).where(mail))


def deliveries_of(connection: Connection, rows: Sequence[AnyRow]) -> dict[Run, list[AnyRow]]:
    """The deliveries of these jobs' newest runs."""
    runs = [Run(row.tenant, row.id, row.run) for row in rows]
    found: dict[Run, list[AnyRow]] = {run: [] for run in runs}
    if not runs:
        return found
    of_jobs = or_(*(and_(deliveries.c.tenant == run.tenant, deliveries.c.job == run.job) for run in runs))
    for row in connection.execute(select(deliveries).where(of_jobs).order_by(deliveries.c.kind, deliveries.c.id)):
        if (run := Run(row.tenant, row.job, row.run)) in found:
            found[run].append(row)
    return found
