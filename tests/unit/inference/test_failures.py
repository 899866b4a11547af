"""Failures that are not an item's own: too little memory, a broken device, items that ended workers before."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
import weakref
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from streamapp.documents.claim import Blobs
from streamapp.inference import work
from streamapp.inference.batch import Fit
from streamapp.inference.devices import Device, is_out_of_memory
from streamapp.inference.engine import Engine
from streamapp.inference.quarantine import Quarantine, Room
from streamapp.inference.suspects import ChunkId, Left
from streamapp.models import Chunk
from streamapp.testing.fakes import Word, WordPredictor
from tests.unit.inference.test_engine import all_prepared, blocked, chunk, out


class FakeDevice(Device):
    """Counts what it freed, and is broken when a test says so."""

    def __init__(self) -> None:
        super().__init__("fake")
        self.freed: list[BaseException] = []
        self.broken = False

    def free(self, error: BaseException) -> None:
        """Count it."""
        super().free(error)
        self.freed.append(error)

    def works(self) -> bool:
        """Unless it is broken."""
        return not self.broken


class SmallMemory(WordPredictor):
    """Holds so many characters, and no more."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room

    def predict(self, batch: Sequence[str]) -> Any:
        """As always, where it fits."""
        outcomes = super().predict(batch)
        if sum(map(len, batch)) > self.room:
            big = bytearray(1000)
            raise MemoryError(f"no room for {len(big)} bytes")
        return outcomes


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "FIRST_RETRY_S", 0.001)


@pytest.fixture
def device() -> FakeDevice:
    """A device under the test's control."""
    return FakeDevice()


@pytest.fixture
def left() -> list[str]:
    """Why an engine would have left the process."""
    return []


@pytest.fixture
async def start(device: FakeDevice, left: list[str], tmp_path: Path) -> AsyncIterator[Any]:
    """Starts engines on the device."""
    engines = []

    async def started(predictor: WordPredictor, quarantine: Quarantine | None = None) -> Engine:
        engine = Engine(predictor, Word, Blobs(tmp_path.as_uri()), left.append, quarantine)
        engines.append((engine, predictor))
        await engine.load(device)
        return engine

    yield started
    for engine, predictor in engines:
        predictor.gate.set()
        await engine.close()


async def together(engine: Engine, predictor: WordPredictor, *chunks: Chunk) -> list[Any]:
    """The outcomes of chunks that are all prepared before the first batch of them is formed."""
    first = await blocked(engine, predictor)
    before = len(predictor.prepared)
    tasks = [asyncio.create_task(engine.compute(each)) for each in chunks]
    await all_prepared(predictor, before + sum(len(each.items) for each in chunks))
    predictor.gate.set()
    await first
    return await asyncio.gather(*tasks)


