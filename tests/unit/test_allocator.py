"""What large bodies and loading took is given back, and what a batch took is kept: each case in its own process."""

from __future__ import annotations

import subprocess
import sys

import pytest

MANY = """
import sys
import threading

import psutil

if sys.argv[1] == "yes":
    from streamapp.allocator import give_back

    assert give_back()

if sys.argv[1] == "worker":
    from streamapp import bootstrap

    bootstrap.build_or_leave = lambda build: build  # all of its start but the app, which needs a broker's name
    bootstrap.jobs_app()

process = psutil.Process()
before = process.memory_info().rss
kept = []

def bodies(count):
    for number in range(count):
        body = bytes([number % 250 + 1]) * (4 << 20)
        other = bytes([number % 250 + 1]) * (3 << 20)
        kept.append(bytes(5000))  # something small that stays, behind what goes
        del body, other

bodies(3)
threads = [threading.Thread(target=bodies, args=(30,)) for _ in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print((process.memory_info().rss - before) >> 20)
"""


LOADED = """
import asyncio
import sys
from pathlib import Path

import psutil

from streamapp.documents.claim import Blobs
from streamapp.inference.engine import Engine
from streamapp.testing.fakes import Word, WordPredictor


class Heavy(WordPredictor):
    def load(self, device):
        read = [bytes([1]) * 2000 for _ in range(25_000)]
        self.kept = bytes([1]) * 2000  # something small that stays, behind what goes


async def main():
    engine = Engine(Heavy(), Word, Blobs(Path.cwd().as_uri()), print)
    before = psutil.Process().memory_info().rss
    await engine.load("cpu")
    print((psutil.Process().memory_info().rss - before) >> 20)
    await engine.close()

asyncio.run(main())
"""


BATCHES = """
import asyncio
import resource
from pathlib import Path

from streamapp.documents.claim import Blobs
from streamapp.inference.engine import Engine
from streamapp.models import Chunk
from streamapp.testing.fakes import Word, WordPredictor


class Wide(WordPredictor):
    def predict(self, batch):
        tensors = [bytes([number]) * (5 << 20) for number in range(1, 9)]
        del tensors
        return super().predict(batch)


async def main():
    engine = Engine(Wide(), Word, Blobs(Path.cwd().as_uri()), print)
    await engine.load("cpu")
    chunk = Chunk("acme", "job", 1, 0, 0, "word", "blob:none", "text/plain", 1, [{"text": "word"}])
    for number in range(13):
        if number == 3:
            before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        await engine.compute(chunk)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
    await engine.close()

asyncio.run(main())
"""


def grown_mib(given_back: str) -> int:
    """How much a process has grown after 500 large bodies that are gone."""
    ran = subprocess.run([sys.executable, "-c", MANY, given_back], capture_output=True, text=True, check=True)
    return int(ran.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it is about glibc")
def test_what_large_bodies_took_is_given_back() -> None:
    """I expect what stays to be small, and without it to be several bodies: else this would show nothing."""
    without, given_back = grown_mib("no"), grown_mib("yes")
    assert without > 12
    assert given_back < 6


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it is about glibc")
def test_a_jobs_worker_gives_it_back() -> None:
    """I expect the start of a worker to set it for its own process."""
    assert grown_mib("worker") < 6


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it is about glibc")
def test_a_model_worker_gives_back_what_loading_took() -> None:
    """I expect little to stay of 50 MB that a predictor needed only while it was loaded."""
    ran = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True)
    assert int(ran.stdout) < 16


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it is about glibc")
def test_a_model_worker_keeps_what_a_batch_took_for_the_next_one() -> None:
    """I expect ten batches of 40 MiB, 10,240 pages each, to take few pages from the system after the first three."""
    ran = subprocess.run([sys.executable, "-c", BATCHES], capture_output=True, text=True, check=True)
    assert int(ran.stdout) < 2_000
