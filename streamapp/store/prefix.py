"""The chunks of a step, from the first one on, that have all their results: what a partial report is about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, func, select

from streamapp.identity import Run
from streamapp.store import jobs
from streamapp.store.chunks import FLYING
from streamapp.store.joining import WAITING
from streamapp.store.schema import chunks
from streamapp.store.sql import AnyRow, its, of_run

__all__ = ["Prefix", "prefix"]

_OF_STEP = (of_run(chunks), chunks.c.step == bindparam("of_step"))
FIRST_OPEN = select(func.min(chunks.c.chunk)).where(
    *_OF_STEP, chunks.c.state.in_((WAITING, FLYING)), chunks.c.predictor.in_(bindparam("predictors", expanding=True))
)
_BEFORE = (*_OF_STEP, chunks.c.chunk < bindparam("end"))
BYTES = select(func.sum(func.length(chunks.c.payload) + func.length(chunks.c.outcomes))).where(*_BEFORE)
RESULTS = (
    select(chunks.c.predictor, chunks.c.chunk, chunks.c.size, chunks.c.payload, chunks.c.outcomes)
    .where(*_BEFORE)
    .order_by(chunks.c.chunk, chunks.c.predictor)
)


@dataclass(frozen=True, slots=True)
class Prefix:
    """The job's row, how many chunks and items, and the results by chunk as `chunks.results_of` gives them."""

    job: AnyRow
    chunks: int
    items: int
    rows: Sequence[AnyRow]


def prefix(
    connection: Connection, run: Run, step: int, predictors: Sequence[str], known: int, most: int
) -> Prefix | None:
    """What there is of a running step with these predictors: more than `known` chunks, and not all of them yet.

    None for anything else, and when the results have more than `most` bytes.
    """
    row = jobs.get(connection, run)
    if row is None or row.status != "running" or row.step != step:
        return None
    these = {**its(run), "of_step": step}
    end = connection.execute(FIRST_OPEN, {**these, "predictors": predictors}).scalar_one()
    if end is None or end <= known:
        return None
    if connection.execute(BYTES, {**these, "end": end}).scalar_one() > most:
        return None
    rows = connection.execute(RESULTS, {**these, "end": end}).all()
    return Prefix(row, end, sum({each.chunk: each.size for each in rows}.values()), rows)
