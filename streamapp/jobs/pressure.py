"""Backpressure: new work is refused before what was accepted is in danger, and not after.

Two things are looked at every few seconds, never in a request: how old the oldest message is that nobody has worked on,
since a topic deletes what is older than its retention, read or not; and how much room the disk has that the store and
the documents stand on. Reading goes on in both cases, and so does the work that makes it better.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
from pathlib import Path

from streamapp.elsewhere import Elsewhere
from streamapp.errors import StoreUnavailable
from streamapp.settings import DAY_S, Settings
from streamapp.settings_values import MiB
from streamapp.store.database import Database
from streamapp.store.pressure import oldest_s

__all__ = ["Pressure"]

logger = logging.getLogger(__name__)

EVERY_S = 3.0


class Pressure:
    """Runs until cancelled. `reason` says in a sentence why no new work is taken, or is None."""

    def __init__(self, database: Database, settings: Settings, elsewhere: Elsewhere = asyncio.to_thread) -> None:
        self.reason: str | None = None
        self._elsewhere = elsewhere
        self._database = database
        self._oldest_s = settings.topic_days * DAY_S / 2
        self._least_mib = settings.min_free_mb
        local = database.sqlite or settings.blobs.startswith("file:")
        self._disk: Path | None = settings.home if local and settings.min_free_mb else None

    async def run(self) -> None:
        """Look every few seconds."""
        while True:
            await self.look()
            await asyncio.sleep(EVERY_S)

    async def look(self) -> None:
        """One look; logs when the answer changes."""
        try:
            reason = await self._elsewhere(self._full) or await self._late()
        except StoreUnavailable:
            return  # the intake meets the same, and says so itself
        except Exception:
            logger.exception("looking at the backpressure raised")
            return
        if (reason is None) != (self.reason is None):
            logger.warning("new work is refused: %s" if reason else "new work is taken again%s", reason or "")
        self.reason = reason

    def _full(self) -> str | None:
        if self._disk is None:
            return None
        left = shutil.disk_usage(self._disk).free // MiB
        if left >= self._least_mib:
            return None
        return f"The disk that holds {self._disk} is nearly full: {left} MiB are left of the {self._least_mib} needed."

    async def _late(self) -> str | None:
        age_s = await self._database.read(oldest_s)
        if age_s <= self._oldest_s:
            return None
        return (
            f"The oldest work has waited for {age_s / DAY_S:.1f} days; topics delete what is older than "
            f"{2 * self._oldest_s / DAY_S:g} days, so it has to be done first."
        )
