"""Who may: whether a worker that others can reach asks them for a key."""

from __future__ import annotations

from collections.abc import Sequence

from streamapp.doctor.finding import Finding, aside, ok, problem, skipped, warning
from streamapp.doctor.ground import Ground
from streamapp.errors import StoreUnavailable
from streamapp.settings import Settings
from streamapp.store import examine
from streamapp.store.keys import any_key

__all__ = ["check_keys", "judged"]


async def check_keys(ground: Ground) -> Sequence[Finding]:
    """Look whether there are any."""
    settings = ground.settings
    if settings.keys.startswith("off"):
        return [judged(settings, any_keys=False)]
    try:
        return [judged(settings, any_keys=await aside(lambda: _any(settings.store_url)))]
    except StoreUnavailable:
        return [skipped("Whether there are keys is not known: the store can't be read.")]


def judged(settings: Settings, *, any_keys: bool) -> Finding:
    """What is to be said of these settings, with keys in the store or without."""
    where = f"{settings.web_host}:{settings.web_port}"
    if settings.keys == "off-and-anyone-may-use-this" and not settings.is_local:
        return warning(
            f"Whoever reaches {where} may send work, read all jobs and administer.",
            "Make a key (`streamapp keys create NAME`) and take STREAMAPP_KEYS away, unless that is wanted.",
        )
    if any_keys:
        return ok("The API asks for a key, and there are keys.")
    if not settings.is_local:
        return problem(
            f"A worker at {where} does not start: others may reach it there, and there is no API key.",
            "Make one: `streamapp keys create NAME`.",
        )
    if settings.keys == "required":
        return warning("Keys are required, and there are none.", "Make one: `streamapp keys create NAME`.")
    return ok(f"The API asks for no key; it listens on this machine alone ({where}).")


def _any(url: str) -> bool:
    file = examine.file_of(url)
    if file is not None and not file.exists():
        return False
    with examine.opened(url) as connection:
        return bool(any_key(connection))
