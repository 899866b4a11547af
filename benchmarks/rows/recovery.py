"""Row 10: kill -9 of the model worker in the middle of a book, to the first result of the next one."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from functools import partial

from aiokafka import AIOKafkaConsumer

from benchmarks.harness.processes import clean_environment
from benchmarks.stage import Sample, Stage
from streamapp.testing.deployment import until

__all__ = ["measure"]

RESULT_S = 300.0
UP_S = 120.0


def measure(stage: Stage) -> Iterator[Mapping[str, Sample]]:
    """The import and the recovery in turn, the import on an idle machine."""
    for _ in range(stage.runs):
        stage.say("import torch in a fresh process")
        imported = _import_torch_s()
        stage.say("killing the model worker in the middle of a book")
        # one that has ended soon after its start is started again with a delay, and this is no crash loop
        until(partial(_is_steady, stage), UP_S, "a model worker that has run for a while")
        yield {"10": Sample(asyncio.run(_recovery_s(stage)), imported)}


def _is_steady(stage: Stage) -> bool:
    workers = stage.ours.workers("streamapp.inference")
    return bool(workers) and all(time.time() - each.create_time() > stage.sizes.steady_s for each in workers)


def _import_torch_s() -> float:
    started = time.monotonic()
    subprocess.run([sys.executable, "-c", "import torch"], check=True, env=clean_environment())
    return time.monotonic() - started


async def _recovery_s(stage: Stage) -> float:
    """Seconds from the kill to the next result on Kafka, told by the id of the worker that it carries."""
    results = AIOKafkaConsumer(
        f"{stage.ours.prefix}results", bootstrap_servers=stage.broker, auto_offset_reset="latest", group_id=None
    )
    await results.start()
    books: list[str] = []
    try:
        await results.seek_to_end()
        # two, so that there is work left whenever the kill comes
        books = [await asyncio.to_thread(stage.ours.submit, stage.texts.book_job(stage.texts.book())) for _ in "ab"]
        async with asyncio.timeout(RESULT_S):
            killed = json.loads((await results.getone()).value)["worker"]
            stage.ours.kill("streamapp.inference")
            at = time.monotonic()
            while json.loads((await results.getone()).value)["worker"] == killed:
                continue
            return time.monotonic() - at
    finally:
        await results.stop()
        await asyncio.to_thread(stage.ours.cancel, books)
