"""What `up` looks at before it starts anything: leftovers of a crash, room on the disk, the web port."""

from __future__ import annotations

import asyncio

from streamapp.embedded import processes
from streamapp.embedded.home import require_space
from streamapp.embedded.screen import Screen
from streamapp.embedded.taken import refuse_taken
from streamapp.settings import Settings

__all__ = ["check"]

LEAST_FREE_MIB = 1024
LEFTOVER_GRACE_S = 5.0


async def check(settings: Settings, screen: Screen) -> None:
    """Mend what can be mended. Raises `StartError` or `ConfigurationError` for the rest."""
    # first of all, because a worker that was left over may hold the port, and a broker its data
    leftovers = await asyncio.to_thread(processes.of_home, settings.home)
    if leftovers:
        with screen.step(f"Stopping what an earlier start left over ({len(leftovers)} processes)"):
            await asyncio.to_thread(processes.end, leftovers, LEFTOVER_GRACE_S)
    require_space(settings.home, LEAST_FREE_MIB)
    await refuse_taken(settings.web_host, settings.web_port)
