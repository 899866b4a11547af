"""The store: whether it can be read and written, has this version's tables, and is sound, on a disk of this machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil
from sqlalchemy import Connection, make_url
from sqlalchemy.exc import DBAPIError

from streamapp.doctor.finding import Finding, aside, ok, problem, skipped, warning
from streamapp.doctor.ground import Ground
from streamapp.errors import StoreUnavailable
from streamapp.store import examine

__all__ = ["check_store", "filesystem", "judged_disk"]

# file systems over a network, and those of virtual machines that share one: SQLite's locks and its shared memory
# (https://sqlite.org/wal.html) do not hold between machines there
SHARED = ("nfs", "cifs", "smb", "fuse.sshfs", "9p", "virtiofs", "ceph", "glusterfs", "fuse.glusterfs", "lustre", "afs")


async def check_store(ground: Ground) -> Sequence[Finding]:
    """Look at it, read-only."""
    url = ground.settings.store_url
    file = examine.file_of(url)
    if file is not None and not file.exists() and not ground.settings.database_url and await ground.idle():
        return [skipped("There is none yet: `streamapp up` makes it.")]
    alone = file is not None and not examine.is_in_use(file)
    found = await aside(lambda: list(_look(url, ground.timeout_s)))
    if alone and file is not None and examine.is_in_use(file):  # so it did change under our eyes
        found = await aside(lambda: list(_look(url, ground.timeout_s)))
    return found


def _look(url: str, timeout_s: float) -> Iterator[Finding]:
    file, shown = examine.file_of(url), make_url(url).render_as_string(hide_password=True)
    if file is not None and not file.exists():
        yield problem(
            f"There is no store at {file}.",
            "Start a worker, which makes it, or correct STREAMAPP_HOME or STREAMAPP_DATABASE_URL.",
        )
        return
    try:
        if file is not None and not examine.has_wal(file):
            yield warning(
                f"{file} has no write-ahead log: readers and the writer wait for each other.",
                "Start a worker, which sets WAL; if it stays so, its disk can't do it.",
            )
        with examine.opened(url) as connection:
            yield from _revision(connection, shown)
            if not examine.is_writable(connection, url):
                yield problem(
                    f"This user can't write to the store {shown}.",
                    "Run doctor as the user that the workers have; if it is that one, let it write to the store's file "
                    "and folder, or to the database's tables.",
                )
            if file is not None:
                yield from _sqlite(connection, file, timeout_s)
    except (StoreUnavailable, DBAPIError, OSError) as error:
        yield problem(
            f"The store {shown} can't be read: {error}",
            "Start the database or correct STREAMAPP_DATABASE_URL; a damaged file is replaced by a backup "
            "(docs/operations.md).",
        )


def _revision(connection: Connection, shown: str) -> Iterator[Finding]:
    there, newest = examine.revision(connection), examine.newest_revision()
    if there == newest:
        yield ok(f"The store {shown} can be read, and is at revision {there}, this version's.")
    elif there is None:
        whose = "tables that are not streamapp's" if examine.tables(connection) else "no tables"
        yield problem(f"The store {shown} has {whose}.", "Start a worker, which migrates it, or name another database.")
    elif there < newest:
        yield problem(
            f"The store {shown} is at revision {there}, and this version's is {newest}.",
            "Start a worker of this version, which migrates it.",
        )
    else:
        yield problem(
            f"The store {shown} is at revision {there}, which this version does not know: a newer one used it.",
            "Run that version, or name another STREAMAPP_DATABASE_URL.",
        )


def _sqlite(connection: Connection, file: Path, timeout_s: float) -> Iterator[Finding]:
    said = examine.says_of_itself(connection, timeout_s / 2)
    if said is None:
        yield warning(
            f"Whether {file} is sound was not seen to the end: it is large.", "Give it longer with --timeout."
        )
    elif said != "ok":
        yield problem(f"{file} is damaged: {said}", "Stop the workers and restore a backup (docs/operations.md).")
    else:
        yield ok(f"{file} is sound (quick_check).")
    yield from judged_disk(file, filesystem(file, [(d.mountpoint, d.fstype) for d in psutil.disk_partitions(all=True)]))


def filesystem(file: Path, mounts: Sequence[tuple[str, str]]) -> str:
    """The kind of the file system that a file is on; empty when that is not known."""
    folders = {str(folder) for folder in file.resolve().parents}
    return max(
        ((point, kind) for point, kind in mounts if point in folders), key=lambda m: len(m[0]), default=("", "")
    )[1]


def judged_disk(file: Path, kind: str) -> list[Finding]:
    """What is to be said of an SQLite file on a file system of that kind."""
    if kind.startswith(SHARED):
        return [
            problem(
                f"{file} is on {kind}, where SQLite's locks do not hold: it can be damaged.",
                "Move it to a disk of this machine, or use PostgreSQL (STREAMAPP_DATABASE_URL).",
            )
        ]
    return []
