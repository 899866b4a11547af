"""Documents without a job go, once nobody can be about to reserve one with them; all others stay."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import pytest
from sqlalchemy import delete

from streamapp.documents.claim import Blobs
from streamapp.documents.stored import stored
from streamapp.jobs.orphans import LEASE, Orphans
from streamapp.store import leases
from streamapp.store.database import Database
from streamapp.store.upkeep import leases as lease_rows
from tests.unit.store.rows import reserved

CONTENT = b"x" * 10_000
UPLOAD_S, MARGIN_S = 100.0, 10.0
LEASE_S = 60.0


class Clock:
    """The process's own clock, moved by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)


@pytest.fixture(params=["file", "memory"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    """A folder, and a store that is as a bucket is."""
    return Blobs((tmp_path / "blobs").as_uri() if request.param == "file" else "memory:///")


def sweep(database: Database, blobs: Blobs) -> Orphans:
    """One worker's sweep."""
    return Orphans(database, blobs, UPLOAD_S, MARGIN_S)


async def test_orphans_go_and_documents_stay(database: Database, blobs: Blobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect what has no job to go after its time and not before, and all that a job names to stay."""
    clock, orphans = Clock(monkeypatch), sweep(database, blobs)
    kept = [f"documents/anna/job-{number}/a" for number in range(500)]  # more than a statement asks for
    for number, path in enumerate(kept):
        reserved(database, id=f"job-{number}", document=blobs.put(path, CONTENT))
    lost = ["documents/anna/job-1/b", "documents/bob/job-2/a", "documents/anna/no-job/a"]
    for path in lost:
        blobs.put(path, CONTENT)
    for later_s, removed in ((0.0, 0), (UPLOAD_S + MARGIN_S - 1, 0), (1.0, len(lost)), (200.0, 0)):
        clock.now += later_s
        assert await orphans.look(LEASE_S) == removed
    assert sorted(stored(blobs)) == sorted(kept)


async def test_what_is_not_ours_stays(database: Database, blobs: Blobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect nothing outside of the documents' folder, and no path of another form, to be touched."""
    clock, orphans = Clock(monkeypatch), sweep(database, blobs)
    for path in ("other/anna/job/a", "documents/readme", "documents/anna/job/deep/a"):
        blobs.put(path, CONTENT)
    await orphans.look(LEASE_S)
    clock.now += 1000.0
    assert await orphans.look(LEASE_S) == 0
    blobs.open("blob:other/anna/job/a").close()
    assert len(list(stored(blobs))) == 2


async def test_what_is_reserved_meanwhile_stays(
    database: Database, blobs: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I expect a document that was seen without its job, because that was about to be reserved, to stay."""
    clock, orphans = Clock(monkeypatch), sweep(database, blobs)
    reference = blobs.put("documents/anna/job-7/a", CONTENT)
    await orphans.look(LEASE_S)
    reserved(database, id="job-7", document=reference)
    clock.now += 1000.0
    assert await orphans.look(LEASE_S) == 0
    blobs.open(reference).close()


async def test_a_new_process_has_seen_nothing(
    database: Database, blobs: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I expect the time to begin anew for whoever takes the sweep over, and one at a time to sweep."""
    clock, first, second = Clock(monkeypatch), sweep(database, blobs), sweep(database, blobs)
    blobs.put("documents/anna/no-job/a", CONTENT)
    await first.look(LEASE_S)
    clock.now += 1000.0
    assert await second.look(LEASE_S) == 0
    database.write_sync(lambda connection: connection.execute(delete(lease_rows).where(lease_rows.c.name == LEASE)))
    assert await second.look(LEASE_S) == 0
    clock.now += 1000.0
    assert await first.look(LEASE_S) == 0
    assert await second.look(LEASE_S) == 1


@pytest.mark.parametrize("mine", [False, True])
async def test_another_stores_documents_stay(
    database: Database,
    blobs: Blobs,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    mine: bool,
) -> None:
    """I expect nothing to go from where another store's documents are, and a warning that says so, once."""
    clock, orphans = Clock(monkeypatch), sweep(database, blobs)
    blobs.put("documents/anna/no-job/a", CONTENT)
    await orphans.look(LEASE_S)
    if not mine:  # the store is begun anew beside the old documents
        database.write_sync(lambda connection: connection.execute(delete(lease_rows)))
        orphans = sweep(database, blobs)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            clock.now += 1000.0
            await orphans.look(LEASE_S)
    assert len(list(stored(blobs))) == (0 if mine else 1)
    assert caplog.text.count("another store") == (0 if mine else 1)


async def test_the_store_id_is_no_obstacle_to_leases(database: Database, blobs: Blobs) -> None:
    """I expect other leases to be taken and given back beside it."""
    await sweep(database, blobs).look(LEASE_S)
    assert database.write_sync(leases.hold, "sweep", "me", 5.0)
    database.write_sync(leases.release, "sweep", "me")
    assert database.write_sync(leases.hold, "sweep", "you", 5.0)
