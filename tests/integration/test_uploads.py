"""Documents of any size, by streaming upload: never in memory, one blob a job, and none where there is no job."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import sqlite3
import threading
import uuid
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import psutil
import pytest
from sqlalchemy import delete

from streamapp.client import AsyncClient, Client
from streamapp.documents.claim import Blobs
from streamapp.documents.stored import stored
from streamapp.jobs.orphans import LEASE, Orphans
from streamapp.store.database import Database
from streamapp.store.upkeep import leases
from streamapp.testing.deployment import Deployment, until
from tests.integration.places_task import PLACE

MiB = 1 << 20
GROWS_LESS = 50 * MiB
BLOCK = os.urandom(MiB)
BOUNDARY = "frontier"
FORM = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
SETTINGS = {
    "STREAMAPP_TASKS": "tests.integration.places_task:Places",
    "STREAMAPP_ONLY_TASKS": "places,echo",
    "STREAMAPP_DEFAULT_TASK": "places",
    "STREAMAPP_DEVICE": "cpu",
    "STREAMAPP_MAX_BODY_BYTES": str(MiB),
    "STREAMAPP_UPLOADS": "2",
}

pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def running(broker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A worker with a task for large documents, and the largest document that there may be by default."""
    with Deployment(broker, tmp_path_factory.mktemp("uploads"), SETTINGS) as deployment:
        yield deployment


def document(mib: int) -> Iterator[bytes]:
    """So many MiB that no two of which are alike."""
    for number in range(mib):
        yield number.to_bytes(8, "big") + BLOCK[8:]


def crcs(mib: int) -> list[int]:
    """What the task finds in each place of it."""
    found, place = [], b""
    for piece in document(mib):
        place += piece
        if len(place) == PLACE:
            found.append(zlib.crc32(place))
            place = b""
    return found + ([zlib.crc32(place)] if place else [])


def part(name: str, content: bytes, filename: str | None = None) -> bytes:
    """One part of a form, without the boundary behind it."""
    about = f'Content-Disposition: form-data; name="{name}"' + (f'; filename="{filename}"' if filename else "")
    return f"--{BOUNDARY}\r\n{about}\r\n\r\n".encode() + content


def form(mib: int, *after: bytes) -> Iterator[bytes]:
    """A form whose file comes first, and all that says what to do with it after."""
    yield part("file", b"", "a.bin")
    yield from document(mib)
    for each in after:
        yield b"\r\n" + each
    yield f"\r\n--{BOUNDARY}--\r\n".encode()


def documents(deployment: Deployment) -> list[str]:
    """What is kept, whole or half."""
    return list(stored(Blobs((deployment.home / "blobs").as_uri())))


def rows(deployment: Deployment) -> int:
    """How many jobs there are."""
    with closing(sqlite3.connect(f"file:{deployment.home / 'streamapp.db'}?mode=ro", uri=True)) as store:
        return int(store.execute("select count(*) from jobs").fetchone()[0])


class Growth:
    """By how much the jobs worker's memory grew at most, sampled all the while."""

    def __init__(self, deployment: Deployment) -> None:
        (worker,) = deployment.workers("streamapp")
        self._worker: psutil.Process = worker
        self._before = self.most = worker.memory_info().rss
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def _sample(self) -> None:
        while not self._ended.wait(0.02):
            self.most = max(self.most, self._worker.memory_info().rss)

    def __enter__(self) -> Growth:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    @property
    def bytes(self) -> int:
        """So many."""
        return self.most - self._before


