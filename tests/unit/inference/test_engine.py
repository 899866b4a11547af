"""One predictor at work: full batches, no idle waiting, and every item gets its outcome."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from streamapp.documents.claim import Blobs
from streamapp.errors import StoreUnavailable, Transient
from streamapp.inference import work
from streamapp.inference.engine import Engine
from streamapp.models import Chunk
from streamapp.tasks.contract import ItemError
from streamapp.testing.fakes import Word, WordPredictor


def chunk(*words: str, deadline: float | None = None, document: str = "data:;base64,SGk=") -> Chunk:
    """A chunk of these words."""
    items: list[dict[str, Any]] = [{"text": word} for word in words]
    return Chunk("anna", "job", 1, 0, 0, "word", document, "text/plain", 2, items, deadline)


@pytest.fixture
def predictor(monkeypatch: pytest.MonkeyPatch) -> WordPredictor:
    """A predictor under the test's control; failures are tried again at once."""
    monkeypatch.setattr(work, "FIRST_RETRY_S", 0.001)
    return WordPredictor()


@pytest.fixture
def hung() -> list[str]:
    """Why the engine would have left the process."""
    return []


@pytest.fixture
async def engine(predictor: WordPredictor, hung: list[str], tmp_path: Path) -> AsyncIterator[Engine]:
    """An engine that runs."""
    running = Engine(predictor, Word, Blobs(tmp_path.as_uri()), hung.append)
    await running.load("cpu")
    yield running
    predictor.gate.set()
    await running.close()


async def until(event: threading.Event) -> None:
    """Wait for something in another thread."""
    assert await asyncio.to_thread(event.wait, 10)


def out(*words: str) -> list[dict[str, Any]]:
    """The outcomes of words that went well."""
    return [{"out": {"text": word}} for word in words]


async def blocked(engine: Engine, predictor: WordPredictor) -> asyncio.Task[Any]:
    """Keep the model busy with one word until the gate is opened."""
    predictor.gate.clear()
    task = asyncio.create_task(engine.compute(chunk("first")))
    await until(predictor.waits)
    return task


async def all_prepared(predictor: WordPredictor, count: int) -> None:
    """Wait until that many words are prepared and taken over."""
    async with asyncio.timeout(10):
        while len(predictor.prepared) < count:
            await asyncio.sleep(0.001)
    await asyncio.sleep(0.01)


async def test_outcomes_in_their_order(engine: Engine, predictor: WordPredictor) -> None:
    """I expect an outcome for each item in its place, whatever batches they were computed in."""
    words = ["seventeen-letters", "a", "bb", "eighteen-letters-x", "ccc"]
    assert await engine.compute(chunk(*words)) == out(*(word.upper() for word in words))
    assert predictor.device == "cpu"
    assert len(predictor.batches) > 1
    assert engine.items == 5


class OnABigDevice(WordPredictor):
    """Has room for more once it is loaded."""

    def budget_loaded(self) -> int:
        """Twice as much, on this device."""
        return 2 * self.budget if self.device == "cpu" else 1


async def test_the_device_decides_how_large_batches_are(hung: list[str], tmp_path: Path) -> None:
    """I expect what the predictor says after it was loaded, and batches of that."""
    predictor = OnABigDevice()
    engine = Engine(predictor, Word, Blobs(tmp_path.as_uri()), hung.append)
    await engine.load("cpu")
    assert engine.budget == 2 * WordPredictor.budget
    busy = await blocked(engine, predictor)
    rest = asyncio.create_task(engine.compute(chunk(*["x" * WordPredictor.budget] * 2)))
    await all_prepared(predictor, 3)
    predictor.gate.set()
    await asyncio.gather(busy, rest)
    assert [len(batch) for batch in predictor.batches] == [1, 2]
    await engine.close()


async def test_an_empty_chunk(engine: Engine) -> None:
    """I expect no outcomes and no waiting."""
    assert await engine.compute(chunk()) == []


async def test_batches_mix_jobs_and_hold_the_budget(engine: Engine, predictor: WordPredictor) -> None:
    """I expect what came while the model was busy to be computed together, up to the budget."""
    first = await blocked(engine, predictor)
    tasks = [asyncio.create_task(engine.compute(chunk("aaaa", "bbbb"))) for _ in range(4)]
    await all_prepared(predictor, 9)
    predictor.gate.set()
    assert await asyncio.gather(*tasks) == [out("AAAA", "BBBB")] * 4
    await first
    sizes = [sum(map(len, batch)) for batch in predictor.batches[1:]]
    assert sizes == [20, 12]


