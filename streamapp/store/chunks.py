"""A step's chunks and their results: inserted once, stored once, read back in split order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, func, insert, select, update

from streamapp.identity import Run
from streamapp.store.joining import WAITING, join
from streamapp.store.schema import chunks, clock, jobs
from streamapp.store.sql import AnyRow
from streamapp.store.times import elapsed

__all__ = ["ChunkKey", "NewChunk", "begin_step", "complete_steps", "results_of", "size_of", "store_result"]

FLYING, STORED = "flying", "stored"


@dataclass(frozen=True, slots=True)
class ChunkKey:
    """One chunk for one predictor."""

    run: Run
    step: int
    predictor: str
    chunk: int


@dataclass(frozen=True, slots=True)
class NewChunk:
    """A chunk as split made it: ``items`` is a JSON array of ``size`` items."""

    predictor: str
    chunk: int
    size: int
    items: bytes


def begin_step(connection: Connection, run: Run, before: int | None, step: int, new: Sequence[NewChunk]) -> bool:
    """Go from step `before` (None: from the queue) to `step`: insert its chunks, drop the older ones.

    False when the run is elsewhere by now: another did it before, or the job has ended.
    """
    here = jobs.c.status == "queued" if before is None else and_(jobs.c.status == "running", jobs.c.step == before)
    mine = and_(jobs.c.tenant == run.tenant, jobs.c.id == run.job, jobs.c.run == run.run)
    values: dict[str, Any] = {
        "status": "running",
        "step": step,
        "unfinished": len(new),
        "waiting": len(new),
        "total": jobs.c.total + sum(chunk.size for chunk in new),
        "started_at": func.coalesce(jobs.c.started_at, clock()),
    }
    if new:
        values["served"] = join(connection, run, sorted({chunk.predictor for chunk in new}))
    if connection.execute(update(jobs).where(mine, here).values(**values)).rowcount != 1:
        return False
    _drop(connection, run, step - 1)
    rows = [
        {
            "tenant": run.tenant,
            "job": run.job,
            "run": run.run,
            "step": step,
            "predictor": chunk.predictor,
            "chunk": chunk.chunk,
            "state": WAITING,
            "size": chunk.size,
            "payload": chunk.items,
        }
        for chunk in new
    ]
    if rows:
        connection.execute(insert(chunks), rows)
    return True


def _is(key: ChunkKey) -> ColumnElement[bool]:
    return and_(
        chunks.c.tenant == key.run.tenant,
        chunks.c.job == key.run.job,
        chunks.c.run == key.run.run,
        chunks.c.step == key.step,
        chunks.c.predictor == key.predictor,
        chunks.c.chunk == key.chunk,
    )


def size_of(connection: Connection, key: ChunkKey) -> int | None:
    """How many items that chunk has; None when there is no such chunk (any more)."""
    return connection.execute(select(chunks.c.size).where(_is(key))).scalar_one_or_none()


def store_result(connection: Connection, key: ChunkKey, outcomes: bytes) -> bool:
    """Store a result once. True when the step has all its results now, also if this one was there before."""
    run = key.run
    mine = and_(jobs.c.tenant == run.tenant, jobs.c.id == run.job, jobs.c.run == run.run)
    # its results come one after the other, and a job is locked before its chunks, here and everywhere
    connection.execute(select(jobs.c.id).where(mine).with_for_update()).one_or_none()
    chunk = _is(key)
    row = connection.execute(select(chunks.c.state, chunks.c.size).where(chunk)).one_or_none()
    if row is not None and row.state != STORED:
        connection.execute(update(chunks).where(chunk).values(state=STORED, outcomes=outcomes, stored_at=clock()))
        fewer = {"unfinished": jobs.c.unfinished - 1, "done": jobs.c.done + row.size}
        if row.state == WAITING:
            fewer["waiting"] = jobs.c.waiting - 1
        connection.execute(
            update(jobs).where(mine, jobs.c.status == "running", jobs.c.step == key.step).values(**fewer)
        )
    done = and_(mine, jobs.c.status == "running", jobs.c.step == key.step, jobs.c.unfinished == 0)
    return connection.execute(select(jobs.c.id).where(done)).one_or_none() is not None


def results_of(connection: Connection, run: Run, step: int) -> Sequence[AnyRow]:
    """The step's rows (predictor, chunk, payload, outcomes), by chunk: in split order for each predictor."""
    mine = and_(chunks.c.tenant == run.tenant, chunks.c.job == run.job, chunks.c.run == run.run, chunks.c.step == step)
    columns = (chunks.c.predictor, chunks.c.chunk, chunks.c.payload, chunks.c.outcomes)
    return connection.execute(select(*columns).where(mine).order_by(chunks.c.chunk, chunks.c.predictor)).all()


def complete_steps(connection: Connection, grace_s: float, limit: int) -> Sequence[AnyRow]:
    """Running jobs whose step has all its results for more than `grace_s` seconds: nobody may be at it."""
    last = select(func.max(chunks.c.stored_at)).where(
        chunks.c.tenant == jobs.c.tenant, chunks.c.job == jobs.c.id, chunks.c.run == jobs.c.run
    )
    complete = and_(jobs.c.status == "running", jobs.c.unfinished == 0)
    query = select(jobs.c.tenant, jobs.c.id, jobs.c.run, jobs.c.step).where(complete)
    return connection.execute(query.where(elapsed(last.scalar_subquery(), grace_s)).limit(limit)).all()


def _drop(connection: Connection, run: Run, step: int) -> None:
    mine = and_(chunks.c.tenant == run.tenant, chunks.c.job == run.job, chunks.c.run == run.run)
    connection.execute(delete(chunks).where(mine, chunks.c.step <= step))