def send(deployment: Deployment, how: str, mib: int) -> httpx.Response:
    """The document, in one way or another."""
    size = str(mib * MiB)
    kind = {"Content-Type": "application/octet-stream"}
    if how == "form":
        return deployment.http.post("/v1/jobs", content=form(mib, part("task", b"places")), headers=FORM)
    if how == "text":
        kind = {"Content-Type": "text/plain; charset=latin-1"}
        return deployment.http.post("/v1/jobs?task=places", content=(b"\xe9" * MiB for _ in range(mib)), headers=kind)
    if how == "put":
        path = f"/v1/jobs/{uuid.uuid4()}?task=places"
        return deployment.http.put(path, content=document(mib), headers=kind)  # in chunks
    return deployment.http.post("/v1/jobs?task=places", content=document(mib), headers={**kind, "Content-Length": size})


@pytest.mark.parametrize(
    ("how", "mib"),
    [
        ("raw", 200),
        ("put", 100),
        ("form", 200),
        ("text", 100),
        pytest.param("raw", 1024, marks=pytest.mark.slow),
    ],
)
def test_a_large_document_is_never_in_memory(running: Deployment, how: str, mib: int) -> None:
    """The jobs worker grows by less than 50 MB until the job has ended, and each byte arrives at the model worker."""
    running.finished(running.submit({"task": "places", "text": "Warm."}))
    with Growth(running) as growth:
        answer = send(running, how, mib)
        assert answer.status_code == 202, answer.text
        job = running.finished(answer.json()["id"], 300)

    assert job["status"] == "succeeded", job["error"]
    if how == "text":
        assert job["report"]["data"]["size"] == 2 * mib * MiB  # it is UTF-8 now
    else:
        assert job["report"]["data"] == {"size": mib * MiB, "crcs": crcs(mib)}
    assert growth.bytes < GROWS_LESS
    assert len([path for path in documents(running) if answer.json()["id"] in path]) == 1


def half_sent(deployment: Deployment, how: str = "raw", mib: int = 8, length: int = 64 * MiB) -> socket.socket:
    """A connection that has sent some of a document, so much that it is on the disk in part."""
    connection = socket.create_connection(("127.0.0.1", deployment.port))
    kind = "application/octet-stream" if how == "raw" else FORM["Content-Type"]
    query = "?task=places" if how == "raw" else ""
    head = (
        f"POST /v1/jobs{query} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n"
    )
    connection.sendall(head.encode() + (part("file", b"", "a.bin") if how == "form" else b""))
    for piece in document(mib):
        connection.sendall(piece)
    return connection


def answered(connection: socket.socket) -> bytes:
    """The answer's head."""
    connection.settimeout(60)
    with connection, contextlib.suppress(ConnectionResetError):
        return connection.recv(4096)
    return b""


@pytest.mark.parametrize("how", ["raw", "form"])
def test_a_client_that_goes_away_leaves_nothing(running: Deployment, how: str) -> None:
    """No blob, not half of one, and no row; and its place is free again."""
    before = rows(running), sorted(documents(running))
    for _ in range(3):  # more than there are places
        connection = half_sent(running, how)
        until(lambda: len(documents(running)) > len(before[1]), 30, "the upload to be seen on the disk")
        connection.close()
        until(lambda: sorted(documents(running)) == before[1], 30, "the upload to be gone")
    assert (rows(running), sorted(documents(running))) == before


def test_so_many_are_received_at_a_time(running: Deployment) -> None:
    """503 with Retry-After for one more large document, while small ones are taken; then there is room again."""
    before = len(documents(running))
    held = [half_sent(running), half_sent(running)]
    until(lambda: len(documents(running)) == before + 2, 30, "two uploads on the disk")
    answer = send(running, "raw", 3)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "10")
    assert send(running, "raw", 1).status_code == 202
    for connection in held:
        connection.close()
    until(lambda: send(running, "raw", 3).status_code == 202, 30, "a place")


