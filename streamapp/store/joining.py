"""Where a job starts that joins those that wait for credits: it neither jumps ahead of them nor owes them anything.

It starts level with the least served of those of its tenant that have had credits and wait for more. Those of which
nothing has flown yet do not count: they stand where they joined, and while such ones keep coming, nothing would ever
rise. When none waits it starts level with the most served there is, so that nobody who was busy before owes for it
later. The tenant, if it waits for nothing, joins the other tenants in the same way. Only those count that want the same
predictors: who waits for one that hangs is served nothing, and would draw the newcomers of the others down with it.

Sources: Waldspurger and Weihl, Stride Scheduling (1995), "dynamic client participation"; Goyal, Vin and Cheng,
Start-time Fair Queueing (1996), for the level when nobody waits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Double,
    Integer,
    Table,
    and_,
    bindparam,
    exists,
    func,
    literal_column,
    not_,
    select,
    update,
)

from streamapp.identity import Run
from streamapp.store.often import Often
from streamapp.store.schema import chunks, jobs, tenants
from streamapp.store.sql import its, of_run

__all__ = ["WAITING", "is_new", "join", "waits_for"]

WAITING = "waiting"
# in the statement and not beside it: an index of some rows serves only who says for those that it asks for them
RUNNING = jobs.c.status == literal_column("'running'")
ZERO: ColumnElement[int] = literal_column("0", Integer)

Predictors: TypeAlias = "Sequence[str] | BindParameter[Any]"


def waits_for(of: Table, predictors: Predictors) -> ColumnElement[bool]:
    """Whether a job (a row of `jobs` or an alias of it) has a chunk for one of these that waits for a credit."""
    return exists().where(*_its_chunks(of, predictors), chunks.c.state == WAITING)


def is_new() -> ColumnElement[bool]:
    """Whether nothing of a running job has flown yet."""
    return and_(jobs.c.done == ZERO, jobs.c.waiting == jobs.c.unfinished, jobs.c.unfinished > ZERO)


def join(connection: Connection, run: Run, predictors: Sequence[str]) -> float:
    """The pass that a run starts a step with; its tenant's is raised too if it joins the others just now."""
    these = {**its(run), "predictors": list(predictors)}
    place = PLACE(connection, these).one()
    if place.newcomers is None:
        _join_tenants(connection, these)
    return max(float(place.level or 0.0), float(place.own or 0.0))


def _its_chunks(of: Table, predictors: Predictors) -> tuple[ColumnElement[bool], ...]:
    same = (chunks.c.tenant == of.c.tenant, chunks.c.job == of.c.id, chunks.c.run == of.c.run)
    return (*same, chunks.c.predictor.in_(predictors))


def _join_tenants(connection: Connection, these: Mapping[str, Any]) -> None:
    level = LEAST_TENANT(connection, these).scalar_one()
    if level is None:
        level = MOST_TENANT(connection).scalar_one()
    if level is not None:
        RAISE_TENANT(connection, {"of_tenant": these["of_tenant"], "to_level": level})


THESE: BindParameter[Any] = bindparam("predictors", expanding=True)
MY_TENANT: BindParameter[Any] = bindparam("of_tenant")
WAITS = and_(RUNNING, jobs.c.waiting != ZERO, waits_for(jobs, THESE))  # not `>`: see the index
# each finds its row at the end of an index that holds no others: thousands may wait, and each step of each job asks
_MINE = select(jobs.c.served).where(jobs.c.tenant == MY_TENANT).limit(1)
_NEWCOMERS = _MINE.where(WAITS).order_by(jobs.c.served).scalar_subquery()
_LEAST_SERVED = _MINE.where(WAITS, not_(is_new())).order_by(jobs.c.served).scalar_subquery()
_MOST_SERVED = _MINE.where(RUNNING, not_(is_new()), exists().where(*_its_chunks(jobs, THESE)))
PLACE = Often(
    select(
        func.coalesce(_LEAST_SERVED, _MOST_SERVED.order_by(jobs.c.served.desc()).scalar_subquery(), _NEWCOMERS).label(
            "level"
        ),
        _NEWCOMERS.label("newcomers"),
        select(jobs.c.served).where(of_run(jobs)).scalar_subquery().label("own"),
    )
)
LEAST_TENANT = Often(
    select(func.min(tenants.c.served))
    .where(tenants.c.tenant.in_(select(jobs.c.tenant).where(RUNNING, jobs.c.waiting > ZERO, waits_for(jobs, THESE))))
    .where(tenants.c.tenant != MY_TENANT, not_(tenants.c.paused))
)
MOST_TENANT = Often(select(func.max(tenants.c.served)))
RAISE_TENANT = Often(
    update(tenants)
    .where(tenants.c.tenant == MY_TENANT, tenants.c.served < bindparam("to_level", type_=Double()))
    .values(served=bindparam("to_level", type_=Double()))
)
