"""Finding messages that nobody will bring any more: a broker that forgot them, a topic that was emptied or made anew.

The evidence is the groups' lag, so that what merely waits is never touched: when a group has read and committed all of
a topic, a row that was published a minute before and still waits for its message waits in vain. It is marked as
unpublished, and the relay publishes it again. A job with an open dead letter is left to the operator: its message was
brought and buried, and would be again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from typing import Protocol

from streamapp.errors import StoreUnavailable
from streamapp.resources import Overview
from streamapp.store import outbox
from streamapp.store.database import Database

__all__ = ["LostAndFound"]

logger = logging.getLogger(__name__)

EVERY_S = 15.0
AGE_S = 60.0


class Lag(Protocol):
    """What `LostAndFound` needs to know of Kafka."""

    async def overview(self) -> Overview:
        """Every agent's lag; the chunks' before the results', so that a result that is not lost is seen as lag."""


class LostAndFound:
    """Runs until cancelled."""

    def __init__(self, database: Database, lag: Lag, predictors: Iterable[str]) -> None:
        self._database = database
        self._lag = lag
        self._predictors = sorted(predictors)

    async def run(self) -> None:
        """Look every few seconds."""
        while True:
            await asyncio.sleep(EVERY_S)
            try:
                await self.look()
            except StoreUnavailable as error:
                logger.warning("looking for what was lost waits, because %s", error)
            except Exception:
                logger.exception("looking for what was lost raised")

    async def look(self, age_s: float = AGE_S) -> int:
        """One look; returns how many rows are to be published again."""
        overview = await self._lag.overview()
        read = {agent.name for agent in overview.agents if agent.lag <= 0 and agent.partitions}
        found = 0
        if "inference" in read:
            found += await self._database.write(outbox.forget_jobs, age_s)
        for predictor in self._predictors:
            if f"chunks.{predictor}" in read and "results" in read:
                found += await self._database.write(outbox.forget_chunks, predictor, age_s)
        for kind in ("email", "notification"):
            if kind in read:
                found += await self._database.write(outbox.forget_deliveries, kind, age_s)
        if found:
            logger.warning("%d messages were lost and are published again", found)
        return found