@pytest.mark.parametrize(
    ("after", "status", "wrong"),
    [
        ([], 422, "task"),
        ([part("task", b"no-such")], 422, "task"),
        ([part("task", b"places"), part("email", b"nobody")], 422, "email"),
        ([part("task", b"places"), part("params", b'{"no": 1}')], 422, "params.no"),
        ([part("task", b"echo")], 415, "media_type"),
        ([part("task", b"echo"), part("media_type", b"text/plain")], 422, "file"),
        ([part("task", b"places"), part("text", b"x" * (MiB + 1))], 413, "body"),
    ],
)
def test_a_form_that_is_refused_after_its_file_leaves_nothing(
    running: Deployment, after: list[bytes], status: int, wrong: str
) -> None:
    """What is wrong may come last: the field is named, and the document that came before it is removed."""
    before = rows(running), sorted(documents(running))
    answer = running.http.post("/v1/jobs", content=form(8, *after), headers=FORM)
    assert answer.status_code == status, answer.text
    assert [error["field"] for error in answer.json()["errors"]] == [wrong]
    assert (rows(running), sorted(documents(running))) == before


def test_fields_after_the_file_hold(running: Deployment) -> None:
    """They are the job's as if they had come first."""
    after = [part("task", b"places"), part("name", b"Sums"), part("priority", b"2"), part("media_type", b"text/plain")]
    text = form(0, *after)
    answer = running.http.post("/v1/jobs", content=[next(text), b"word " * MiB, *text], headers=FORM)
    assert answer.status_code == 202, answer.text
    job = running.finished(answer.json()["id"], 120)
    assert (job["status"], job["name"]) == ("succeeded", "Sums")
    assert job["report"]["data"]["size"] == 5 * MiB


def test_the_same_document_again_is_the_same_job_with_one_blob(running: Deployment) -> None:
    """However it is sent; with another document under the same key 422, and the first one's blob stays."""
    key = {"Idempotency-Key": uuid.uuid4().hex, "Content-Type": "application/octet-stream"}
    before = len(documents(running))
    first = running.http.post("/v1/jobs?task=places", content=document(5), headers=key)
    again = running.http.post("/v1/jobs?task=places", content=document(5), headers=key)
    as_form = [part("task", b"places"), part("media_type", b"application/octet-stream")]
    body = b"".join(form(5, *as_form)).replace(b'; filename="a.bin"', b"")
    third = running.http.post("/v1/jobs", content=body, headers={**key, **FORM})
    other = running.http.post("/v1/jobs?task=places", content=document(6), headers=key)
    assert [answer.status_code for answer in (first, again, third, other)] == [202, 202, 202, 422]
    assert len({answer.json()["id"] for answer in (first, again, third)}) == 1
    assert len(documents(running)) == before + 1
    assert running.finished(first.json()["id"], 60)["report"]["data"]["crcs"] == crcs(5)


def test_small_documents_are_the_same_work_however_sent(running: Deployment) -> None:
    """Raw, form and JSON under one key are one job."""
    key = {"Idempotency-Key": uuid.uuid4().hex}
    query = {"task": "echo", "params": json.dumps({"chunk": 3}), "email": "reader@localhost"}
    text, plain = "Über allen Gipfeln ist Ruh.", {"Content-Type": "text/plain"}
    answers = [
        running.http.post("/v1/jobs", json={**query, "params": {"chunk": 3}, "text": text}, headers=key),
        running.http.post("/v1/jobs", params=query, content=text.encode(), headers={**key, **plain}),
        running.http.post("/v1/jobs", params=query, content=text.encode(), headers=key),
        running.http.post("/v1/jobs", data={**query, "media_type": "text/plain;charset=latin-1"}, headers=key,
                          files={"file": ("", text.encode("latin-1"))}),
    ]  # fmt: skip
    assert [answer.status_code for answer in answers] == [202] * 4, [answer.text for answer in answers]
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert running.finished(answers[0].json()["id"])["report"]["text"] == text


def test_what_is_announced_too_large_is_refused_before_it_comes(running: Deployment) -> None:
    """413 that names the limit, while nothing of the document was sent."""
    answer = answered(half_sent(running, mib=0, length=2000 * MiB))
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert str(1024 * MiB).encode() in answer