async def test_items_are_prepared_while_the_model_computes(engine: Engine, predictor: WordPredictor) -> None:
    """I expect the next items to be ready before the batch in work has ended."""
    first = await blocked(engine, predictor)
    second = asyncio.create_task(engine.compute(chunk("next")))
    await all_prepared(predictor, 2)
    assert predictor.batches == [["first"]]
    predictor.gate.set()
    await asyncio.gather(first, second)


async def test_the_oldest_waits_for_one_batch_of_smaller_chunks(engine: Engine, predictor: WordPredictor) -> None:
    """I expect a long item to be in the second batch at the latest, however many small chunks came after it."""
    first = await blocked(engine, predictor)
    long = asyncio.create_task(engine.compute(chunk("eighteen-letters-x")))
    await all_prepared(predictor, 2)
    short = [asyncio.create_task(engine.compute(chunk("abcde"))) for _ in range(16)]
    await all_prepared(predictor, 18)
    predictor.gate.set()
    await asyncio.gather(first, long, *short)
    assert any("eighteen-letters-x" in batch for batch in predictor.batches[1:3])


async def test_a_small_chunk_passes_a_large_one(engine: Engine, predictor: WordPredictor) -> None:
    """I expect a chunk of one item to be back before one of many that came before it."""
    first = await blocked(engine, predictor)
    book = asyncio.create_task(engine.compute(chunk(*["eighteen-letters-x"] * 9)))
    await all_prepared(predictor, 10)
    short = asyncio.create_task(engine.compute(chunk("abcde")))
    await all_prepared(predictor, 11)
    predictor.gate.set()
    await asyncio.gather(first, short)
    assert not book.done()
    assert await book == out(*["EIGHTEEN-LETTERS-X"] * 9)


async def test_the_bad_item_is_found(engine: Engine, predictor: WordPredictor) -> None:
    """I expect a batch that fails to be halved, its good items to be computed, and the bad one to be tried again."""
    predictor.errors["bad"] = RuntimeError("out of memory")
    outcomes = await engine.compute(chunk("a", "b", "bad", "c"))
    assert outcomes[:2] + outcomes[3:] == out("A", "B", "C")
    assert "3 times" in outcomes[2]["error"]
    assert "RuntimeError: out of memory" in outcomes[2]["error"]
    assert sum(batch == ["bad"] for batch in predictor.batches) == 3


async def test_a_failure_that_passes(engine: Engine, predictor: WordPredictor) -> None:
    """I expect an item that fails twice alone and then works to have its outcome."""
    predictor.errors["flaky"], predictor.times["flaky"] = RuntimeError("busy"), 2
    assert await engine.compute(chunk("flaky")) == out("FLAKY")


async def test_an_item_error_is_for_good(engine: Engine, predictor: WordPredictor) -> None:
    """I expect an ItemError that predict raises to be tried no more once it is clear whose it is."""
    predictor.errors["bad"] = ItemError("no word at all")
    assert await engine.compute(chunk("a", "bad")) == [*out("A"), {"error": "no word at all"}]
    assert sum(batch == ["bad"] for batch in predictor.batches) == 1


class Other(BaseModel):
    """A model of the same form, and not the predictor's Out."""

    text: str


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ([], "0 outcomes for 1 items"),
        ([Word(text="A"), Word(text="B")], "2 outcomes for 1 items"),
        (None, "its Out, Word, or an ItemError for each item, and gave NoneType: None"),
        ("A", "predict of word must return a list with its Out, Word, or an ItemError"),
        ({"text": "A"}, "for each item, and gave dict: {'text': 'A'}"),
        ((each for each in "A"), "for each item, and gave generator: "),
        ([{"text": "A"}], "for each item, and gave a list with dict: {'text': 'A'}"),
        (["A"], "for each item, and gave a list with str: 'A'"),
        ([None], "for each item, and gave a list with NoneType: None"),
        ([Word], "for each item, and gave a list with "),
        (
            [Other(text="A")],
            "its Out, Word, or an ItemError for each item, and gave a list with Other: Other(text='A')",
        ),
    ],
)
async def test_predict_that_gives_nonsense(
    engine: Engine, predictor: WordPredictor, monkeypatch: pytest.MonkeyPatch, answer: Any, reason: str
) -> None:
    """I expect the item to be in error, and the engine to go on with the next one."""
    right = predictor.predict

    def predict(batch: Sequence[str]) -> Any:
        return answer if "wrong" in batch else right(batch)

    monkeypatch.setattr(predictor, "predict", predict)
    (outcome,) = await engine.compute(chunk("wrong"))
    assert reason in outcome["error"]
    assert "Error:" not in outcome["error"]
    assert await engine.compute(chunk("right")) == out("RIGHT")


