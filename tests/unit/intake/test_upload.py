"""A document while it is received: what is noted of it, where it goes, and that nothing of it stays unasked."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from streamapp.documents.claim import INLINE_BYTES, Blobs
from streamapp.documents.stored import stored
from streamapp.identity import digest
from streamapp.intake import upload as module
from streamapp.intake.refusal import Refused
from streamapp.intake.room import MiB, Room
from streamapp.intake.service import Intake
from streamapp.intake.submission import parse_submission
from streamapp.intake.upload import Upload, Uploads
from streamapp.store.database import Database
from streamapp.store.reservations import Reservation
from streamapp.store.sql import AnyRow
from streamapp.tasks.echo import Echo
from streamapp.tasks.registry import Registry
from streamapp.tasks.summarize import Summarize

TEXT = "Le cœur a ses raisons. " * 500
BYTES = TEXT.encode()
MOST = 1 << 20


@pytest.fixture(autouse=True)
def spools_early(monkeypatch: pytest.MonkeyPatch) -> None:
    """What has more than a few bytes is spooled."""
    monkeypatch.setattr(module, "IN_MEMORY", 5000)
    monkeypatch.setattr(module, "PIECE", 1000)


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    """A folder."""
    return Blobs((tmp_path / "blobs").as_uri())


def uploads_of(blobs: Blobs, at_a_time: int = 4, least: int = 0) -> Uploads:
    """What a worker has."""
    return Uploads(blobs, Room(blobs.folder, least), most_bytes=MOST, at_a_time=at_a_time)


@asynccontextmanager
async def received(
    uploads: Uploads, content: bytes, job: str = "job", announced: int = 0, size: int = 777
) -> AsyncIterator[Upload]:
    """An upload of these bytes, so many at a time."""
    upload = uploads.begin("anna", job, announced)
    try:
        for start in range(0, len(content), size):
            await upload.add(content[start : start + size])
        await upload.end()
        yield upload
    finally:
        await upload.close()


def status_of(refused: pytest.ExceptionInfo[Refused]) -> tuple[int, int | None]:
    """The answer's status, and when to come again."""
    return refused.value.problem.status, refused.value.retry_after_s


@pytest.mark.parametrize("size", [0, 1, 5000, 5001, 9999, 10_000])
async def test_what_comes_in_pieces_is_a_whole(blobs: Blobs, size: int) -> None:
    """I expect small ones in memory, others in a blob, of the same bytes, and hashed as if they were in memory."""
    content = BYTES[:size]
    async with received(uploads_of(blobs), content) as upload:
        assert upload.size == size
        assert upload.head == content[:4096]
        assert (upload.content is None) == (size > 5000) == (upload.reference is not None)
        if upload.reference:
            with blobs.open(upload.reference) as file:
                assert file.read() == content
            assert digest("a", upload, "b") == digest("a", content, "b")
        else:
            assert upload.content == content
    assert list(stored(blobs)) == []


async def test_what_is_taken_stays(blobs: Blobs) -> None:
    """I expect a job's blob to outlive its upload."""
    async with received(uploads_of(blobs), BYTES) as upload:
        upload.take()
    assert len(list(stored(blobs))) == 1


async def test_of_the_largest_its_own_hash_is_hashed(blobs: Blobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect its SHA-256 behind its size, so that it need not be read again, and no small one can be the same."""
    monkeypatch.setattr(module, "HASHED_WHOLE", len(BYTES) - 1)
    async with received(uploads_of(blobs), BYTES) as upload:
        whole = hashlib.sha256(BYTES).digest()
        expected = hashlib.sha256(len(BYTES).to_bytes(8, "big") + whole).hexdigest()
        assert digest(upload) == expected != digest(whole)


async def test_too_large_is_refused_while_it_comes(blobs: Blobs) -> None:
    """I expect 413 by what is announced, and else as soon as it is too much, naming the limit, and nothing left."""
    uploads = uploads_of(blobs)
    with pytest.raises(Refused, match=str(MOST)) as refused:
        uploads.begin("anna", "job", MOST + 1)
    assert status_of(refused)[0] == 413
    upload = uploads.begin("anna", "job")
    for _ in range(MOST // 4096):
        await upload.add(bytes(4096))
    with pytest.raises(Refused, match=str(MOST)) as refused:
        await upload.add(b"x")
    assert status_of(refused)[0] == 413
    await upload.close()
    assert list(stored(blobs)) == []


async def test_so_many_at_a_time(blobs: Blobs) -> None:
    """I expect 503 for one more large one, small ones all the while, and a place again when one is through."""
    uploads = uploads_of(blobs, at_a_time=1)
    async with received(uploads, BYTES):
        with pytest.raises(Refused) as refused:
            async with received(uploads, BYTES, "other"):
                pytest.fail("there was a place")
        assert status_of(refused) == (503, module.RETRY_S)
        async with received(uploads, BYTES[:100], "small"):
            pass
    async with received(uploads, BYTES):
        pass


async def test_a_disk_that_fills_up(blobs: Blobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect 503 as soon as less than the mark would be left, in the middle too, and nothing of it on the disk."""
    usage = shutil.disk_usage(blobs.folder or "/")
    left = [11 * MiB, 11 * MiB, 9 * MiB]
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=left.pop(0)))
    with pytest.raises(Refused, match="no room") as refused:
        async with received(uploads_of(blobs, least=10 * MiB), BYTES):
            pytest.fail("there was room")
    assert status_of(refused)[0] == 503
    assert left == []
    assert list(stored(blobs)) == []


