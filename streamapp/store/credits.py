"""Fair by credits: which waiting chunk flies next.

The number of chunks that fly is counted from the chunks' own rows each time, never kept beside them, so a credit can't
be lost or made: a result, a cancel or an end frees it by being written. Who is next is stride scheduling: the tenant,
then within it the job, that was served least so far, each chunk counting inversely to the weight.

Source: Waldspurger and Weihl, Stride Scheduling: Deterministic Proportional-Share Resource Management (1995).
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, and_, exists, func, select, update

from streamapp.store.chunks import FLYING, WAITING
from streamapp.store.schema import chunks, clock, jobs, tenants
from streamapp.store.sql import AnyRow

__all__ = ["take_off", "weight_of"]

LOCK = 0x63726564697473  # "credits"
CANDIDATES = 64  # the least served jobs that are looked at; one more never starves, it becomes the least served


def weight_of(priority: int) -> float:
    """Each step of priority doubles a job's share of its tenant's credits; priority is -3 to 3."""
    return float(2.0**priority)


@dataclass(slots=True)
class _Waiting:
    tenant: str
    job: str
    run: int
    weight: float
    tenant_weight: float
    served: float
    tenant_served: float


def take_off(connection: Connection, predictor: str, credits: int) -> list[AnyRow]:
    """Give free credits to the chunks that are due. Returns their rows joined with their jobs', for publishing."""
    if connection.dialect.name == "postgresql":  # SQLite has one writer; here two could count before either takes,
        connection.execute(select(func.pg_advisory_xact_lock(LOCK)))  # and of whatever predictor, both write `served`
    flying = and_(chunks.c.predictor == predictor, chunks.c.state == FLYING)
    free = credits - connection.execute(select(func.count()).select_from(chunks).where(flying)).scalar_one()
    if free <= 0:
        return []
    waiting = _candidates(connection, predictor)
    served = {entry.tenant: entry.tenant_served for entry in waiting}
    chosen: list[AnyRow] = []
    while waiting and len(chosen) < free:
        next_one = min(waiting, key=lambda entry: (served[entry.tenant], entry.served, entry.job))
        row = _next_chunk(connection, next_one, predictor)
        if row is None:
            waiting.remove(next_one)
            continue
        chosen.append(row)
        _fly(connection, row)
        next_one.served += 1 / next_one.weight
        served[next_one.tenant] += 1 / next_one.tenant_weight
        _remember(connection, next_one, served[next_one.tenant])
    return chosen


def _candidates(connection: Connection, predictor: str) -> list[_Waiting]:
    """The jobs that wait for this predictor. They are locked here: everything locks a job first, then its chunks."""
    for_this = (chunks.c.tenant == jobs.c.tenant, chunks.c.job == jobs.c.id, chunks.c.run == jobs.c.run)
    waits = exists().where(*for_this, chunks.c.predictor == predictor, chunks.c.state == WAITING)
    query = (
        select(
            jobs.c.tenant,
            jobs.c.id,
            jobs.c.run,
            jobs.c.priority,
            jobs.c.served,
            tenants.c.weight,
            tenants.c.served.label("tenant_served"),
        )
        .join(tenants, tenants.c.tenant == jobs.c.tenant)
        .where(jobs.c.status == "running", jobs.c.waiting > 0, waits)
        .order_by(tenants.c.served, jobs.c.served, jobs.c.id)
        .limit(CANDIDATES)
        .with_for_update(of=jobs)
    )
    return [
        _Waiting(row.tenant, row.id, row.run, weight_of(row.priority), row.weight, row.served, row.tenant_served)
        for row in connection.execute(query)
    ]


def _next_chunk(connection: Connection, entry: _Waiting, predictor: str) -> AnyRow | None:
    mine = and_(chunks.c.tenant == entry.tenant, chunks.c.job == entry.job, chunks.c.run == entry.run)
    query = (
        select(chunks, jobs.c.document, jobs.c.media_type, jobs.c.deadline, jobs.c.size.label("document_size"))
        .join(jobs, and_(jobs.c.tenant == chunks.c.tenant, jobs.c.id == chunks.c.job))
        .where(mine, chunks.c.predictor == predictor, chunks.c.state == WAITING)
        .order_by(chunks.c.step, chunks.c.chunk)
        .limit(1)
        .with_for_update(of=chunks, skip_locked=True)
    )
    return connection.execute(query).one_or_none()


def _fly(connection: Connection, row: AnyRow) -> None:
    key = ("tenant", "job", "run", "step", "predictor", "chunk")
    this = and_(*(chunks.c[name] == getattr(row, name) for name in key))
    connection.execute(update(chunks).where(this).values(state=FLYING, flying_at=clock()))


def _remember(connection: Connection, entry: _Waiting, tenant_served: float) -> None:
    mine = and_(jobs.c.tenant == entry.tenant, jobs.c.id == entry.job, jobs.c.run == entry.run)
    connection.execute(update(jobs).where(mine).values(served=entry.served, waiting=jobs.c.waiting - 1))
    connection.execute(update(tenants).where(tenants.c.tenant == entry.tenant).values(served=tenant_served))
