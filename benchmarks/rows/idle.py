"""Row 11: what it costs to do nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

from benchmarks.harness.processes import cpu_seconds
from benchmarks.stage import Sample, Stage

__all__ = ["measure"]


def measure(stage: Stage) -> Iterator[Mapping[str, Sample]]:
    """The CPU time of the worker, its pool and the model worker, in percent of one core."""
    stage.ours.until_idle()
    time.sleep(stage.sizes.settle_s)
    for _ in range(stage.runs):
        stage.say("doing nothing")
        processes = stage.ours.tree()
        before, started = cpu_seconds(processes), time.monotonic()
        time.sleep(stage.sizes.idle_s)
        yield {"11": Sample((cpu_seconds(processes) - before) / (time.monotonic() - started) * 100)}
