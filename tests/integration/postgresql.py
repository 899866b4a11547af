"""A private PostgreSQL server from Debian's packages: one process in a temporary folder, behind a Unix socket."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["binaries", "server"]

FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")  # nothing here outlives the test


def binaries() -> Path | None:
    """The folder of the newest installed server, or None."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    return found[-1].parent if found else None


@contextmanager
def server(programs: Path) -> Iterator[str]:
    """Its URL, for as long as the block lasts."""
    folder = Path(tempfile.mkdtemp(prefix="streamapp-pg-", dir="/tmp"))  # a socket's path has 107 bytes at most
    user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name  # the server refuses to be root's
    if os.geteuid() == 0:
        shutil.chown(folder, user)
    data, log = folder / "data", folder / "log"
    control: list[str | Path] = [programs / "pg_ctl", "--pgdata", data, "--wait", "--timeout", "60"]
    options = f"-c listen_addresses='' -c unix_socket_directories={folder} " + " ".join(f"-c {each}" for each in FAST)
    try:
        _as(user, [programs / "initdb", "--pgdata", data, "--auth", "trust", "--encoding", "UTF8", "--no-locale"])
        _as(user, [*control, "--log", log, "--options", options, "start"])
        try:
            yield f"postgresql+psycopg://{user}@/postgres?host={folder}"
        finally:
            _as(user, [*control, "--mode", "immediate", "stop"])
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _as(user: str, command: list[str | Path]) -> None:
    other = user if os.geteuid() == 0 else None
    done = subprocess.run(
        [str(part) for part in command], user=other, cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    if done.returncode:
        raise RuntimeError(f"{command[0]} ended with {done.returncode}")
