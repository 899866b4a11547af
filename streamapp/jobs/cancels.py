"""Telling model workers of runs that have ended before their chunks were computed.

It is sent and not waited for, and nobody sends it again: it only saves work. The end itself stands in the store, and a
result that comes all the same is dropped there.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from faust.types import TopicT

from streamapp.errors import StreamappError
from streamapp.identity import Run
from streamapp.jobs.together import Together
from streamapp.models import Cancel
from streamapp.sending import send_acked

__all__ = ["Cancels"]

logger = logging.getLogger(__name__)


class Cancels:
    """The topic that every model worker reads."""

    def __init__(self, topic: TopicT) -> None:
        self._topic = topic
        self._sending: set[asyncio.Task[None]] = set()
        self._together = Together(self._send)

    def tell(self, run: Run) -> None:
        """Say that nothing more of this run need be computed. Returns at once, and never raises."""
        task = asyncio.create_task(self._together.add([run]), name=f"cancel {run.job}")
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _send(self, runs: Sequence[Run]) -> None:
        try:
            records = [Cancel(tenant=run.tenant, job_id=run.job, run=run.run) for run in runs]
            await send_acked(self._topic, records)
        except StreamappError as error:
            logger.warning("model workers were not told of %d ends: %s", len(runs), error)
