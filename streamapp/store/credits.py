"""Fair by credits: which waiting chunk flies next.

The number of chunks that fly is counted from the chunks' own rows each time, never kept beside them, so a credit can't
be lost or made: a result, a cancel or an end frees it by being written. Who is next is stride scheduling: the tenant,
then within it the job, that was served least so far, each chunk counting inversely to the weight.

Within a tenant every other credit is for the smallest newcomer, a job of which nothing has flown yet, if one waits: so
a short job waits for a chunk or two and not for one of each of fifty books. The credits between go by the passes alone:
were newcomers always first, a book would starve as long as they keep coming.

Source: Waldspurger and Weihl, Stride Scheduling: Deterministic Proportional-Share Resource Management (1995).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, and_, func, or_, select, update

from streamapp.store.chunks import FLYING
from streamapp.store.joining import WAITING, is_new, waits_for
from streamapp.store.schema import chunks, clock, jobs, tenants
from streamapp.store.sql import AnyRow

__all__ = ["take_off", "weight_of"]

LOCK = 0x63726564697473  # "credits"
CANDIDATES = 64  # newcomers, and others, that are looked at: the least served; one more never starves, it becomes one


def weight_of(priority: int) -> float:
    """Each step of priority doubles a job's share of its tenant's credits; priority is -3 to 3."""
    return float(2.0**priority)


@dataclass(slots=True)
class _Tenant:
    weight: float
    served: float
    turn: int


@dataclass(slots=True)
class _Waiting:
    tenant: str
    job: str
    run: int
    weight: float
    served: float
    since: float
    chunks: int
    new: bool


def take_off(connection: Connection, predictor: str, credits: int) -> list[AnyRow]:
    """Give free credits to the chunks that are due. Returns their rows joined with their jobs', for publishing."""
    if connection.dialect.name == "postgresql":  # SQLite has one writer; here two could count before either takes,
        connection.execute(select(func.pg_advisory_xact_lock(LOCK)))  # and of whatever predictor, both write `served`
    flying = and_(chunks.c.predictor == predictor, chunks.c.state == FLYING)
    free = credits - connection.execute(select(func.count()).select_from(chunks).where(flying)).scalar_one()
    if free <= 0:
        return []
    waiting, owners = _candidates(connection, predictor)
    chosen: list[AnyRow] = []
    while waiting and len(chosen) < free:
        next_one = _next_job(waiting, owners)
        row = _next_chunk(connection, next_one, predictor)
        if row is None:
            waiting.remove(next_one)
            continue
        chosen.append(row)
        _fly(connection, row)
        owner = owners[next_one.tenant]
        owner.served += 1 / owner.weight
        owner.turn = 1 - owner.turn
        next_one.served += 1 / next_one.weight
        next_one.new = False
        _remember(connection, next_one, owner)
    return chosen


def _next_job(waiting: Sequence[_Waiting], owners: Mapping[str, _Tenant]) -> _Waiting:
    """The least served tenant's next job: its smallest newcomer if it is their turn, else its least served one."""
    tenant = min({entry.tenant for entry in waiting}, key=lambda name: (owners[name].served, name))
    mine = [entry for entry in waiting if entry.tenant == tenant]
    newcomers = [entry for entry in mine if entry.new]
    if newcomers and not owners[tenant].turn:
        return min(newcomers, key=lambda entry: (entry.chunks / entry.weight, entry.since, entry.job))
    return min(mine, key=lambda entry: (entry.served, entry.since, entry.job))


def _candidates(connection: Connection, predictor: str) -> tuple[list[_Waiting], dict[str, _Tenant]]:
    """The jobs that wait for this predictor. They are locked here: everything locks a job first, then its chunks."""
    found: dict[tuple[str, str], _Waiting] = {}
    owners: dict[str, _Tenant] = {}
    query = (
        select(
            *(jobs.c[name] for name in ("tenant", "id", "run", "priority", "served", "started_at")),
            *(jobs.c[name] for name in ("done", "waiting", "unfinished")),
            *(tenants.c[name] for name in ("weight", "turn")),
            tenants.c.served.label("tenant_served"),
        )
        .join(tenants, tenants.c.tenant == jobs.c.tenant)
        .where(jobs.c.status == "running", jobs.c.waiting > 0, waits_for(jobs, [predictor]))
        .where(or_(jobs.c.deadline.is_(None), jobs.c.deadline > clock()))  # the sweep ends the others soon
        .with_for_update(of=jobs)
    )
    least = (tenants.c.served, jobs.c.served, jobs.c.started_at, jobs.c.id)
    smallest = query.where(is_new()).order_by(tenants.c.served, jobs.c.waiting, jobs.c.started_at, jobs.c.id)
    for those in (smallest, query.order_by(*least)):
        for row in connection.execute(those.limit(CANDIDATES)):
            owners[row.tenant] = _Tenant(row.weight, row.tenant_served, row.turn)
            weight, new = weight_of(row.priority), not row.done and row.waiting == row.unfinished
            entry = _Waiting(row.tenant, row.id, row.run, weight, row.served, row.started_at, row.waiting, new)
            found[row.tenant, row.id] = entry
    return _level(list(found.values()), owners)


def _level(waiting: list[_Waiting], owners: dict[str, _Tenant]) -> tuple[list[_Waiting], dict[str, _Tenant]]:
    """Nobody is further ahead of the least served than by its own last credit, where credits of one predictor are all.

    What was had of another predictor, a faster one perhaps, is not owed here.
    """
    least = min((owner.served for owner in owners.values()), default=0.0)
    for name, owner in owners.items():
        owner.served = min(owner.served, least + 1 / owner.weight)
        mine = [entry for entry in waiting if entry.tenant == name]
        lowest = min(entry.served for entry in mine)
        for entry in mine:
            entry.served = min(entry.served, lowest + 1 / entry.weight)
    return waiting, owners


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


def _remember(connection: Connection, entry: _Waiting, owner: _Tenant) -> None:
    mine = and_(jobs.c.tenant == entry.tenant, jobs.c.id == entry.job, jobs.c.run == entry.run)
    connection.execute(update(jobs).where(mine).values(served=entry.served, waiting=jobs.c.waiting - 1))
    its = tenants.c.tenant == entry.tenant
    connection.execute(update(tenants).where(its).values(served=owner.served, turn=owner.turn))
