"""What there is of a job that has no report: the results of its step that were stored."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, select

from streamapp.identity import Run
from streamapp.store.chunks import STORED
from streamapp.store.schema import chunks
from streamapp.store.sql import AnyRow, its, of_run

__all__ = ["stored_of"]

SO_FAR = (
    select(chunks.c.predictor, chunks.c.chunk, chunks.c.payload, chunks.c.outcomes)
    .where(of_run(chunks), chunks.c.step == bindparam("of_step"), chunks.c.state == STORED)
    .order_by(chunks.c.chunk, chunks.c.predictor)
)


def stored_of(connection: Connection, run: Run, step: int) -> Sequence[AnyRow]:
    """Rows (predictor, chunk, payload, outcomes) of those that have a result, by chunk; there may be gaps."""
    return connection.execute(SO_FAR, {**its(run), "of_step": step}).all()
