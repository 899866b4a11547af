"""Who may: whether a worker that others can reach asks them for a key."""

from __future__ import annotations

from collections.abc import Sequence

from streamapp.doctor.finding import Finding, aside, ok, problem, skipped, warning
from streamapp.doctor.ground import Ground
from streamapp.errors import StoreUnavailable
from streamapp.settings import Settings
from streamapp.store import examine
from streamapp.store.keys import any_key, keys_of

__all__ = ["check_keys", "judged"]


async def check_keys(ground: Ground) -> Sequence[Finding]:
    """Look whether there are any."""
    settings = ground.settings
    if settings.keys.startswith("off"):
        return [judged(settings, any_keys=False)]
    try:
        there = await aside(lambda: _there(settings.store_url))
    except StoreUnavailable:
        return [skipped("Whether there are keys is not known: the store can't be read.")]
    return [judged(settings, **there)]


def judged(settings: Settings, *, any_keys: bool, usable: bool = True) -> Finding:
    """What is to be said of these settings, with keys in the store or without, and with one that can be used or none.

    Keys that were all revoked or have expired are keys: they are asked for, and nobody has one.
    """
    where = f"{settings.web_host}:{settings.web_port}"
    if settings.keys == "off-and-anyone-may-use-this" and not settings.is_local:
        return warning(
            f"Whoever reaches {where} may send work, read all jobs and administer.",
            "Make a key (`streamapp keys create NAME`) and take STREAMAPP_KEYS away, unless that is wanted.",
        )
    if any_keys and not usable:
        return problem(
            "The API asks for a key, and each there is was revoked or has expired.",
            "Make one: `streamapp keys create NAME`.",
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


def _there(url: str) -> dict[str, bool]:
    file = examine.file_of(url)
    if file is not None and not file.exists():
        return {"any_keys": False}
    with examine.opened(url) as connection:
        if examine.revision(connection) is None:  # it has no tables yet, or none of ours
            return {"any_keys": False}
        usable = any(row.stands for row in keys_of(connection))
        return {"any_keys": bool(any_key(connection)), "usable": usable}
