"""A step's chunks and their results: inserted once, stored once, read back in split order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, delete, func, insert, select, update

from streamapp.identity import Run
from streamapp.store import memory
from streamapp.store.joining import WAITING, join
from streamapp.store.memory import Recalled
from streamapp.store.schema import chunks, clock, jobs
from streamapp.store.sql import AnyRow
from streamapp.store.times import elapsed

__all__ = ["ChunkKey", "NewChunk", "begin_step", "complete_steps", "results_of", "size_of", "store_result"]

FLYING, STORED = "flying", "stored"
NOTHING: Mapping[str, Recalled] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class ChunkKey:
    """One chunk for one predictor."""

    run: Run
    step: int
    predictor: str
    chunk: int


@dataclass(frozen=True, slots=True)
class NewChunk:
    """A chunk as split made it: ``items`` is a JSON array of ``size`` items.

    ``version`` is the predictor's, ``digest`` what the result depends on; without one that is not remembered.
    """

    predictor: str
    chunk: int
    size: int
    items: bytes
    version: str | None = None
    digest: str | None = None


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
    here = jobs.c.status == "queued" if before is None else and_(jobs.c.status == "running", jobs.c.step == before)
    mine = and_(jobs.c.tenant == run.tenant, jobs.c.id == run.job, jobs.c.run == run.run)
    left = sum(chunk.digest not in recalled for chunk in new)
    values: dict[str, Any] = {
        "status": "running",
        "step": step,
        "unfinished": left,
        "waiting": left,
        "total": jobs.c.total + sum(chunk.size for chunk in new),
        "started_at": func.coalesce(jobs.c.started_at, clock()),
        **_counted(new, recalled),
    }
    if left:
        wanted = {chunk.predictor for chunk in new if chunk.digest not in recalled}
        values["served"] = join(connection, run, sorted(wanted))
    if connection.execute(update(jobs).where(mine, here).values(**values)).rowcount != 1:
        return False
    _drop(connection, run, step - 1)
    _insert(connection, run, step, [chunk for chunk in new if chunk.digest not in recalled])
    known = _known(new, recalled)
    _insert(connection, run, step, [chunk for chunk, _ in known], [result.outcomes for _, result in known])
    memory.used(connection, run.tenant, recalled)
    return True


def _known(new: Sequence[NewChunk], recalled: Mapping[str, Recalled]) -> list[tuple[NewChunk, Recalled]]:
    return [(chunk, recalled[chunk.digest]) for chunk in new if chunk.digest is not None and chunk.digest in recalled]


def _counted(new: Sequence[NewChunk], recalled: Mapping[str, Recalled]) -> dict[str, Any]:
    """What the job notes of those of its items that are remembered."""
    known = _known(new, recalled)
    if not known:
        return {}
    items, oldest = sum(chunk.size for chunk, _ in known), min(result.made_at for _, result in known)
    # least() is spelled differently in SQLite
    at = case((jobs.c.remembered_at < oldest, jobs.c.remembered_at), else_=oldest)
    return {"done": jobs.c.done + items, "remembered": jobs.c.remembered + items, "remembered_at": at}


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
        connection.execute(insert(chunks), rows)
    elif rows and outcomes is not None:
        stored = [{**row, "outcomes": each} for row, each in zip(rows, outcomes, strict=True)]
        connection.execute(insert(chunks).values(stored_at=clock()), stored)


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


def store_result(connection: Connection, key: ChunkKey, outcomes: bytes, version: str | None = None) -> bool:
    """Store a result once. True when the step has all its results now, also if this one was there before.

    It is remembered if the predictor's `version` made it for which it was planned. None says that it has errors;
    then, and when another version made it, no other job gets this one's report.
    """
    run = key.run
    mine = and_(jobs.c.tenant == run.tenant, jobs.c.id == run.job, jobs.c.run == run.run)
    # its results come one after the other, and a job is locked before its chunks, here and everywhere
    connection.execute(select(jobs.c.id).where(mine).with_for_update()).one_or_none()
    chunk = _is(key)
    columns = (chunks.c.state, chunks.c.size, chunks.c.version, chunks.c.digest)
    row = connection.execute(select(*columns).where(chunk)).one_or_none()
    if row is not None and row.state != STORED:
        connection.execute(update(chunks).where(chunk).values(state=STORED, outcomes=outcomes, stored_at=clock()))
        fewer: dict[str, Any] = {"unfinished": jobs.c.unfinished - 1, "done": jobs.c.done + row.size}
        if row.state == WAITING:
            fewer["waiting"] = jobs.c.waiting - 1
        if version is None or version != row.version:
            fewer["work_hash"] = None
        elif row.digest is not None:
            memory.enter(connection, run.tenant, row.digest, key.predictor, outcomes)
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