async def test_a_cost_that_is_no_number(
    engine: Engine, predictor: WordPredictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I expect the item to be in error, and the engine to go on with the next one."""
    monkeypatch.setattr(predictor, "cost", lambda ready: float("nan") if ready == "wrong" else len(ready))
    (outcome,) = await engine.compute(chunk("wrong"))
    assert "NaN" in outcome["error"]
    assert await engine.compute(chunk("right")) == out("RIGHT")


async def test_what_can_t_be_prepared(engine: Engine, predictor: WordPredictor) -> None:
    """I expect an ItemError at once, another error after three attempts, a passing one to pass, the rest as usual."""
    predictor.unprepared = {
        "bad": ItemError("no word"),
        "broken": ValueError("never"),
        "flaky": OSError("not now"),
    }
    predictor.times["flaky"] = 2
    outcomes = await engine.compute(chunk("a", "bad", "broken", "flaky"))
    assert outcomes[0] == out("A")[0]
    assert outcomes[1] == {"error": "no word"}
    assert "3 times" in outcomes[2]["error"]
    assert outcomes[3] == out("FLAKY")[0]
    assert predictor.prepared.count("a") == 1


async def test_an_item_of_another_shape(engine: Engine) -> None:
    """I expect an item that is none of the step's to be in error."""
    wrong = chunk("a")
    wrong.items = [{"words": 1}]
    (outcome,) = await engine.compute(wrong)
    assert "ValidationError" in outcome["error"]


async def test_a_document_that_can_t_be_read_now(engine: Engine, predictor: WordPredictor) -> None:
    """I expect the whole chunk to be refused as transient, and not its items to be taken for bad."""
    predictor.unprepared["a"] = StoreUnavailable("the bucket is away")
    with pytest.raises(StoreUnavailable):
        await engine.compute(chunk("a"))
    predictor.unprepared.clear()
    assert await engine.compute(chunk("a")) == out("A")


async def test_past_the_deadline(engine: Engine, predictor: WordPredictor) -> None:
    """I expect no computing for a job that nobody waits for any more."""
    outcomes = await engine.compute(chunk("a", "b", deadline=time.time() - 1))
    assert ["deadline" in outcome["error"] for outcome in outcomes] == [True, True]
    assert predictor.prepared == []
    assert await engine.compute(chunk("a", deadline=time.time() + 60)) == out("A")


async def test_predict_that_hangs(
    engine: Engine, predictor: WordPredictor, hung: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """I expect to be told when predict takes longer than it may."""
    monkeypatch.setattr(WordPredictor, "timeout_s", 0.05)
    first = await blocked(engine, predictor)
    async with asyncio.timeout(5):
        while not hung:
            await asyncio.sleep(0.01)
    assert "predictor word" in hung[0]
    predictor.gate.set()
    await first


async def test_prepare_that_hangs(
    engine: Engine, predictor: WordPredictor, hung: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """I expect to be told when prepare takes longer than it may, and not when many items merely wait their turn."""
    monkeypatch.setattr(WordPredictor, "timeout_s", 0.2)
    release = threading.Event()

    def prepare(item: Word, document: Any) -> str:
        release.wait(0.05 if item.text == "slow" else 10)
        return item.text

    monkeypatch.setattr(predictor, "prepare", prepare)
    await engine.compute(chunk(*["slow"] * 8))
    assert hung == []
    task = asyncio.create_task(engine.compute(chunk("endless")))
    async with asyncio.timeout(5):
        while not hung:
            await asyncio.sleep(0.01)
    assert "prepare" in hung[0]
    release.set()
    await task


async def test_closing_leaves_the_work_to_others(engine: Engine, predictor: WordPredictor) -> None:
    """I expect what is in work, and what comes after, to be refused as transient: no outcome is made up."""
    first = await blocked(engine, predictor)
    second = asyncio.create_task(engine.compute(chunk("next")))
    await all_prepared(predictor, 2)
    await engine.close()
    for task in (first, second):
        with pytest.raises(Transient):
            await task
    with pytest.raises(Transient):
        await engine.compute(chunk("late"))
