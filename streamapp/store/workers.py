"""The model workers that were heard of lately: how many credits there are, and whether the service is ready."""

from __future__ import annotations

import json
from collections.abc import Sequence

from sqlalchemy import Connection, delete, func, select

from streamapp.models import WorkerBeat
from streamapp.store.often import Often
from streamapp.store.schema import clock
from streamapp.store.sql import AnyRow, upsert
from streamapp.store.times import within
from streamapp.store.upkeep import workers

__all__ = ["ALIVE_S", "alive", "count", "heard"]

ALIVE_S = 10.0  # five beats
FORGOTTEN_S = 3600.0
COUNT = Often(select(func.count()).select_from(workers).where(within(workers.c.seen_at, ALIVE_S)))


def heard(connection: Connection, beat: WorkerBeat) -> None:
    """Note a beat; a worker that says that it leaves is gone at once."""
    if beat.leaving:
        connection.execute(delete(workers).where(workers.c.id == beat.worker))
        return
    values = {
        "id": beat.worker,
        "host": beat.host,
        "pid": beat.pid,
        "device": beat.device,
        "predictors": json.dumps(beat.predictors),
        "items_done": beat.items,
        "chunks_done": beat.chunks,
        "seconds_busy": beat.seconds_busy,
        "seen_at": clock(),
    }
    upsert(connection, workers, ("id",), values)
    connection.execute(delete(workers).where(workers.c.seen_at < clock() - FORGOTTEN_S))


def alive(connection: Connection) -> Sequence[AnyRow]:
    """The workers heard of within `ALIVE_S` seconds, with ``seen_s``, the seconds since."""
    seen = (clock() - workers.c.seen_at).label("seen_s")
    return connection.execute(select(workers, seen).where(within(workers.c.seen_at, ALIVE_S))).all()


def count(connection: Connection) -> int:
    """How many are alive."""
    return int(COUNT(connection).scalar_one())
