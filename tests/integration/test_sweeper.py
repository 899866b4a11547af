"""What is stuck is driven again by one worker, and what only waits by none: on the real broker."""

from __future__ import annotations

import asyncio
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest
from aiokafka.admin import AIOKafkaAdminClient
from sqlalchemy import Connection, select, update

from streamapp.identity import Run
from streamapp.settings import Settings
from streamapp.store import chunks as chunk_rows
from streamapp.store.database import Database
from streamapp.store.newchunk import NewChunk
from streamapp.store.reservations import NewJob, reserve
from streamapp.store.schema import chunks, clock, deliveries, jobs
from streamapp.store.upkeep import leases
from streamapp.testing.deployment import Deployment, until
from streamapp.topics import provision
from tests.integration.observer import committed, messages

ECHO = {
    "STREAMAPP_ONLY_TASKS": '["echo"]',
    "STREAMAPP_DEFAULT_TASK": "echo",
    "STREAMAPP_DEVICE": "cpu",
    "STREAMAPP_TOPIC_PARTITIONS": "3",
}
WAITING = 500
ROUNDS_S = 20.0  # sweeps come every second, looks for what was lost every five


class WithoutModels(Deployment):
    """A deployment whose worker has no model worker, so that chunks wait; ready is then as soon as it answers."""

    def __init__(self, broker: str, folder: Path) -> None:
        super().__init__(broker, folder, {**ECHO, "STREAMAPP_MODEL_WORKERS": "0"})

    def ready(self) -> bool:
        """Whether it answers."""
        try:
            return self.http.get("/healthz").status_code == 200
        except httpx.TransportError:
            return False


def store(deployment: Deployment) -> Database:
    """The deployment's own."""
    return Database(f"sqlite:///{deployment.home / 'streamapp.db'}")


def a_job(connection: Connection) -> Run:
    """An echo of six letters, as the intake would reserve it a minute ago."""
    new = NewJob(
        tenant="default",
        id=str(uuid.uuid4()),
        task="echo",
        params='{"chunk": 1000}',
        name="lost",
        document="data:;base64,SGVsbG8u",
        media_type="text/plain",
        size=6,
        body_hash="x",
    )
    reserve(connection, new)
    connection.execute(update(jobs).where(jobs.c.id == new.id).values(created_at=clock() - 60.0))
    return Run("default", new.id, 1)


def sweeping(database: Database) -> str | None:
    """Who has the lease now."""
    query = select(leases.c.owner).where(leases.c.name == "sweep", leases.c.lease_until > clock())
    return database.read_sync(lambda connection: connection.execute(query).scalar_one_or_none())


def pid_of(owner: str) -> int:
    """The worker's process."""
    return int(owner.rsplit("-", 2)[1])


def per_job(deployment: Deployment, topic: str) -> Counter[str]:
    """How many messages each job has on a topic."""
    seen = messages(deployment.environment["STREAMAPP_BROKER"], deployment.prefix + topic)
    return Counter(each.value["job_id"] for each in seen if each.value)


def what_was_said(deployment: Deployment) -> list[str]:
    """The lines of the worker's log that tell why a message is published again."""
    return [line for line in deployment.log.read_text().splitlines() if "relay" in line or "were lost" in line]


@contextmanager
def constant_load(deployment: Deployment) -> Iterator[list[str]]:
    """Jobs that come and come, so that no topic is ever read to its end."""
    submitted: list[str] = []
    over = threading.Event()

    def submit() -> None:
        while not over.wait(0.05):
            submitted.append(deployment.submit({"task": "echo", "text": "Load. " * 50, "params": {"chunk": 50}}))

    thread = threading.Thread(target=submit, name="load")
    thread.start()
    try:
        yield submitted
    finally:
        over.set()
        thread.join()


