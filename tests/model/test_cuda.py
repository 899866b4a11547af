"""The encoder and the engine on a GPU. Where there is none these are skipped: nothing else here needs one."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from streamapp.documents.claim import Blobs
from streamapp.inference.devices import Device
from streamapp.inference.engine import Engine
from streamapp.models import Chunk
from streamapp.tasks.contract import ItemError
from streamapp.tasks.minilm import AGREEMENT, GPU_TOKENS, MiniLM
from streamapp.tasks.reading.wire import Embedding, Sentence
from tests.model.conftest import Embed
from tests.model.test_encoder import sample

pytestmark = [
    pytest.mark.model,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU that CUDA can use"),
    pytest.mark.timeout(600),
]

GPU = "cuda:0"


def vectors(outcomes: Sequence[Embedding | ItemError]) -> NDArray[np.float32]:
    """float32 [sentences, width] of what a predictor gave."""
    return np.stack([outcome.array() for outcome in outcomes if isinstance(outcome, Embedding)]).astype(np.float32)


def chunk(texts: Sequence[str]) -> Chunk:
    """A chunk of sentences."""
    items = [Sentence(text=text, chapter=0).model_dump(mode="json") for text in texts]
    return Chunk("anna", "job", 1, 0, 0, MiniLM.name, "data:;base64,SGk=", "text/plain", 2, items, None)


@pytest.mark.parametrize("precision", ["auto", "float32"])
def test_it_gives_what_a_cpu_gives(precision: Any, books: Path, embed: Embed) -> None:
    """Cosine to float32 on a CPU 0.999 or more for every one of some six hundred sentences, whatever the precision."""
    model = MiniLM()
    model.precision = precision  # type: ignore[misc]
    model.load(GPU)
    texts = sample(books)
    found = vectors(model.predict([model.tokens(text) for text in texts]))
    assert (found * embed(texts)).sum(1).min() >= AGREEMENT


def test_a_sentence_means_the_same_in_every_company() -> None:
    """Neighbours, padded or not, change nothing that matters."""
    model = MiniLM()
    model.load(GPU)
    tokens = [
        model.tokens(text) for text in ("Yes.", "A short one.", "A rather longer one, with words.", "word " * 300)
    ]
    alone = vectors([model.predict([each])[0] for each in tokens])
    assert (vectors(model.predict(tokens[::-1]))[::-1] * alone).sum(1).min() >= AGREEMENT


@pytest.fixture
def scarce() -> Iterator[None]:
    """A GPU of which this process may use little."""
    torch.cuda.empty_cache()
    _, total = torch.cuda.mem_get_info()
    torch.cuda.set_per_process_memory_fraction((512 << 20) / total)
    yield
    torch.cuda.set_per_process_memory_fraction(1.0)


class Greedy(MiniLM):
    """Takes the GPU to be larger than it is."""

    def budget_loaded(self) -> int:
        """More than half a gigabyte holds."""
        return 100_000


@pytest.mark.usefixtures("scarce")
async def test_a_batch_that_does_not_fit_is_halved(tmp_path: Path, embed: Embed) -> None:
    """I expect every sentence's outcome, and batches that fit from then on, on a GPU that works."""
    left: list[str] = []
    engine = Engine(Greedy(), Sentence, Blobs(tmp_path.as_uri()), left.append)
    await engine.load(GPU)
    texts = [f"{number} " + "word " * 120 for number in range(700)]
    outcomes = await engine.compute(chunk(texts))
    found = np.stack([Embedding.model_validate(outcome["out"]).array() for outcome in outcomes]).astype(np.float32)
    assert (found[:50] * embed(texts[:50])).sum(1).min() >= AGREEMENT
    assert engine.budget < 100_000
    assert not left
    await engine.close()


async def test_batches_are_larger_there(tmp_path: Path) -> None:
    """I expect the budget of a GPU whose memory is free."""
    engine = Engine(MiniLM(), Sentence, Blobs(tmp_path.as_uri()), lambda reason: None)
    await engine.load(GPU)
    assert engine.budget == GPU_TOKENS
    await engine.close()


BREAKS = """
import asyncio
import os
import tempfile
from pathlib import Path

from streamapp.documents.claim import Blobs
from streamapp.inference.engine import Engine
from streamapp.tasks.minilm import MiniLM
from streamapp.tasks.reading.wire import Sentence
from tests.model.test_cuda import chunk


class Broken(MiniLM):
    def prepare(self, item, document):
        return [10_000_000]  # no such word: an assertion fails within the kernel


async def main() -> None:
    loop = asyncio.get_running_loop()
    left = loop.create_future()

    def leave(reason):
        loop.call_soon_threadsafe(left.set_result, reason)

    engine = Engine(Broken(), Sentence, Blobs(Path(tempfile.mkdtemp()).as_uri()), leave)
    await engine.load("cuda:0")
    work = asyncio.create_task(engine.compute(chunk(["x"])))
    print(await asyncio.wait_for(left, 60), flush=True)
    os._exit(0)


asyncio.run(main())
"""


def test_a_gpu_that_is_broken_is_left() -> None:
    """After a failed assertion in a kernel nothing computes in that process: I expect it to be told to end."""
    done = subprocess.run([sys.executable, "-c", BREAKS], capture_output=True, text=True, timeout=120, check=False)
    assert f"device {GPU} is broken" in done.stdout, done.stderr[-2000:]


def test_a_device_that_works_says_so() -> None:
    """I expect it of one on which something was computed."""
    torch.ones(1, device=GPU)
    assert Device(GPU).works()
