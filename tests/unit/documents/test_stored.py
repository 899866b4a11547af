"""Spooling into the blob store, and what the store holds seen from its own side."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import obstore
import pytest

from streamapp.documents.claim import Blobs
from streamapp.documents.spool import PART_BYTES, Spool
from streamapp.documents.stored import mark, remove, stored
from streamapp.errors import BadDocument, StoreUnavailable

PATH = "documents/anna/job/one"
PIECE = bytes(range(256)) * 4096  # a MiB
MANY = 2 * PART_BYTES // len(PIECE) + 1


@pytest.fixture(params=["file", "memory"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    """A folder, and a store that is as a bucket is."""
    return Blobs((tmp_path / "blobs").as_uri() if request.param == "file" else "memory:///")


async def spooled(blobs: Blobs, pieces: int) -> Spool:
    """One that has got so many pieces and is not complete."""
    spool = Spool(blobs, PATH)
    for _ in range(pieces):
        await spool.write(PIECE)
    return spool


@pytest.mark.parametrize("pieces", [1, MANY])
async def test_a_document_in_pieces(blobs: Blobs, pieces: int) -> None:
    """I expect nothing at the path before it is complete, and then all of it."""
    spool = await spooled(blobs, pieces)
    with pytest.raises(BadDocument):
        blobs.open("blob:" + PATH)
    reference = await spool.finish()
    with blobs.open(reference) as file:
        assert file.read() == PIECE * pieces
    assert list(stored(blobs)) == [PATH]


@pytest.mark.parametrize("pieces", [0, 1, MANY])
@pytest.mark.parametrize("complete", [False, True])
async def test_an_abandoned_document(blobs: Blobs, pieces: int, complete: bool) -> None:
    """I expect nothing to be left, whether it was complete or not."""
    spool = await spooled(blobs, pieces)
    if complete:
        await spool.finish()
    await spool.abandon()
    assert list(stored(blobs)) == []
    await spool.abandon()


async def test_half_a_document_is_seen_on_a_disk(tmp_path: Path) -> None:
    """I expect what a crash leaves to be found under a name of its own, and to be removable by it."""
    blobs = Blobs((tmp_path / "blobs").as_uri())
    spool = await spooled(blobs, MANY)
    (path,) = stored(blobs)
    assert path != PATH
    assert path.startswith(PATH)
    remove(blobs, path)
    remove(blobs, path)
    assert list(stored(blobs)) == []
    await spool.abandon()


async def test_a_full_disk_keeps_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect what can't be synced to be said to be unkept, and to leave nothing."""
    blobs = Blobs((tmp_path / "blobs").as_uri())
    spool = await spooled(blobs, MANY)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("streamapp.documents.claim.os.fsync", full)
    with pytest.raises(StoreUnavailable, match="No space left"):
        await spool.finish()
    await spool.abandon()
    assert list(stored(blobs)) == []


async def test_a_bucket_that_goes_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect it to be transient, and giving up not to raise."""

    class Away:
        async def write(self, piece: bytes) -> None:
            raise obstore.exceptions.GenericError("timed out")

        async def close(self) -> None:
            raise obstore.exceptions.GenericError("timed out")

    def away(*_: Any, **__: Any) -> Any:
        return Away()

    monkeypatch.setattr(obstore, "open_writer_async", away)
    spool = Spool(Blobs("memory:///"), PATH)
    with pytest.raises(StoreUnavailable):
        await spool.write(PIECE)
    await spool.abandon()


def test_a_mark_is_put_once(blobs: Blobs) -> None:
    """I expect the first one's mark to stand."""
    assert mark(blobs, "documents-of", "first") == "first"
    assert mark(blobs, "documents-of", "second") == "first"
    assert mark(blobs, "documents-of", "first") == "first"
    assert list(stored(blobs)) == []
