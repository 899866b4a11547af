"""A worker that is taken for dead goes on, and tries to write: what it does late changes nothing."""

from __future__ import annotations

import os
import sqlite3
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from streamapp.store.database import Database
from streamapp.store.schema import deliveries
from streamapp.testing.deployment import Deployment, until
from tests.integration.holding_smtp import TAKEN, HoldingSmtp
from tests.integration.observer import committed, members, messages

pytestmark = pytest.mark.timeout(400)

HERE = Path(__file__).parent
WORDS = [f"word{number:02d}" for number in range(40)]
LOST, TWICE = "lost@localhost", "twice@localhost"
FENCED = ("local member_id was not recognized", "generation id is not", "OffsetCommit failed", "already rebalanced")
AFTER_S = 8.0


def _settings(folder: Path, **more: str) -> dict[str, str]:
    (folder / "steer").mkdir()
    return {
        "STREAMAPP_TASKS": "steered_task:Steered",
        "STREAMAPP_ONLY_TASKS": "steered,echo",
        "STREAMAPP_DEVICE": "cpu",
        "STREAMAPP_TOPIC_PARTITIONS": "1",  # so that one worker has all, and the other waits
        "STREAMAPP_CHUNK_ITEMS": "1",
        "STEERED": str(folder / "steer"),
        "PYTHONPATH": os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), str(HERE)))),
        **more,
    }


def test_a_jobs_worker_that_wakes_up_writes_nothing(broker: str, tmp_path: Path) -> None:
    """It held two mails and results: I expect the lost one sent once, the other twice and in doubt, all jobs done."""
    with HoldingSmtp({LOST: "451 come again", TWICE: TAKEN}) as smtp:
        settings = _settings(tmp_path, STREAMAPP_SMTP_URL=smtp.url, STREAMAPP_MAIL_TIMEOUT_S="5")
        with Deployment(broker, tmp_path, settings) as first:
            pair = [first, first.spawn_another()]
            group = first.environment["STREAMAPP_GROUP"]
            until(lambda: len(members(broker, group)) == 2, 90, "two members")
            (tmp_path / "steer" / "slow").write_text("0.2")
            book = first.submit({"task": "steered", "text": " ".join(WORDS), "email": "reader@localhost"})
            until(lambda: first.job(book)["progress"]["done"] >= 3, 60, "some results")
            jobs = [first.submit({"task": "echo", "text": "Hello.", "email": whom}) for whom in (LOST, TWICE)]
            until(lambda: len(smtp.held) == 2, 30, "both mails to be on their way")
            old = next(worker for worker in pair if _speaks(worker, set(smtp.held.values())))
            new = next(worker for worker in pair if worker is not old)

            [stopped] = old.workers("streamapp")
            _suspend_between_writes(stopped, first)
            assert new.job(book)["status"] == "running"
            smtp.let_go()
            until(lambda: len(smtp.mails) == 1, 10, "the mail that was taken")
            (tmp_path / "steer" / "slow").unlink()
            assert new.finished(book, 90)["report"]["text"] == " ".join(WORDS)
            until(lambda: {mail.recipient for mail in smtp.mails} >= {LOST, "reader@localhost"}, 90, "the mails")
            until(lambda: len(smtp.mails) == 4, 60, "the mail in doubt to be sent again")
            before = committed(broker, group)
            stopped.resume()
            until(lambda: _ended(old) or any(words in old.log.read_text() for words in FENCED), 30, "it to be fenced")
            time.sleep(AFTER_S)

            after = committed(broker, group)
            assert {place: offset for place, offset in after.items() if offset < before.get(place, 0)} == {}
            assert Counter(mail.recipient for mail in smtp.mails) == {LOST: 1, TWICE: 2, "reader@localhost": 1}
            assert len({mail.message_id for mail in smtp.mails}) == 3
            assert _ledger(first) == {
                LOST: ("sent", 2, 1),
                TWICE: ("sent", 2, 1),
                "reader@localhost": ("sent", 1, 0),
            }
            if _ended(old):
                old.start()
            last = old.submit({"task": "echo", "text": "After all.", "email": "reader@localhost"})
            assert {new.finished(job, 60)["status"] for job in (*jobs, last, book)} == {"succeeded"}
            until(lambda: len(smtp.mails) == 5, 30, "the last mail")


