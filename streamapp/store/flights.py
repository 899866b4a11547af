"""The rows behind the credits: chunks that fly, those that wait to, and what their jobs and tenants have had."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from sqlalchemy import Connection, Integer, and_, bindparam, case, func, not_, or_, select, update

from streamapp.identity import Run
from streamapp.store.chunks import FLYING
from streamapp.store.joining import WAITING, is_new, waits_for
from streamapp.store.often import Often
from streamapp.store.schema import chunks, clock, jobs, tenants
from streamapp.store.sql import AnyRow, its, of_run

__all__ = ["candidates", "fly", "in_the_air", "note_tenants", "waiting_chunks"]

CANDIDATES = 64  # newcomers, and others, that are looked at: the least served; one more never starves, it becomes one
AT_ONCE = 4  # chunks of a job that are read at a time: they hold what they are about
_OF_PREDICTOR = chunks.c.predictor == bindparam("of_predictor")
_SMALL = case((chunks.c.size * 2 <= bindparam("full", type_=Integer()), chunks.c.size), else_=0)
IN_THE_AIR = Often(
    select(
        func.count().label("chunks"),
        func.coalesce(func.sum(chunks.c.size), 0).label("items"),
        func.coalesce(func.sum(_SMALL), 0).label("small"),
    )
    .select_from(chunks)
    .where(_OF_PREDICTOR, chunks.c.state == FLYING)
)
_CANDIDATES = (
    select(
        *(jobs.c[name] for name in ("tenant", "id", "run", "priority", "served", "started_at")),
        *(jobs.c[name] for name in ("done", "waiting", "unfinished")),
        *(tenants.c[name] for name in ("weight", "turn")),
        tenants.c.served.label("tenant_served"),
    )
    .join(tenants, tenants.c.tenant == jobs.c.tenant)
    .where(jobs.c.status == "running", jobs.c.waiting > 0, not_(tenants.c.paused))
    .where(waits_for(jobs, bindparam("predictors", expanding=True)))
    .where(or_(jobs.c.deadline.is_(None), jobs.c.deadline > clock()))  # the sweep ends the others soon
    .limit(CANDIDATES)
    .with_for_update(of=jobs)
)
SMALLEST = Often(_CANDIDATES.where(is_new()).order_by(tenants.c.served, jobs.c.waiting, jobs.c.started_at, jobs.c.id))
LEAST_SERVED = Often(_CANDIDATES.order_by(tenants.c.served, jobs.c.served, jobs.c.started_at, jobs.c.id))
NEXT_CHUNKS = Often(
    select(chunks, jobs.c.document, jobs.c.media_type, jobs.c.deadline, jobs.c.size.label("document_size"))
    .join(jobs, and_(jobs.c.tenant == chunks.c.tenant, jobs.c.id == chunks.c.job))
    .where(of_run(chunks), _OF_PREDICTOR, chunks.c.state == WAITING, chunks.c.chunk > bindparam("after"))
    .order_by(chunks.c.step, chunks.c.chunk)
    .limit(AT_ONCE)
    .with_for_update(of=chunks, skip_locked=True)
)
FLY = Often(
    update(chunks)
    .where(of_run(chunks), chunks.c.step == bindparam("of_step"), _OF_PREDICTOR)
    .where(chunks.c.chunk == bindparam("of_chunk"))
    .values(state=FLYING, flying_at=clock())
)
SERVE_JOB = Often(
    update(jobs).where(of_run(jobs)).values(served=bindparam("to_served"), waiting=jobs.c.waiting - bindparam("fewer"))
)
SERVE_TENANT = Often(
    update(tenants)
    .where(tenants.c.tenant == bindparam("of_tenant"))
    .values(served=bindparam("to_served"), turn=bindparam("to_turn"))
)


def in_the_air(connection: Connection, predictor: str, full: int) -> tuple[int, int, int]:
    """How many chunks of that predictor fly, their items, and those of chunks of no more than half of `full`."""
    row = IN_THE_AIR(connection, {"of_predictor": predictor, "full": full}).one()
    return row.chunks, row.items, row.small


def candidates(connection: Connection, predictor: str) -> Iterator[AnyRow]:
    """The jobs that wait for that predictor, with their tenants' weight, turn and pass; some of them twice.

    They are locked here: everything locks a job first, then its chunks.
    """
    for those in (SMALLEST, LEAST_SERVED):
        yield from those(connection, {"predictors": [predictor]})


def waiting_chunks(connection: Connection, run: Run, predictor: str) -> Iterator[AnyRow]:
    """A job's waiting chunks in their order, with what publishing them needs."""
    these = {**its(run), "of_predictor": predictor, "after": -1}
    while rows := NEXT_CHUNKS(connection, these).all():
        yield from rows
        if len(rows) < AT_ONCE:
            return
        these["after"] = rows[-1].chunk


def fly(connection: Connection, rows: Sequence[AnyRow], served: Mapping[Run, float]) -> None:
    """Note that these chunks fly, and the passes that their jobs have `served` by now."""
    if not rows:
        return
    runs = [Run(row.tenant, row.job, row.run) for row in rows]
    names = ("step", "predictor", "chunk")
    keys = [{f"of_{name}": getattr(row, name) for name in names} for row in rows]
    FLY.each(connection, [{**its(run), **key} for run, key in zip(runs, keys, strict=True)])
    flown = Counter(runs)
    SERVE_JOB.each(connection, [{**its(run), "to_served": served[run], "fewer": flown[run]} for run in sorted(flown)])


def note_tenants(connection: Connection, passes: Sequence[tuple[str, float, int]]) -> None:
    """Note tenants' passes and turns."""
    rows = [{"of_tenant": tenant, "to_served": served, "to_turn": turn} for tenant, served, turn in passes]
    SERVE_TENANT.each(connection, rows)
