"""A step's chunks and their results: inserted once, stored once, read back in split order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from sqlalchemy import Boolean, Connection, Double, and_, bindparam, case, delete, func, insert, null, select, update

from streamapp.errors import InvalidMessage
from streamapp.identity import Run
from streamapp.store import memory
from streamapp.store.joining import WAITING, join
from streamapp.store.memory import Recalled
from streamapp.store.newchunk import NewChunk
from streamapp.store.often import Often
from streamapp.store.schema import chunks, clock, jobs
from streamapp.store.sql import AnyRow, its, of_run
from streamapp.store.times import elapsed

__all__ = ["ChunkKey", "begin_step", "complete_steps", "results_of", "store_result"]

FLYING, STORED = "flying", "stored"
NOTHING: Mapping[str, Recalled] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class ChunkKey:
    """One chunk for one predictor."""

    run: Run
    step: int
    predictor: str
    chunk: int


_STEP = update(jobs).where(of_run(jobs))
_BEGUN: dict[str, Any] = {
    "status": "running",
    "step": bindparam("to_step"),
    "unfinished": bindparam("left"),
    "waiting": bindparam("left"),
    "total": jobs.c.total + bindparam("items"),
    "started_at": func.coalesce(jobs.c.started_at, clock()),
    "served": func.coalesce(bindparam("level", type_=Double()), jobs.c.served),
    "done": jobs.c.done + bindparam("known"),
    "remembered": jobs.c.remembered + bindparam("known"),
    # the older of the two, or the one there is; least() is spelled differently in SQLite
    "remembered_at": case(
        (jobs.c.remembered_at < bindparam("oldest", type_=Double()), jobs.c.remembered_at),
        else_=func.coalesce(bindparam("oldest", type_=Double()), jobs.c.remembered_at),
    ),
}
BEGIN = Often(_STEP.where(jobs.c.status == "queued").values(**_BEGUN))
GO_ON = Often(_STEP.where(jobs.c.status == "running", jobs.c.step == bindparam("from_step")).values(**_BEGUN))
DROP = Often(delete(chunks).where(of_run(chunks), chunks.c.step <= bindparam("from_step")))
INSERT = Often(insert(chunks))
INSERT_STORED = Often(insert(chunks).values(stored_at=clock()))


def begin_step(
    connection: Connection,
    run: Run,
    before: int | None,
    step: int,
    new: Sequence[NewChunk],
    recalled: Mapping[str, Recalled] = NOTHING,
) -> bool:
    """Go from step `before` (None: from the queue) to `step`: insert its chunks, drop the older ones.

    Those whose digest is in `recalled` have their results at once. When all do, the step is complete, and the caller
    leads on from there. False when the run is elsewhere by now: another did it before, or the job has ended.
    """
    left = [chunk for chunk in new if chunk.digest not in recalled]
    known = _known(new, recalled)
    level = join(connection, run, sorted({chunk.predictor for chunk in left})) if left else None
    values = {
        **its(run),
        "from_step": before,
        "to_step": step,
        "left": len(left),
        "items": sum(chunk.size for chunk in new),
        "level": level,
        "known": sum(chunk.size for chunk, _ in known),
        "oldest": min((result.made_at for _, result in known), default=None),
    }
    if (BEGIN if before is None else GO_ON)(connection, values).rowcount != 1:
        return False
    if before is not None:
        DROP(connection, {**its(run), "from_step": before})
    _insert(connection, run, step, left)
    _insert(connection, run, step, [chunk for chunk, _ in known], [result.outcomes for _, result in known])
    memory.used(connection, run.tenant, recalled)
    return True


def _known(new: Sequence[NewChunk], recalled: Mapping[str, Recalled]) -> list[tuple[NewChunk, Recalled]]:
    return [(chunk, recalled[chunk.digest]) for chunk in new if chunk.digest is not None and chunk.digest in recalled]


def _insert(
    connection: Connection, run: Run, step: int, new: Sequence[NewChunk], outcomes: Sequence[bytes] | None = None
) -> None:
    """Insert chunks that wait, or those that have their `outcomes`."""
    rows = [
        {
            "tenant": run.tenant,
            "job": run.job,
            "run": run.run,
            "step": step,
            "predictor": chunk.predictor,
            "chunk": chunk.chunk,
            "state": WAITING if outcomes is None else STORED,
            "size": chunk.size,
            "payload": chunk.items,
            "version": chunk.version,
            "digest": chunk.digest,
        }
        for chunk in new
    ]
    if rows and outcomes is None:
        INSERT.each(connection, rows)
    elif rows and outcomes is not None:
        stored = [{**row, "outcomes": each} for row, each in zip(rows, outcomes, strict=True)]
        INSERT_STORED.each(connection, stored)


def _this(key: ChunkKey) -> dict[str, Any]:
    return {**its(key.run), "of_step": key.step, "of_predictor": key.predictor, "of_chunk": key.chunk}


THIS = and_(
    of_run(chunks),
    chunks.c.step == bindparam("of_step"),
    chunks.c.predictor == bindparam("of_predictor"),
    chunks.c.chunk == bindparam("of_chunk"),
)
KEPT = Often(select(chunks.c.state, chunks.c.size, chunks.c.version, chunks.c.digest).where(THIS))
STORE = Often(update(chunks).where(THIS).values(state=STORED, outcomes=bindparam("to_outcomes"), stored_at=clock()))
AT_STEP = and_(of_run(jobs), jobs.c.status == "running", jobs.c.step == bindparam("of_step"))
LOCK_JOB = Often(select(jobs.c.id).where(of_run(jobs)).with_for_update())
ONE_LESS = Often(
    update(jobs)
    .where(AT_STEP)
    .values(
        unfinished=jobs.c.unfinished - 1,
        done=jobs.c.done + bindparam("items"),
        waiting=jobs.c.waiting - bindparam("waited"),
        work_hash=case((bindparam("expected", type_=Boolean()), jobs.c.work_hash), else_=null()),
    )
)
DONE = Often(select(jobs).where(AT_STEP, jobs.c.unfinished == 0))
RESULTS = Often(
    select(chunks.c.predictor, chunks.c.chunk, chunks.c.payload, chunks.c.outcomes)
    .where(of_run(chunks), chunks.c.step == bindparam("of_step"))
    .order_by(chunks.c.chunk, chunks.c.predictor)
)


def store_result(
    connection: Connection, key: ChunkKey, outcomes: bytes, version: str | None = None, items: int | None = None
) -> AnyRow | None:
    """Store a result once. The job's row when its step has all its results now, also if this one was there before.

    It is remembered if the predictor's `version` made it for which it was planned. None says that it has errors;
    then, and when another version made it, no other job gets this one's report. Raises `InvalidMessage` when it is of
    another number of `items` than its chunk.
    """
    this = _this(key)
    if connection.dialect.name != "sqlite":  # which has one writer
        # its results come one after the other, and a job is locked before its chunks, here and everywhere
        LOCK_JOB(connection, this).one_or_none()
    row = KEPT(connection, this).one_or_none()
    if row is not None and items is not None and row.size != items:
        raise InvalidMessage(f"it has {items} outcomes for a chunk of {row.size} items")
    if row is not None and row.state != STORED:
        STORE(connection, {**this, "to_outcomes": outcomes})
        expected = version is not None and version == row.version
        if expected and row.digest is not None:
            memory.enter(connection, key.run.tenant, row.digest, key.predictor, outcomes)
        noted = {"items": row.size, "waited": int(row.state == WAITING), "expected": expected}
        ONE_LESS(connection, {**this, **noted})
    return DONE(connection, this).one_or_none()


def results_of(connection: Connection, run: Run, step: int) -> Sequence[AnyRow]:
    """The step's rows (predictor, chunk, payload, outcomes), by chunk: in split order for each predictor."""
    return RESULTS(connection, {**its(run), "of_step": step}).all()


def complete_steps(connection: Connection, grace_s: float, limit: int) -> Sequence[AnyRow]:
    """Running jobs whose step has all its results for more than `grace_s` seconds: nobody may be at it."""
    last = select(func.max(chunks.c.stored_at)).where(
        chunks.c.tenant == jobs.c.tenant, chunks.c.job == jobs.c.id, chunks.c.run == jobs.c.run
    )
    complete = and_(jobs.c.status == "running", jobs.c.unfinished == 0)
    query = select(jobs.c.tenant, jobs.c.id, jobs.c.run, jobs.c.step).where(complete)
    return connection.execute(query.where(elapsed(last.scalar_subquery(), grace_s)).limit(limit)).all()
