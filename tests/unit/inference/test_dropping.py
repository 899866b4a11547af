"""What nobody waits for any more: at most the batch in work is computed of it, and everything is answered."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from streamapp.documents.claim import Blobs
from streamapp.identity import Run
from streamapp.inference import dropped as module
from streamapp.inference import work
from streamapp.inference.dropped import Dropped
from streamapp.inference.engine import ENDED, PAST_DEADLINE, Engine
from streamapp.models import Chunk
from streamapp.testing.fakes import Word, WordPredictor
from tests.unit.inference.test_engine import all_prepared, blocked, chunk, out


def of_book(*words: str, number: int = 0, run: int = 1, tenant: str = "anna") -> Chunk:
    """A chunk of the job that will be cancelled."""
    made = chunk(*words)
    made.tenant, made.job_id, made.run, made.chunk = tenant, "book", run, number
    return made


BOOK = Run("anna", "book", 1)


@pytest.fixture
def predictor(monkeypatch: pytest.MonkeyPatch) -> WordPredictor:
    """A predictor under the test's control; failures are tried again at once."""
    monkeypatch.setattr(work, "FIRST_RETRY_S", 0.001)
    return WordPredictor()


@pytest.fixture
def dropped() -> Dropped:
    """What the worker has heard."""
    return Dropped()


@pytest.fixture
async def engine(predictor: WordPredictor, dropped: Dropped, tmp_path: Path) -> AsyncIterator[Engine]:
    """An engine that runs."""
    running = Engine(predictor, Word, Blobs(tmp_path.as_uri()), pytest.fail, dropped=dropped)
    await running.load("cpu")
    yield running
    predictor.gate.set()
    await running.close()


def cancel(engine: Engine, dropped: Dropped, run: Run = BOOK) -> None:
    """As the model worker does when it hears of it."""
    dropped.add(run)
    engine.drop_unwanted()


async def test_a_cancel_holds_within_a_batch(engine: Engine, predictor: WordPredictor, dropped: Dropped) -> None:
    """I expect every waiting chunk of that run to be answered at once, and another job's to be computed as ever."""
    first = await blocked(engine, predictor)
    book = [asyncio.create_task(engine.compute(of_book(*["word"] * 8, number=number))) for number in range(4)]
    other = asyncio.create_task(engine.compute(chunk("other")))
    await all_prepared(predictor, 34)
    cancel(engine, dropped)
    async with asyncio.timeout(5):
        assert await asyncio.gather(*book) == [[{"error": ENDED}] * 8] * 4
    assert predictor.batches == [["first"]], "the model is still busy with what it had"
    predictor.gate.set()
    assert list(await asyncio.gather(first, other)) == [out("FIRST"), out("OTHER")]
    assert predictor.batches == [["first"], ["other"]]


async def test_the_batch_in_work_is_the_last(engine: Engine, predictor: WordPredictor, dropped: Dropped) -> None:
    """I expect a chunk half of which was computed to be answered at once, and the rest of it not to be computed."""
    predictor.gate.clear()
    task = asyncio.create_task(engine.compute(of_book(*["12345678"] * 6)))
    assert await asyncio.to_thread(predictor.waits.wait, 10)
    cancel(engine, dropped)
    async with asyncio.timeout(5):
        assert await task == [{"error": ENDED}] * 6
    predictor.gate.set()
    assert await engine.compute(chunk("next")) == out("NEXT")
    assert [len(batch) for batch in predictor.batches] == [2, 1]
    assert engine.items == 3


async def test_what_comes_afterwards(engine: Engine, predictor: WordPredictor, dropped: Dropped) -> None:
    """I expect no computing and no preparing of that run, and newer ones and other tenants not to be hit."""
    cancel(engine, dropped)
    assert await engine.compute(of_book("late")) == [{"error": ENDED}]
    assert predictor.prepared == []
    assert await engine.compute(of_book("again", run=2)) == out("AGAIN")
    assert await engine.compute(of_book("theirs", tenant="ben")) == out("THEIRS")


async def test_what_is_being_prepared(
    engine: Engine, predictor: WordPredictor, dropped: Dropped, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I expect preparing to end with the item that it is at."""
    begun, go, seen = threading.Event(), threading.Event(), []

    def prepare(item: Word, document: Any) -> str:
        seen.append(item.text)
        begun.set()
        go.wait(10)
        return item.text

    monkeypatch.setattr(predictor, "prepare", prepare)
    task = asyncio.create_task(engine.compute(of_book("a", "b", "c")))
    assert await asyncio.to_thread(begun.wait, 10)
    cancel(engine, dropped)
    go.set()
    assert await task == [{"error": ENDED}] * 3
    assert seen == ["a"]
    assert predictor.batches == []


async def test_what_fails_while_it_is_cancelled(engine: Engine, predictor: WordPredictor, dropped: Dropped) -> None:
    """I expect a batch that fails not to be halved and tried again for a run that has ended."""
    predictor.errors["bad"] = RuntimeError("out of order")
    predictor.gate.clear()
    task = asyncio.create_task(engine.compute(of_book("bad", "good")))
    assert await asyncio.to_thread(predictor.waits.wait, 10)
    cancel(engine, dropped)
    assert await task == [{"error": ENDED}] * 2
    predictor.gate.set()
    assert await engine.compute(chunk("next")) == out("NEXT")
    assert predictor.batches == [["bad", "good"], ["next"]]


async def test_what_waits_to_be_tried_again(engine: Engine, predictor: WordPredictor, dropped: Dropped) -> None:
    """I expect an item that failed alone not to be tried again once its run has ended."""
    predictor.errors["bad"] = RuntimeError("out of order")
    predictor.gate.clear()
    task = asyncio.create_task(engine.compute(of_book("bad")))
    assert await asyncio.to_thread(predictor.waits.wait, 10)
    predictor.gate.set()
    cancel(engine, dropped)
    assert await task == [{"error": ENDED}]
    await asyncio.sleep(0.05)  # the retry would be after a millisecond
    assert await engine.compute(chunk("next")) == out("NEXT")
    assert predictor.batches == [["bad"], ["next"]]


async def test_a_deadline_that_passes_while_it_waits(engine: Engine, predictor: WordPredictor) -> None:
    """I expect an item that waited for a batch until its job's deadline had passed not to be computed."""
    first = await blocked(engine, predictor)
    late = asyncio.create_task(engine.compute(chunk("late", deadline=time.time() + 0.3)))
    other = asyncio.create_task(engine.compute(chunk("in", "time", deadline=time.time() + 300)))
    await all_prepared(predictor, 4)
    await asyncio.sleep(0.4)
    predictor.gate.set()
    assert await late == [{"error": PAST_DEADLINE}]
    assert list(await asyncio.gather(first, other)) == [out("FIRST"), out("IN", "TIME")]
    assert predictor.batches == [["first"], ["in", "time"]]


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect the newest to be remembered, so many of them and for so long, and one that is told twice anew."""
    now = 0.0
    monkeypatch.setattr(module, "MOST", 3)
    heard = Dropped(lambda: now)
    runs = [Run("anna", f"job-{number}", 1) for number in range(5)]
    for run in runs[:3]:
        heard.add(run)
    heard.add(runs[0])
    heard.add(runs[3])
    assert [run in heard for run in runs] == [True, False, True, True, False]
    now = module.REMEMBERED_S + 1
    assert not any(run in heard for run in runs)
    heard.add(runs[4])
    assert (len(heard), runs[4] in heard) == (1, True)