async def test_the_size_that_fitted_is_remembered(
    start: Any, device: FakeDevice, left: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    """I expect the caches to be freed, every item computed, smaller batches from then on, and one line in the log."""
    predictor = SmallMemory(10)
    engine = await start(predictor)
    with caplog.at_level(logging.WARNING):
        assert await together(engine, predictor, chunk(*["aaaa"] * 5)) == [out(*["AAAA"] * 5)]
    assert engine.budget == 8
    assert len(device.freed) == 2
    predictor.batches.clear()
    assert await together(engine, predictor, chunk(*["bbbb"] * 4)) == [out(*["BBBB"] * 4)]
    assert predictor.batches[1:] == [["bbbb"] * 2] * 2
    assert len(device.freed) == 2
    assert caplog.text.count("batches hold 8 instead of 20 now") == 1
    assert left == []


async def test_an_item_too_large_for_the_memory(start: Any, device: FakeDevice) -> None:
    """I expect it to fail with the reason after three attempts, and the others' batches to stay as they are."""
    predictor = SmallMemory(16)
    engine = await start(predictor)
    (outcomes,) = await together(engine, predictor, chunk("a", "b", "x" * 17))
    assert outcomes[:2] == out("A", "B")
    assert "not enough memory" in outcomes[2]["error"]
    assert "MemoryError: no room for 1000 bytes" in outcomes[2]["error"]
    assert engine.budget == predictor.budget
    assert sum(batch == ["x" * 17] for batch in predictor.batches) == 3


def test_what_a_batch_says_of_the_memory() -> None:
    """I expect a budget to fall to what fitted, never to nothing, and never for one large item's sake."""
    assert Fit().budget(20) == 20
    assert Fit(fitted=8).budget(20) == 20
    assert Fit(too_large=True, fitted=8).budget(20) == 8
    assert Fit(too_large=True, fitted=30).budget(20) == 20
    assert Fit(too_large=True, fitted=0).budget(20) == 20
    assert Fit(too_large=True, too_large_alone=True, fitted=8).budget(20) == 20


def test_errors_that_mean_out_of_memory() -> None:
    """I expect torch's ways to say so to be known, and other errors of the device not to be taken for it."""
    torch = pytest.importorskip("torch")
    for error in (
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory: you tried to"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        torch.AcceleratorError("CUDA error: out of memory"),
    ):
        assert is_out_of_memory(error), error
    for error in (
        RuntimeError("CUDA error: device-side assert triggered"),
        torch.AcceleratorError("CUDA error: an illegal memory access was encountered"),
        ValueError("out of memory"),
    ):
        assert not is_out_of_memory(error), error


def test_memory_that_a_failure_holds_is_let_go() -> None:
    """I expect what was in the frames of the failed call to be gone, so that it can be given out again."""

    class Big:
        """Stands for a tensor."""

    gone = threading.Event()

    def predict() -> None:
        big = Big()
        weakref.finalize(big, gone.set)
        raise MemoryError

    try:
        predict()
    except MemoryError as error:
        Device("cpu").free(error)
        assert gone.is_set()
    assert Device("cpu").works()


async def test_a_broken_device_ends_the_worker(
    start: Any, device: FakeDevice, left: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I expect the process to be left at once with the batch in its journal, and an ordinary error not to be that."""
    predictor = WordPredictor()
    quarantine = Quarantine.of_slot(tmp_path / "home", 0)
    engine = await start(predictor, quarantine)
    predictor.errors["bad"] = RuntimeError("the word is bad")
    await engine.compute(chunk("bad"))
    assert left == []
    device.broken = True
    predictor.errors["bad"] = RuntimeError("CUDA error: device-side assert triggered")
    journal = (tmp_path / "home" / "0.journal").read_text
    in_work: list[str] = []

    def leave(reason: str) -> None:
        in_work.append(journal())
        left.append(reason)

    monkeypatch.setattr(engine._runner, "_leave", leave)
    await engine.compute(chunk("bad"))
    assert "device-side assert" in left[0]
    assert '"job"' in in_work[0]


async def test_suspects_are_computed_alone(start: Any, tmp_path: Path) -> None:
    """I expect them one by one with nothing else in the process, those above the limit not at all, others as ever."""
    quarantine = Quarantine.of_slot(tmp_path / "home", 0)
    suspect = chunk("s", "t", "usual", "culprit", "also")
    suspect.job_id = "suspect"
    name = ChunkId.of(suspect)
    quarantine.suspects.add(Left(at=time.time(), work=[(name, [0, 1, 3])]))
    for number in range(3):
        quarantine.suspects.add(Left(at=time.time() + 1e-3 * (number + 1), why="it hung", work=[(name, [3])]))
    predictor, other = WordPredictor(), WordPredictor()
    engine, beside = await start(predictor, quarantine), await start(other, quarantine)
    at_work = await blocked(beside, other)
    task = asyncio.create_task(engine.compute(suspect))
    await all_prepared(predictor, 2)
    await asyncio.sleep(0.1)  # time enough to prepare what must not be prepared yet
    assert predictor.prepared == ["usual", "also"]
    other.gate.set()
    await at_work
    outcomes = await task
    assert outcomes[:3] + outcomes[4:] == out("S", "T", "USUAL", "ALSO")
    assert outcomes[3] == {"error": "the model ended 3 times while it worked on this part alone (it hung)"}
    assert predictor.batches == [["usual", "also"], ["s"], ["t"]]
    assert predictor.prepared == ["usual", "also", "s", "t"]


async def test_a_run_that_ends_one_worker_after_the_other_is_given_up(start: Any, tmp_path: Path) -> None:
    """I expect no more of it to be tried once three of its items are known to, and another run to be computed."""
    quarantine = Quarantine.of_slot(tmp_path / "home", 0)
    bad, more, another = chunk("a", "b", "c", "d"), chunk("e"), chunk("f")
    more.chunk, another.run = 1, 2
    predictor = WordPredictor()
    engine = await start(predictor, quarantine)
    for place in range(3):
        assert await engine.compute(more) == out("E")
        for number in range(3):
            at = time.time() + 1e-3 * (number + 3 * place)
            quarantine.suspects.add(Left(at=at, why="it hung", work=[(ChunkId.of(bad), [place])]))
        quarantine.suspects._looked = 0.0  # a second later
    predictor.prepared.clear()
    own = {"error": "the model ended 3 times while it worked on this part alone (it hung)"}
    rest = {"error": "not tried, since the model ended 3 times on each of 3 other parts of this job alone"}
    assert await engine.compute(bad) == [own, own, own, rest]
    assert await engine.compute(more) == [rest]
    assert predictor.prepared == []
    assert await engine.compute(another) == out("F")


async def test_a_suspect_that_fails_is_tried_again_alone(start: Any, tmp_path: Path) -> None:
    """I expect its further attempts not to be mixed with others."""
    quarantine = Quarantine.of_slot(tmp_path / "home", 0)
    quarantine.suspects.add(Left(at=time.time(), work=[(ChunkId.of(chunk()), [0])]))
    predictor = WordPredictor()
    predictor.errors["s"], predictor.times["s"] = RuntimeError("busy"), 2
    engine = await start(predictor, quarantine)
    assert await engine.compute(chunk("s", "usual")) == out("S", "USUAL")
    assert [batch for batch in predictor.batches if "s" in batch] == [["s"]] * 3


async def test_the_room() -> None:
    """I expect many at a time or one alone, the one before newcomers, and a cancelled wait to hold up nobody."""
    room = Room()
    seen: list[str] = []

    async def hold(name: str, *, alone: bool, until: asyncio.Event) -> None:
        async with room.hold(alone=alone):
            seen.append(name)
            await until.wait()

    gates = {name: asyncio.Event() for name in "abcdef"}
    tasks = {}
    for name, alone in (("a", False), ("b", False), ("c", True), ("d", False), ("e", True), ("f", False)):
        tasks[name] = asyncio.create_task(hold(name, alone=alone, until=gates[name]))
        await asyncio.sleep(0.001)
    assert seen == ["a", "b"]
    gates["a"].set()
    await asyncio.sleep(0.001)
    assert seen == ["a", "b"]
    gates["b"].set()
    await asyncio.sleep(0.001)
    assert seen == ["a", "b", "c"]
    tasks["e"].cancel()
    gates["c"].set()
    await asyncio.sleep(0.001)
    assert seen == ["a", "b", "c", "d", "f"]
    for gate in gates.values():
        gate.set()
    await asyncio.gather(*tasks.values(), return_exceptions=True)