async def submitted(url: str, file: Path) -> str:
    """The id of a job that the client for asyncio sends."""
    async with AsyncClient(url) as client:
        return (await client.submit("places", file=file)).id


@pytest.mark.parametrize("how", ["sync", "async"])
def test_the_clients_stream(running: Deployment, tmp_path: Path, how: str) -> None:
    """`submit` sends a file that it does not read into memory."""
    file = tmp_path / "large.bin"
    with file.open("wb") as writing:
        writing.writelines(document(100))
    process = psutil.Process()
    before, most = process.memory_info().rss, 0
    ended = threading.Event()

    def sample() -> None:
        nonlocal most
        while not ended.wait(0.01):
            most = max(most, process.memory_info().rss)

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        if how == "async":
            job = asyncio.run(submitted(running.url, file))
        else:
            with Client(running.url) as client:
                job = client.submit("places", file=file).id
    finally:
        ended.set()
        thread.join()
    assert running.finished(job, 120)["report"]["data"]["crcs"] == crcs(100)
    assert most - before < GROWS_LESS


def test_the_page_takes_a_large_file(running: Deployment) -> None:
    """As the API does: the browser is sent on to the job."""
    body = form(5, part("task", b"places"), part("text", b""))
    answer = running.http.post("/ui/jobs", content=body, headers=FORM)
    assert answer.status_code == 303, answer.text
    assert running.finished(answer.headers["Location"].rpartition("/")[2], 60)["report"]["data"]["crcs"] == crcs(5)


def test_a_body_that_dribbles_is_refused(broker: str, tmp_path: Path) -> None:
    """408 once its time is over, however it is sent, and nothing of it stays."""
    with Deployment(broker, tmp_path, {**SETTINGS, "STREAMAPP_UPLOAD_TIMEOUT_S": "2"}) as deployment:
        for how in ("raw", "form"):
            assert answered(half_sent(deployment, how)).startswith(b"HTTP/1.1 408 ")
        with socket.create_connection(("127.0.0.1", deployment.port)) as connection:
            head = "POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\n"
            head += "Content-Type: application/json\r\nContent-Length: 90\r\n\r\n{"
            connection.sendall(head.encode())
            assert answered(connection).startswith(b"HTTP/1.1 408 ")
        assert (rows(deployment), documents(deployment)) == (0, [])


def test_what_a_kill_left_is_swept(broker: str, tmp_path: Path) -> None:
    """A worker that is killed in the middle of an upload leaves half a blob; the sweep removes it, and no document."""
    with Deployment(broker, tmp_path, SETTINGS) as deployment:
        kept = send(deployment, "raw", 3).json()["id"]
        with half_sent(deployment):
            until(lambda: len(documents(deployment)) == 2, 30, "the upload to be seen on the disk")
            assert deployment.process is not None
            deployment.kill("streamapp")
            deployment.process.wait(60)
        assert len(documents(deployment)) == 2
        deployment.start()
        asyncio.run(_sweep(deployment))
        (left,) = documents(deployment)
        assert kept in left
        assert deployment.finished(kept, 60)["report"]["data"]["crcs"] == crcs(3)


async def _sweep(deployment: Deployment) -> None:
    """What the worker does after some hours: it has the lease, which is taken from it here."""
    database = Database(f"sqlite:///{deployment.home / 'streamapp.db'}")
    lease = leases.select().where(leases.c.name == LEASE)
    until(lambda: database.read_sync(lambda store: store.execute(lease).first()), 30, "the worker to sweep by itself")
    database.write_sync(lambda store: store.execute(delete(leases).where(leases.c.name == LEASE)))
    sweep = Orphans(database, Blobs((deployment.home / "blobs").as_uri()), 0.0, 0.0)
    assert [await sweep.look(60.0), await sweep.look(60.0)] == [0, 1]
    database.close()
