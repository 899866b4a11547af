"""The same request twice is one job, also when the two race; the same key for other work is refused."""

from __future__ import annotations

import asyncio
import threading
import uuid
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from streamapp.documents.claim import Blobs
from streamapp.identity import Run
from streamapp.intake.refusal import Refused
from streamapp.intake.service import Intake
from streamapp.intake.submission import parse_submission
from streamapp.store.database import Database
from streamapp.store.migrate import migrate
from streamapp.store.sql import AnyRow
from streamapp.tasks.echo import Echo
from streamapp.tasks.registry import Registry
from streamapp.testing.deployment import Deployment

ROUNDS = 40
TENANT = "default"
LONG = "Longer than what travels inside its reference. " * 200


@pytest.mark.parametrize(
    "again",
    [
        {"task": "echo", "text": "A line.", "params": {}},
        {"text": "A line.", "task": "echo", "params": {"chunk": 1000}, "priority": 0},
        {"task": "echo", "document": "QSBsaW5lLg==", "media_type": "text/plain; charset=utf-8"},
    ],
    ids=["the same", "defaults spelled out", "as base64"],
)
def test_the_same_key_with_the_same_body_is_one_job(deployment: Deployment, again: dict[str, Any]) -> None:
    """202 with the same id and Location, however the same body is written."""
    key = {"Idempotency-Key": uuid.uuid4().hex}
    first = deployment.http.post("/v1/jobs", json={"task": "echo", "text": "A line."}, headers=key)

    second = deployment.http.post("/v1/jobs", json=again, headers=key)

    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json()["id"] == second.json()["id"]
    assert first.headers["Location"] == second.headers["Location"]


@pytest.mark.parametrize(
    "changed",
    [
        {"text": "Another."},
        {"params": {"chunk": 2}},
        {"email": "a@localhost"},
        {"priority": 1},
        {"name": "a"},
        {"deadline": (datetime.now(UTC) + timedelta(hours=1)).isoformat()},
    ],
    ids=lambda changed: next(iter(changed)),
)
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_the_same_key_with_another_body_is_refused(
    deployment: Deployment, method: str, changed: dict[str, Any]
) -> None:
    """422 that names the key (or the id), and the first job stays what it was."""
    path, headers = ("/v1/jobs", {"Idempotency-Key": uuid.uuid4().hex})
    if method == "PUT":
        path, headers = f"/v1/jobs/{uuid.uuid4()}", {}
    body = {"task": "echo", "text": "A line."}
    first = deployment.http.request(method, path, json=body, headers=headers).json()["id"]

    answer = deployment.http.request(method, path, json={**body, **changed}, headers=headers)

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["Idempotency-Key" if method == "POST" else "id"]
    assert deployment.finished(first)["report"]["text"] == "A line."


def test_put_twice_is_one_job(deployment: Deployment) -> None:
    """The client's own UUID, in whatever spelling, is the job's id."""
    identity = uuid.uuid4()
    for spelling in (str(identity), str(identity).upper(), identity.hex):
        answer = deployment.http.put(f"/v1/jobs/{spelling}", json={"task": "echo", "text": "A line."})
        assert answer.status_code == 202
        assert answer.json()["id"] == str(identity)
        assert answer.headers["Location"] == f"/v1/jobs/{identity}"


