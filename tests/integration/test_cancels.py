"""A job that is cancelled, or whose deadline passes, in the middle: at most the batch in work is computed of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from streamapp.testing.deployment import Deployment, until

BOOK, SHORT = "b" * 2000, "s" * 8


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the task notes what it computes."""
    return tmp_path_factory.mktemp("counting")


@pytest.fixture(scope="module")
def counting(broker: str, folder: Path) -> Iterator[Deployment]:
    """A running worker with the task `counting`, and two model workers: each has to hear of a cancel."""
    settings = {
        "STREAMAPP_TASKS": "counting_task:Counting",
        "STREAMAPP_ONLY_TASKS": "counting",
        "STREAMAPP_DEVICE": "cpu",
        "STREAMAPP_MODEL_WORKERS": "2",
        "PYTHONPATH": str(Path(__file__).parent),
        "COUNTING": str(folder),
    }
    with Deployment(broker, folder, settings) as running:
        until(lambda: len(running.http.get("/v1/agents").json()["workers"]) == 2, 60, "both model workers")
        yield running


def batches(folder: Path, letter: str) -> int:
    """How many batches with items of that letter were begun with."""
    path = folder / "computed"
    return sum(letter in line for line in path.read_text().splitlines()) if path.exists() else 0


def under_way(deployment: Deployment, folder: Path, **body: str) -> str:
    """A book in whose middle the models are."""
    before = batches(folder, "b")
    book = deployment.submit({"task": "counting", "text": BOOK, **body})
    until(lambda: batches(folder, "b") >= before + 6, 60, "the book to be in work")
    return book


@pytest.mark.timeout(180)
@pytest.mark.parametrize("how", ["cancel", "deadline"])
def test_an_end_in_the_middle_of_a_book(counting: Deployment, folder: Path, how: str) -> None:
    """Of some 32 batches in flight one a model worker is computed at most after the end, and other jobs go on."""
    late = (datetime.now(UTC) + timedelta(seconds=8)).isoformat()
    book = under_way(counting, folder, **({"deadline": late} if how == "deadline" else {}))
    if how == "cancel":
        assert counting.http.delete(f"/v1/jobs/{book}").json()["status"] == "cancelled"
    else:
        assert counting.finished(book)["status"] == "expired"
    ended = batches(folder, "b")
    shorts = [counting.submit({"task": "counting", "text": SHORT}) for _ in range(8)]
    assert {counting.finished(job, 60)["status"] for job in shorts} == {"succeeded"}
    assert batches(folder, "b") - ended <= 2
    again = counting.submit({"task": "counting", "text": "again"})
    assert counting.finished(again, 60)["report"]["text"] == "again"
    assert batches(folder, "b") - ended <= 2, "something of the book came afterwards"
