"""A key's limits: a bucket of requests, and the jobs of its tenant that have not ended."""

from __future__ import annotations

import asyncio
import re
import uuid
from typing import Any

import pytest
from aiohttp.test_utils import make_mocked_request

from streamapp.intake import buckets
from streamapp.intake.caller import LOCAL, Caller
from streamapp.intake.limits import Limits, names_of
from streamapp.intake.refusal import Refused
from streamapp.store import jobs
from streamapp.store.active import COUNT
from streamapp.store.database import Database
from tests.unit.store.rows import reserved, running


class Clock:
    """The monotonic clock, in the test's hands."""

    now = 50.0

    def monotonic(self) -> float:
        """The time."""
        return self.now


def caller(tenant: str = "anna", key: str = "k", **limits: Any) -> Caller:
    """Who has a key with these limits."""
    return Caller(tenant, frozenset({"submit"}), key, **limits)


def test_requests_come_from_a_bucket(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect as many at once as a minute has, then one for each share of it; and the fields to say so all along."""
    clock = Clock()
    monkeypatch.setattr(buckets, "time", clock)
    limits, anna = Limits(database), caller(per_minute=6)

    left = [limits.take(anna) for _ in range(6)]
    assert [int(fields["RateLimit"].split("r=")[1].split(";")[0]) for fields in left] == [5, 4, 3, 2, 1, 0]
    assert left[0] == {"RateLimit-Policy": '"key";q=6;w=60', "RateLimit": '"key";r=5;t=10'}
    with pytest.raises(Refused) as refused:
        limits.take(anna)
    assert (refused.value.problem.status, refused.value.retry_after_s) == (429, 10)
    assert refused.value.headers["RateLimit"] == '"key";r=0;t=60'
    assert limits.take(caller(key="another", per_minute=6))["RateLimit"] == '"key";r=5;t=10'

    clock.now += 10
    assert limits.take(anna)["RateLimit"] == '"key";r=0;t=60'
    with pytest.raises(Refused):
        limits.take(anna)
    clock.now += 3600
    assert limits.take(anna)["RateLimit"] == '"key";r=5;t=10'


def test_who_has_no_limit(database: Database) -> None:
    """I expect nothing to be counted or said."""
    limits = Limits(database)
    assert [limits.take(LOCAL) for _ in range(1000)] == [{}] * 1000


async def send(limits: Limits, who: Caller, job: str | None = None, key: str | None = None) -> bool:
    """Whether there was room."""
    headers = {"Idempotency-Key": key} if key else {}
    request: Any = make_mocked_request("POST", "/", headers=headers, match_info={"job_id": job} if job else {})
    try:
        async with limits.room(who, request):
            await asyncio.sleep(0)
    except Refused as error:
        return (error.problem.status, error.retry_after_s) != (429, 2)
    return True


async def test_jobs_that_have_not_ended_take_room(database: Database) -> None:
    """I expect queued and running ones of the tenant to count, whoever sent them, and one that ends to make room."""
    limits, anna = Limits(database), caller(active_jobs=3)
    reserved(database)
    run = running(database)
    reserved(database, "bert")
    assert await send(limits, anna)
    reserved(database)
    assert not await send(limits, anna)
    assert await send(limits, caller(active_jobs=4))
    assert await send(limits, caller())
    database.write_sync(jobs.end, run, "succeeded")
    assert await send(limits, anna)


async def test_many_at_once_do_not_slip_by(database: Database) -> None:
    """I expect requests under way to count, and to count no more when they are done, or were refused."""
    limits, anna = Limits(database), caller(active_jobs=3)
    reserved(database)
    through = await asyncio.gather(*(send(limits, anna) for _ in range(10)))
    assert sum(through) <= 2
    assert await send(limits, anna)
    assert not limits._coming["anna"]


async def test_what_is_there_may_be_sent_again(database: Database) -> None:
    """I expect a repeated request to need no room: its job has it already. One of another tenant's does."""
    limits, anna = Limits(database), caller(active_jobs=1)
    run = reserved(database, id=str(uuid.uuid4()), idempotency_key="mine")
    assert await send(limits, anna, job=run.job.upper())
    assert await send(limits, anna, key="mine")
    assert not await send(limits, anna, job=str(uuid.uuid4()), key="another")
    reserved(database, "bert")
    assert not await send(limits, caller("bert", active_jobs=1), job=run.job, key="mine")


@pytest.mark.parametrize("text", ["\0", "\udcff", "é", "job\n"])
def test_what_can_name_no_job_is_not_looked_for(text: str) -> None:
    """I expect the store not to be asked for what it can't even hold."""
    assert names_of(text, text) == (None, None)


def test_counting_takes_the_index(database: Database) -> None:
    """I expect the jobs of years not to be looked through."""
    sql = re.sub(r":\w+", "1", str(COUNT.compile(compile_kwargs={"literal_binds": False})))
    with database.connection() as connection:
        plan = str(connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}").all())
    assert "jobs_by_state (tenant=? AND status=?)" in plan