def test_a_model_worker_that_wakes_up_brings_a_result_too_late(broker: str, tmp_path: Path) -> None:
    """I expect the chunk's second result to change nothing: the same report, all items counted once, one mail."""
    with Deployment(broker, tmp_path, _settings(tmp_path)) as first:
        second = first.spawn_another()
        group = f"{first.environment['STREAMAPP_GROUP']}-inference"
        until(lambda: len(members(broker, group)) == 2, 90, "two model workers")
        hold = tmp_path / "steer" / WORDS[5]
        hold.touch()
        job = first.submit({"task": "steered", "text": " ".join(WORDS), "email": "reader@localhost"})
        pid = until(lambda: _at(tmp_path, WORDS[5]), 60, "the chunk to be in work")
        stopped = psutil.Process(pid)
        assert stopped.pid in {worker.pid for each in (first, second) for worker in each.workers("streamapp.inference")}

        stopped.suspend()
        hold.unlink()
        ended = first.finished(job, 120)
        assert ended["report"]["text"] == " ".join(WORDS)
        first.mails(1)
        stopped.resume()
        late = until(lambda: _results(broker, first, job)[5] == 2, 60, "the late result")
        time.sleep(AFTER_S)

        assert late
        again = first.job(job)
        assert (again["report"], again["progress"]) == (ended["report"], {"done": len(WORDS), "total": len(WORDS)})
        assert len(first.mails(1)) == 1
        more = [first.submit({"task": "steered", "text": "one two three"}) for _ in range(4)]
        assert {first.finished(each, 60)["report"]["text"] for each in more} == {"one two three"}


def _suspend_between_writes(process: psutil.Process, deployment: Deployment) -> None:
    """One that is stopped in a write keeps SQLite's lock, and everybody waits until it wakes up or is killed."""
    for _ in range(100):
        process.suspend()
        until(lambda: _stands_still(process), 10, "all its threads to stop", 0.01)
        with closing(sqlite3.connect(deployment.home / "streamapp.db", timeout=0.5, isolation_level=None)) as store:
            try:
                store.execute("BEGIN IMMEDIATE").connection.rollback()
                return
            except sqlite3.OperationalError:
                process.resume()
        time.sleep(0.1)
    raise AssertionError("it always writes")


def _stands_still(process: psutil.Process) -> bool:
    """Whether each of its threads is stopped: one that runs yet may begin a write after nobody was seen to write."""
    stats = [stat.read_text() for stat in Path(f"/proc/{process.pid}/task").glob("*/stat")]
    return all(stat.rpartition(")")[2].split()[0] == "T" for stat in stats)


def _speaks(worker: Deployment, ports: set[int]) -> bool:
    """Whether the process that sends this worker's e-mails has one of these connections."""
    [process] = worker.workers("streamapp")
    found = [each for child in process.children(recursive=True) for each in child.net_connections("tcp")]
    return bool(ports & {each.laddr.port for each in found if each.laddr})


def _ended(worker: Deployment) -> bool:
    return worker.process is not None and worker.process.poll() is not None


def _ledger(deployment: Deployment) -> dict[str, tuple[str, int, int]]:
    database = Database(f"sqlite:///{deployment.home / 'streamapp.db'}")
    try:
        query = deliveries.select().where(deliveries.c.kind == "email")
        rows = database.read_sync(lambda connection: connection.execute(query).all())
        return {row.recipient: (row.state, row.attempts, row.in_doubt) for row in rows}
    finally:
        database.close()


def _at(folder: Path, word: str) -> int | None:
    begun = folder / "steer" / "begun"
    lines = begun.read_text().splitlines() if begun.exists() else []
    return next((int(line.split()[0]) for line in lines if line.split()[1] == word), None)


def _results(broker: str, deployment: Deployment, job: str) -> Counter[int]:
    seen = messages(broker, f"{deployment.prefix}results")
    return Counter(each.value["chunk"] for each in seen if each.value["job_id"] == job)
