"""Documents by reference."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path
from typing import Any

import obstore
import pytest

from streamapp.documents.claim import INLINE_BYTES, Blobs
from streamapp.errors import BadDocument, StoreUnavailable

LARGE = bytes(range(256)) * 64


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    """A folder."""
    return Blobs((tmp_path / "blobs").as_uri())


@pytest.mark.parametrize("content", [b"", b"a", b"x" * INLINE_BYTES, b"x" * (INLINE_BYTES + 1), LARGE])
def test_what_is_put_can_be_opened(blobs: Blobs, content: bytes) -> None:
    """I expect the same bytes, as often as they are read, and only large documents in a file."""
    reference = blobs.put("documents/a/b/c", content)
    assert reference.startswith("blob:" if len(content) > INLINE_BYTES else "data:")
    document = blobs.claim(reference, "text/plain", len(content))
    for _ in range(2):
        with document.open() as file:
            assert file.read() == content


def test_a_document_can_be_read_as_a_file(blobs: Blobs) -> None:
    """I expect seeking to work as ZipFile needs it."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a.bin", LARGE)
    with blobs.open(blobs.put("documents/zip", packed.getvalue())) as file, zipfile.ZipFile(file) as archive:
        assert archive.read("a.bin") == LARGE
    with blobs.open(blobs.put("documents/raw", LARGE)) as file:
        assert file.seek(-6, io.SEEK_END) == len(LARGE) - 6
        assert file.read() == LARGE[-6:]
        file.seek(0)
        assert file.read(3) == LARGE[:3]
        assert file.tell() == 3


def test_what_is_gone(blobs: Blobs) -> None:
    """I expect a missing document to be said in words, and deleting it twice to be fine."""
    reference = blobs.put("documents/a", LARGE)
    blobs.delete(reference)
    blobs.delete(reference)
    blobs.delete("data:;base64,SGk=")
    with pytest.raises(BadDocument, match="no longer there"):
        blobs.open(reference)


def test_every_name_on_the_way_is_synced(blobs: Blobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect the file and each new folder above it to be on the disk before a job is accepted."""
    synced: set[Path] = set()
    opened: dict[int, Path] = {}
    real_open, real_fsync = os.open, os.fsync

    def open_(path: Path, flags: int) -> int:
        descriptor = real_open(path, flags)
        opened[descriptor] = Path(path)
        return descriptor

    def fsync(descriptor: int) -> None:
        synced.add(opened[descriptor])
        real_fsync(descriptor)

    monkeypatch.setattr("streamapp.documents.claim.os.open", open_)
    monkeypatch.setattr("streamapp.documents.claim.os.fsync", fsync)
    blobs.put("documents/a/b/c", LARGE)
    root = tmp_path / "blobs"
    assert synced == {root / part for part in ("documents/a/b/c", "documents/a/b", "documents/a", "documents", "")}


def test_a_bucket_that_is_away(blobs: Blobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect it to be transient, so that the work is done again and no document is taken for bad."""
    reference = blobs.put("documents/a", LARGE)

    def away(*_: Any) -> None:
        raise obstore.exceptions.GenericError("timed out")

    monkeypatch.setattr(obstore, "put", away)
    monkeypatch.setattr(obstore, "open_reader", away)
    with pytest.raises(StoreUnavailable):
        blobs.put("documents/b", LARGE)
    with pytest.raises(StoreUnavailable):
        blobs.open(reference)


def test_a_bucket_that_goes_away_while_reading(blobs: Blobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect the same in the middle of a document."""

    class Source:
        def read(self, size: int) -> bytes:
            raise obstore.exceptions.GenericError("timed out")

    reference = blobs.put("documents/a", LARGE)
    monkeypatch.setattr(obstore, "open_reader", lambda *_: Source())
    with blobs.open(reference) as file, pytest.raises(StoreUnavailable):
        file.read()


def test_a_full_disk(blobs: Blobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect a document that could not be synced not to be taken as kept."""

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("streamapp.documents.claim.os.fsync", full)
    with pytest.raises(StoreUnavailable, match="No space left"):
        blobs.put("documents/a", LARGE)
