"""A full disk, and a store that takes no writes: 503 in clear words, nothing accepted is lost, and work goes on."""

from __future__ import annotations

import os
import shutil
import subprocess
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from streamapp.testing.deployment import Deployment, until
from tests.integration.postgresql import binaries, server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

MiB = 1024 * 1024
DISK_MIB, MARK_MIB = 96, 24
LONG = "More than what travels inside its reference. " * 200
ECHO = {"STREAMAPP_ONLY_TASKS": '["echo"]', "STREAMAPP_DEFAULT_TASK": "echo", "STREAMAPP_DEVICE": "cpu"}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    command = [mount or "mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "tmpfs", str(folder)]
    if mount is None or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("a tmpfs can't be mounted here: that takes root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def filled(disk: Path, left_mib: int) -> Iterator[None]:
    """The disk with only so much left; 0: not a byte."""
    ballast = disk / f"ballast-{uuid.uuid4().hex}"
    free = shutil.disk_usage(disk).free - left_mib * MiB
    with ballast.open("wb") as file:
        try:
            os.posix_fallocate(file.fileno(), 0, free)
        except OSError:
            assert left_mib == 0
    try:
        if left_mib == 0:
            _to_the_last_byte(ballast)
        yield
    finally:
        ballast.unlink()


def _to_the_last_byte(ballast: Path) -> None:
    with ballast.open("ab", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return


def test_a_full_disk(broker: str, tmp_path: Path, disk: Path) -> None:
    """503 before it is full and when it is, reads go on, what was accepted ends once there is room again."""
    settings = {**ECHO, "STREAMAPP_HOME": str(disk / "home"), "STREAMAPP_MIN_FREE_MB": str(MARK_MIB)}
    with Deployment(broker, tmp_path, settings) as deployment:
        jobs = [_accepted(deployment, f"before {number}") for number in range(5)]
        with filled(disk, MARK_MIB // 2):
            refused = until(lambda: _refused(deployment), 60, "the mark to be noticed")
            assert "disk" in refused["detail"]
            assert "disk" in deployment.http.get("/readyz").json()["detail"]
            jobs_end(deployment, jobs[:1])
            with filled(disk, 0):
                assert deployment.job(jobs[0])["status"] == "succeeded"
                refused = until(lambda: _refused(deployment), 60, "a refusal")
        _goes_on(deployment, jobs)


def test_a_disk_that_is_full_at_once(broker: str, tmp_path: Path, disk: Path) -> None:
    """Without a mark the store itself says no, in the middle of work: nothing of what was accepted is lost."""
    settings = {**ECHO, "STREAMAPP_HOME": str(disk / "home"), "STREAMAPP_MIN_FREE_MB": "0"}
    with Deployment(broker, tmp_path, settings) as deployment:
        jobs = [_accepted(deployment, f"before {number}") for number in range(30)]
        with filled(disk, 0):
            refused = until(lambda: _refused(deployment), 60, "a refusal")
            assert "nothing was accepted" in refused["detail"]
            assert deployment.job(jobs[0])["id"] == jobs[0]
        _goes_on(deployment, jobs)


@pytest.mark.parametrize("mark", [MARK_MIB, 0])
@pytest.mark.parametrize("announced", [True, False])
def test_a_document_that_would_fill_the_disk(
    broker: str, tmp_path: Path, disk: Path, *, mark: int, announced: bool
) -> None:
    """503 at the mark, or at the last byte where there is none; nothing of it stays, and work goes on."""
    settings = {**ECHO, "STREAMAPP_HOME": str(disk / "home"), "STREAMAPP_MIN_FREE_MB": str(mark)}
    with Deployment(broker, tmp_path, settings) as deployment:
        kept = _accepted(deployment, "before")
        free = shutil.disk_usage(disk).free // MiB
        length = {"Content-Length": str(2 * DISK_MIB * MiB)} if announced else {}
        pieces = (b"word " * (MiB // 5) + b"\n" for _ in range(2 * DISK_MIB))
        answer = deployment.http.post("/v1/jobs?task=echo", content=_exactly(pieces, 2 * DISK_MIB * MiB), headers={
            "Content-Type": "text/plain", **length})  # fmt: skip
        assert answer.status_code == 503, answer.text
        assert int(answer.headers["Retry-After"]) > 0
        assert "othing was accepted" in answer.json()["detail"]
        blobs = disk / "home" / "blobs" / "documents"
        assert [path for path in blobs.rglob("*") if path.is_file() and kept not in str(path)] == []
        assert shutil.disk_usage(disk).free // MiB >= free - 8
        _goes_on(deployment, [kept])


def _exactly(pieces: Iterator[bytes], size: int) -> Iterator[bytes]:
    """So many bytes of it, the last piece filled up."""
    for piece in pieces:
        size -= len(piece)
        yield piece
    yield b"." * size


def test_a_store_that_takes_no_writes(broker: str, tmp_path: Path) -> None:
    """PostgreSQL switched to read-only, as after a failover: 503, reads go on, and so does the work afterwards."""
    programs = binaries()
    if programs is None:
        pytest.skip("PostgreSQL is not installed")
    with server(programs) as url:
        blobs = (tmp_path / "blobs").as_uri()
        settings = {**ECHO, "STREAMAPP_DATABASE_URL": url, "STREAMAPP_BLOB_URL": blobs}
        with Deployment(broker, tmp_path / "deployment", settings) as deployment:
            jobs = [_accepted(deployment, f"before {number}") for number in range(30)]
            with _read_only(url):
                refused = until(lambda: _refused(deployment), 60, "a refusal")
                assert "nothing was accepted" in refused["detail"]
                assert deployment.job(jobs[0])["id"] == jobs[0]
            _goes_on(deployment, jobs)


@contextmanager
def _read_only(url: str) -> Iterator[None]:
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("SET default_transaction_read_only = off")

        def switch(state: str) -> None:
            connection.execute(f"ALTER SYSTEM SET default_transaction_read_only = {state}".encode())
            connection.execute("SELECT pg_reload_conf()")

        switch("on")
        try:
            yield
        finally:
            switch("off")


def _accepted(deployment: Deployment, name: str) -> str:
    return deployment.submit({"task": "echo", "text": LONG + name, "email": "r@localhost"})


def _refused(deployment: Deployment) -> dict[str, Any] | None:
    """The problem that a submission meets, once it meets one; there is no answer but 202 and 503."""
    answer = deployment.http.post("/v1/jobs", json={"task": "echo", "text": LONG, "email": "extra@localhost"})
    assert answer.status_code in (202, 503), answer.text
    if answer.status_code == 202:
        return None
    assert int(answer.headers["Retry-After"]) > 0
    problem: dict[str, Any] = answer.json()
    return problem


def jobs_end(deployment: Deployment, jobs: list[str]) -> None:
    """All of them end well."""
    assert [deployment.finished(job, 180)["status"] for job in jobs] == ["succeeded"] * len(jobs)


def _goes_on(deployment: Deployment, jobs: list[str]) -> None:
    """All that was accepted ends well, a new one too, and each is mailed once."""

    def accepted() -> str | None:
        answer = deployment.http.post("/v1/jobs", json={"task": "echo", "text": LONG, "email": "r@localhost"})
        return str(answer.json()["id"]) if answer.status_code == 202 else None

    jobs = [*jobs, until(accepted, 120, "a new job to be accepted")]
    jobs_end(deployment, jobs)
    until(lambda: _mailed(deployment).total() >= len(jobs), 120, "all e-mails")
    assert set(_mailed(deployment).values()) == {1}


def _mailed(deployment: Deployment) -> Counter[str]:
    return Counter(str(mail["Message-ID"]) for mail in deployment.mails(0) if mail["To"] == "r@localhost")