async def test_what_others_announced_is_counted(blobs: Blobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect a second upload to be refused for what the first is going to send, until that is given up."""
    usage = shutil.disk_usage(blobs.folder or "/")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=int(10.5 * MiB)))
    uploads = uploads_of(blobs, least=10 * MiB)
    first = uploads.begin("anna", "first", MOST // 2)
    await first.add(BYTES[:6000])
    with pytest.raises(Refused):
        async with received(uploads, BYTES, "second", announced=len(BYTES)):
            pytest.fail("there was room")
    await first.close()
    async with received(uploads, BYTES, "second", announced=len(BYTES)):
        pass


class Desk:
    """An intake, and what comes to it in every way there is."""

    def __init__(self, database: Database, blobs: Blobs) -> None:
        async def publish(rows: Sequence[AnyRow]) -> None:
            """Nothing."""

        self.intake = Intake(Registry([Echo(), Summarize()]), database, blobs, publish)
        self.uploads = uploads_of(blobs)

    async def send(self, content: bytes, job: str = "job", key: str | None = None, **fields: Any) -> Reservation:
        """Beside the fields, as forms and raw bodies are."""
        submission = parse_submission({"task": "summarize", "media_type": "text/plain", **fields})
        async with received(self.uploads, content, job) as upload:
            return await self.intake.submit("anna", submission, upload=upload, key=key)

    async def send_json(self, text: str) -> Reservation:
        """In the fields."""
        return await self.intake.submit("anna", parse_submission({"task": "summarize", "text": text}))


@pytest.mark.parametrize("characters", [100, INLINE_BYTES // 2, 10_000])
async def test_the_same_text_is_the_same_work(database: Database, blobs: Blobs, characters: int) -> None:
    """I expect JSON, and an upload in any charset, to have the same hashes and size, and UTF-8 to be what is kept."""
    desk, text = Desk(database, blobs), TEXT[:characters]
    first = (await desk.send_json(text)).row
    for number, charset in enumerate(("utf-8", "utf-8-sig", "utf-16", "iso8859-15", "cp1252")):
        kind = "text/plain" if charset.startswith("utf-8") else f"text/plain; charset={charset}"
        row = (await desk.send(text.encode(charset), f"job-{number}", media_type=kind)).row
        for name in ("body_hash", "work_hash", "content_hash", "size", "name", "media_type"):
            assert getattr(row, name) == getattr(first, name), (charset, name)
        with blobs.open(row.document) as file:
            assert file.read().decode() == text
    assert len(list(stored(blobs))) == (6 if characters > INLINE_BYTES else 0)


@pytest.mark.parametrize("characters", [1_000, 10_000])
async def test_a_charset_that_nobody_names(database: Database, blobs: Blobs, characters: int) -> None:
    """I expect a long text to be read as a short one is: as what it most likely is."""
    text = ("Après l'été, la forêt où elle s'était égarée lui sembla étrangement déserte. " * 200)[:characters]
    row = (await Desk(database, blobs).send(text.encode("cp1252"), "french")).row
    with blobs.open(row.document) as file:
        assert file.read().decode() == text


async def test_the_hashes_are_what_they_were(database: Database, blobs: Blobs) -> None:
    """I expect a spooled document to have the body hash that it had when documents were held in memory."""
    row = (await Desk(database, blobs).send(BYTES, name="A book")).row
    rest = '{"deadline": null, "email": null, "name": "A book", "priority": 0}'
    assert row.body_hash == digest("summarize", row.params, "text/plain", BYTES, rest)


async def test_a_repeat_leaves_one_blob(database: Database, blobs: Blobs) -> None:
    """I expect the same key and body to be the first job, another body 422, and one blob in the end."""
    desk = Desk(database, blobs)
    first = await desk.send(BYTES, "one", key="k")
    again = await desk.send(BYTES, "two", key="k")
    assert (again.created, again.row.id, again.row.document) == (False, first.row.id, first.row.document)
    with pytest.raises(Refused) as refused:
        await desk.send(BYTES + b"!", "three", key="k")
    assert status_of(refused)[0] == 422
    assert ["blob:" + path for path in stored(blobs)] == [first.row.document]


@pytest.mark.parametrize(
    ("content", "fields", "status"),
    [
        (BYTES, {"task": "no-such"}, 422),
        (BYTES, {"params": {"no": 1}}, 422),
        (BYTES, {"media_type": "application/pdf"}, 422),
        (BYTES, {"media_type": "image/png"}, 415),
        (BYTES, {"media_type": "text/plain; charset=no-such"}, 422),
        (BYTES, {"media_type": "text/plain; charset=us-ascii"}, 422),
        (BYTES + b"\xff", {"media_type": "text/plain; charset=utf-8"}, 422),
        (BYTES + b"\0", {}, 422),
        (b" " * 10_000, {}, 422),
        (BYTES, {"text": "both"}, 422),
    ],
)
async def test_what_is_refused_leaves_nothing(
    database: Database, blobs: Blobs, content: bytes, fields: dict[str, Any], status: int
) -> None:
    """I expect the same statuses as for a small document, and no blob."""
    for sent in (content, content[-4000:]):
        with pytest.raises(Refused) as refused:
            await Desk(database, blobs).send(sent, **fields)
        assert status_of(refused)[0] == status
        assert list(stored(blobs)) == []


async def test_a_task_may_take_less(database: Database, blobs: Blobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect 413 that names the task's own limit."""
    monkeypatch.setattr(Summarize, "largest", 6000)
    with pytest.raises(Refused, match="6000 at most") as refused:
        await Desk(database, blobs).send(BYTES)
    assert status_of(refused)[0] == 413
    assert list(stored(blobs)) == []
