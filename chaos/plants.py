"""Bugs to plant, one at a time, that the judge must find: how we know that a good verdict means something.

A plant replaces exact text in a copy of the package. It fails loudly when the text is not there (any more), so that it
can't go on as a test of nothing. What would mend the damage later is switched off in the copy too: a second line of
defence hides whether the first one holds.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = ["PLANTS", "Change", "PlantLost", "plant"]


@dataclass(frozen=True, slots=True)
class Change:
    """Exact text of a module, once in it, and what it becomes."""

    file: str
    old: str
    new: str


class PlantLost(Exception):
    """The text that a plant replaces is not in the package, or not once: the plant has to follow the code."""


NO_LOST_AND_FOUND = Change("jobs/sweep.py", '            ("looking for what was lost", self._look),\n', "")
TAKEN = "            ticket = self._order.take(event)\n"

PLANTS: dict[str, tuple[Change, ...]] = {
    "ack-before-work": (Change("flow.py", TAKEN, f"{TAKEN}            event.ack()\n"), NO_LOST_AND_FOUND),
    "no-relay": (
        Change("jobs/sweep.py", '            ("relaying", lambda: self._relay(grace_s)),\n', ""),
        NO_LOST_AND_FOUND,
    ),
    "no-lease": (
        Change("store/ledger.py", 'TAKE_OVER if row.state == "sending" else TAKE\n', "TAKE\n"),
        Change(
            "store/ledger.py", ".where(THIS, is_due())", '.where(THIS, deliveries.c.state.in_(("pending", "sending")))'
        ),
        Change("delivery/send.py", "        if identity in self._in_hand:", "        if identity is None:"),
    ),
}


def plant(name: str, package: Path, folder: Path, plants: Mapping[str, tuple[Change, ...]] = PLANTS) -> Path:
    """Copy the package into `folder` and plant that bug. Returns `folder`. Raises `PlantLost` and KeyError."""
    copy = folder / package.name
    shutil.copytree(package, copy, ignore=shutil.ignore_patterns("__pycache__"))
    for change in plants[name]:
        file = copy / change.file
        text = file.read_text(encoding="utf-8")
        if text.count(change.old) != 1:
            raise PlantLost(f"{name}: {change.file} has its text {text.count(change.old)} times: {change.old!r}")
        file.write_text(text.replace(change.old, change.new), encoding="utf-8")
    return folder