def test_put_with_the_key_of_another_job_is_refused(deployment: Deployment) -> None:
    """A PUT never answers with a job of another id."""
    body, key = {"task": "echo", "text": "A line."}, {"Idempotency-Key": uuid.uuid4().hex}
    deployment.http.post("/v1/jobs", json=body, headers=key)
    identity = uuid.uuid4()

    answer = deployment.http.put(f"/v1/jobs/{identity}", json=body, headers=key)

    assert answer.status_code == 422
    assert deployment.http.get(f"/v1/jobs/{identity}").status_code == 404


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_race_over_http(deployment: Deployment, method: str) -> None:
    """Two bodies, two requests each, all at once: one body wins both of its requests, the other is refused twice."""
    with ThreadPoolExecutor(4) as threads:
        for _ in range(ROUNDS // 2):
            identity = str(uuid.uuid4())
            path = "/v1/jobs" if method == "POST" else f"/v1/jobs/{identity}"
            headers = {"Idempotency-Key": identity} if method == "POST" else {}
            bodies = [{"task": "echo", "text": text} for text in ("One.", "Other.", "One.", "Other.")]
            start = threading.Barrier(len(bodies))

            def post(body: dict[str, str], path: str = path, headers: Any = headers, start: Any = start) -> Any:
                start.wait(10)
                return deployment.http.request(method, path, json=body, headers=headers)

            answers = list(threads.map(post, bodies))

            codes = [answer.status_code for answer in answers]
            assert codes in ([202, 422, 202, 422], [422, 202, 422, 202])
            assert len({answer.json()["id"] for answer in answers if answer.status_code == 202}) == 1


@pytest_asyncio.fixture
async def stores(tmp_path: Path) -> AsyncIterator[list[Database]]:
    """One store as two workers open it, and nobody who plans from it."""
    databases = [Database(f"sqlite:///{tmp_path / 'streamapp.db'}") for _ in range(2)]
    await asyncio.to_thread(migrate, databases[0])
    yield databases
    for database in databases:
        database.close()


@pytest.mark.parametrize("by", ["key", "job_id"])
async def test_a_race_with_planning_stopped(stores: list[Database], tmp_path: Path, by: str) -> None:
    """What decides is the reservation, not what follows it; losers leave no document and publish nothing."""
    published: list[Run] = []

    async def publish(rows: Sequence[AnyRow]) -> None:
        published.extend(Run(row.tenant, row.id, row.run) for row in rows)

    blobs = Blobs((tmp_path / "blobs").as_uri())
    intakes = [Intake(Registry([Echo()]), store, blobs, publish) for store in stores]
    bodies = [parse_submission({"task": "echo", "text": LONG + text}) for text in ("One.", "Other.", "One.", "Other.")]
    for _ in range(ROUNDS):
        name: dict[str, Any] = {by: str(uuid.uuid4())}
        outcomes = await asyncio.gather(
            *(intakes[turn % 3 % 2].submit(TENANT, body, **name) for turn, body in enumerate(bodies)),
            return_exceptions=True,
        )
        won = [not isinstance(outcome, Refused) for outcome in outcomes]
        assert won in ([True, False, True, False], [False, True, False, True])
        rows = [outcome.row for outcome in outcomes if not isinstance(outcome, BaseException)]
        assert len({row.id for row in rows}) == 1
        with blobs.open(rows[0].document) as document:
            assert document.read().decode() == bodies[won.index(True)].text

    assert len([path for path in (tmp_path / "blobs").rglob("*") if path.is_file()]) == ROUNDS
    assert len(published) == len(set(published)) == ROUNDS


async def test_a_request_that_is_cancelled_within_its_write(stores: list[Database], tmp_path: Path) -> None:
    """The write stands all the same, so the document stays too: a client that asks again gets a job that can run."""
    blobs = Blobs((tmp_path / "blobs").as_uri())

    async def publish(rows: Sequence[AnyRow]) -> None:
        """Nothing."""

    intake = Intake(Registry([Echo()]), stores[0], blobs, publish)
    free = threading.Event()
    busy = asyncio.create_task(stores[0].write(lambda _: free.wait(10)))
    identity, body = str(uuid.uuid4()), parse_submission({"task": "echo", "text": LONG})
    request = asyncio.create_task(intake.submit(TENANT, body, job_id=identity))
    async with asyncio.timeout(10):
        while not stores[0]._writes._waiting:  # type: ignore[union-attr]  # until it waits behind the other write
            await asyncio.sleep(0.01)

    request.cancel()
    await asyncio.wait({request})
    free.set()
    await busy

    row = (await intake.submit(TENANT, body, job_id=identity)).row
    with blobs.open(row.document) as document:
        assert document.read().decode() == LONG
