"""The disks that everything of this machine stands on: the store's, the documents', the local broker's and mailbox'."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from streamapp.doctor.finding import Finding, aside, ok, problem, skipped, warning
from streamapp.doctor.ground import Ground
from streamapp.settings import Settings
from streamapp.settings_values import MiB
from streamapp.store.examine import file_of

__all__ = ["Room", "check_disk", "judged"]

SOON = 4  # times the mark at which new work is refused
ENTRIES = 10_000  # a file system may run out of those before it runs out of bytes


@dataclass(frozen=True, slots=True)
class Room:
    """What is free for this user: bytes, and files (None where the file system does not count them)."""

    bytes: int
    files: int | None


async def check_disk(ground: Ground) -> Sequence[Finding]:
    """Look at each."""
    return await aside(lambda: list(_look(ground.settings)))


def _look(settings: Settings) -> Iterator[Finding]:
    disks: dict[int, tuple[Path, list[str]]] = {}
    for what, folder in _folders(settings).items():
        there = next((each for each in (folder, *folder.parents) if each.exists()), None)
        if there is None:
            yield skipped(f"There is no {folder}, where {what} is to be.")
            continue
        disks.setdefault(there.stat().st_dev, (there, []))[1].append(what)
    for folder, whats in disks.values():
        yield judged(folder, whats, _room(folder), settings.min_free_mb)


def judged(folder: Path, whats: Sequence[str], room: Room, least_mb: int) -> Finding:
    """What is to be said of a disk with so much room; below `least_mb` MiB new work is refused."""
    free = f"{room.bytes // MiB} MiB are free on the disk of {folder} ({', '.join(whats)})"
    more = "Free some space there, or move what grows to another disk."
    if room.files is not None and room.files < ENTRIES:
        return problem(f"The disk of {folder} has room for {room.files} more files only.", more)
    if room.bytes < least_mb * MiB or room.bytes == 0:
        return problem(f"{free}: below STREAMAPP_MIN_FREE_MB ({least_mb}), where new work is refused.", more)
    if room.bytes < SOON * least_mb * MiB:
        return warning(f"{free}; at {least_mb} new work is refused.", more)
    return ok(f"{free}.")


def _folders(settings: Settings) -> Mapping[str, Path]:
    folders = {"home": settings.home}
    if (file := file_of(settings.store_url)) is not None:
        folders["store"] = file.absolute().parent
    if settings.blobs.startswith("file:"):
        folders["documents"] = Path(unquote(urlsplit(settings.blobs).path))
    if not settings.broker:
        folders["broker"] = settings.home / "broker"
    return folders


def _room(folder: Path) -> Room:
    seen = os.statvfs(folder)
    return Room(seen.f_bavail * seen.f_frsize, seen.f_favail if seen.f_files else None)