@pytest.mark.timeout(120)
def test_a_chunk_that_was_swallowed_under_a_constant_load(deployment: Deployment) -> None:
    """I expect a chunk whose message was read and acknowledged, and of which no result came, to be published again."""
    broker, group = deployment.environment["STREAMAPP_BROKER"], deployment.environment["STREAMAPP_GROUP"]
    topic = f"{deployment.prefix}chunks.echo"
    with closing(store(deployment)) as database, constant_load(deployment) as load:
        until(lambda: len(load) > 10, 30, "some load")
        read = until(
            lambda: {at[1]: offset for at, offset in committed(broker, f"{group}-inference").items() if at[0] == topic},
            30,
            "chunks that were acknowledged",
        )
        partition, offset = next(iter(read.items()))

        def swallowed(connection: Connection) -> Run:
            run = a_job(connection)
            chunk_rows.begin_step(connection, run, None, 0, [NewChunk("echo", 0, 1, b'[{"text": "Hello."}]')])
            flying = {"state": "flying", "flying_at": clock(), "published_at": clock()}
            place = {"sent_partition": partition, "sent_offset": offset - 1}
            connection.execute(update(chunks).where(chunks.c.job == run.job).values(**flying, **place))
            connection.execute(update(jobs).where(jobs.c.id == run.job).values(waiting=0))
            return run

        run = database.write_sync(swallowed)
        assert deployment.finished(run.job, 60)["report"]["text"] == "Hello."
    ended = [deployment.finished(job, 60) for job in load]
    assert {job["status"] for job in ended} == {"succeeded"}
    said = what_was_said(deployment)
    assert [line for line in said if "were lost" in line and "of chunks.echo" not in line] == []
    if not any("left to the relay" in line for line in said):  # a broker that took too long may have both
        counts = per_job(deployment, "inference")  # with the jobs of other tests, some of which ran twice
        assert {job: counts[job] for job in load if counts[job] != 1} == {}, said
    assert per_job(deployment, "chunks.echo")[run.job] == 1


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_one_sweeps_and_nothing_that_waits_is_sent_twice(broker: str, tmp_path: Path) -> None:
    """I expect 500 jobs that wait for a model worker to be published once each, whoever sweeps; one worker to sweep at
    a time; and after kill -9 of that one the other to publish what is left within seconds.
    """
    with WithoutModels(broker, tmp_path) as first, closing(store(first)) as database:
        waiting = [first.submit({"task": "echo", "text": f"Job {number}."}) for number in range(WAITING)]
        second = first.another()
        second.start()
        running = select(jobs.c.id).where(jobs.c.status == "running")
        until(lambda: len(database.read_sync(lambda c: c.execute(running).all())) == WAITING, 180, "plans")
        owners = set()
        end = time.monotonic() + ROUNDS_S
        while time.monotonic() < end:
            owners.add(sweeping(database))
            time.sleep(0.2)
        assert len(owners) == 1
        assert per_job(first, "inference") == dict.fromkeys(waiting, 1)
        flying = select(chunks.c.job).where(chunks.c.state == "flying")
        given = {row.job for row in database.read_sync(lambda c: c.execute(flying).all())}
        assert per_job(first, "chunks.echo") == dict.fromkeys(given, 1)

        (owner,) = owners
        assert owner is not None
        mine = pid_of(owner) in {process.pid for process in first.workers("streamapp")}
        holder, survivor = (first, second) if mine else (second, first)
        holder.kill("streamapp")
        left = database.write_sync(a_job)
        until(lambda: sweeping(database) not in (owner, None), 8, "the other to sweep", 0.05)
        published = select(jobs.c.id).where(jobs.c.id == left.job, jobs.c.published_at.is_not(None))
        until(lambda: database.read_sync(lambda c: c.execute(published).all()), 5, "what was left", 0.05)

        holder.stop()
        survivor.stop()
        assert sweeping(database) is None  # it gave the lease back
        survivor.environment["STREAMAPP_MODEL_WORKERS"] = "1"
        survivor.start()
        assert {survivor.finished(job, 240)["status"] for job in (*waiting, left.job)} == {"succeeded"}
        assert per_job(first, "inference") == dict.fromkeys((*waiting, left.job), 1)
        assert per_job(first, "chunks.echo") == dict.fromkeys((*waiting, left.job), 1)


async def _make_anew(settings: Settings) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.broker)
    await admin.start()
    try:
        names = [name for name in await admin.list_topics() if name.startswith(settings.topic_prefix)]
        await admin.delete_topics(names)
        while set(names) & set(await admin.list_topics()):
            await asyncio.sleep(0.2)
    finally:
        await admin.close()
    await provision(settings, ["echo"])


@pytest.mark.timeout(400)
def test_topics_that_are_made_anew_in_the_middle(broker: str, tmp_path: Path) -> None:
    """I expect jobs that wait to be planned, that wait for a model, and e-mails that wait to be sent, to go on."""
    with WithoutModels(broker, tmp_path) as deployment, closing(store(deployment)) as database:
        submitted = [deployment.submit({"task": "echo", "text": f"Job {number}."}) for number in range(12)]
        flying = select(chunks.c.job).where(chunks.c.state == "flying", chunks.c.published_at.is_not(None))
        until(lambda: database.read_sync(lambda c: c.execute(flying).all()), 90, "chunks that fly")
        deployment.stop()

        def unplanned(connection: Connection) -> Run:
            run = a_job(connection)
            sent = {"published_at": clock(), "sent_partition": 1, "sent_offset": 10**6}
            connection.execute(update(jobs).where(jobs.c.id == run.job).values(**sent))
            return run

        submitted.append(database.write_sync(unplanned).job)
        settings = Settings(broker=broker, topic_prefix=deployment.prefix, topic_partitions=3)
        thread = threading.Thread(target=lambda: asyncio.run(_make_anew(settings)))
        thread.start()
        thread.join()
        deployment.environment["STREAMAPP_MODEL_WORKERS"] = "1"
        deployment.start()
        assert {deployment.finished(job, 150)["status"] for job in submitted} == {"succeeded"}
        open_ = select(deliveries.c.id).where(deliveries.c.state != "sent")
        until(lambda: not database.read_sync(lambda c: c.execute(open_).all()), 20, "every delivery")
