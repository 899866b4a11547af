"""Where a job starts that joins those that wait, by what there is: who waits, who has had credits, and for what."""

from __future__ import annotations

from typing import Any

import pytest

from streamapp.store.database import Database
from streamapp.store.joining import join
from streamapp.store.schema import jobs, tenants
from tests.unit.store.rows import put, reserved, row_of, running

NEW: dict[str, Any] = {}
SERVED = {"done": 2, "waiting": 2, "unfinished": 2}
FLYING = {"waiting": 0}
ELSEWHERE = {"tenant": "ben", **SERVED}
OF_ANOTHER = {"predictor": "another", **SERVED}


@pytest.mark.parametrize(
    ("there", "expected"),
    [
        ([], 0.0),
        ([(7.0, SERVED), (5.0, SERVED), (9.0, FLYING), (3.0, NEW)], 5.0),  # the least served of those that go on
        ([(8.0, FLYING), (9.0, FLYING), (3.0, NEW)], 9.0),  # nobody goes on: the most served
        ([(4.0, NEW), (3.0, NEW)], 3.0),  # nothing has flown yet: level with the first
        ([(5.0, ELSEWHERE), (6.0, OF_ANOTHER), (7.0, SERVED)], 7.0),  # those of other tenants and models don't count
        ([(5.0, ELSEWHERE), (6.0, OF_ANOTHER), (4.0, NEW)], 4.0),
        ([(5.0, ELSEWHERE), (6.0, OF_ANOTHER)], 0.0),
    ],
)
def test_the_level(database: Database, there: list[tuple[float, dict[str, Any]]], expected: float) -> None:
    """I expect it by the rows alone, whatever order they came in."""
    for served, given in [*there, *reversed(there)]:
        values = dict(given)
        run = running(database, 2, tenant=values.pop("tenant", "anna"), predictor=values.pop("predictor", "model"))
        put(database, jobs, {"id": run.job}, served=served, **values)
    run = reserved(database)
    assert database.write_sync(join, run, ["model"]) == expected
    put(database, jobs, {"id": run.job}, served=100.0)
    assert database.write_sync(join, run, ["model"]) == 100.0, "its own pass is never taken back"


def test_a_tenant_joins_when_nothing_of_it_waits(database: Database) -> None:
    """I expect its pass to rise to the least of those that wait, and to stay where something of it waits already."""
    for tenant in ("ben", "carl"):
        running(database, tenant=tenant)
    put(database, tenants, {"tenant": "ben"}, served=6.0)
    put(database, tenants, {"tenant": "carl"}, served=4.0)
    run = reserved(database)
    database.write_sync(join, run, ["model"])
    assert row_of(database, tenants, tenant="anna").served == 4.0
    running(database)
    put(database, tenants, {"tenant": "anna"}, served=1.0)
    database.write_sync(join, reserved(database), ["model"])
    assert row_of(database, tenants, tenant="anna").served == 1.0
