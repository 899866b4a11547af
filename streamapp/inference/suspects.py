"""Which items were in work when a model worker died: only one of them can have ended it, and this finds out which.

What a worker had in work is in its journal (`streamapp.inference.journal`). The process that takes its place adds those
items to the suspects of its slot, one file a slot, written by its owner only; everyone reads all of them, because after
a death the chunk may go to another worker of this home. A suspect is computed alone in its worker; an item that was
alone in several when they died is given up (`streamapp.inference.verdict`), and everything else that was in work with
it is computed. A worker that is killed for other reasons makes suspects too, but seldom of an item alone.
"""

from __future__ import annotations

import logging
import os
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, TypeAdapter, ValidationError

from streamapp.models import Chunk

__all__ = ["ChunkId", "Left", "Suspect", "Suspects"]

logger = logging.getLogger(__name__)

REMEMBERED_S = 3600.0
CHUNKS = 1000  # remembered in a file, the newest
LOOK_S = 1.0
LONGEST_REASON = 300
DIED = "the process died"


class ChunkId(NamedTuple):
    """One chunk for one predictor, in one run of its job."""

    tenant: str
    job: str
    run: int
    step: int
    predictor: str
    chunk: int

    @classmethod
    def of(cls, chunk: Chunk) -> ChunkId:
        """The id of a message."""
        return cls(chunk.tenant, chunk.job_id, chunk.run, chunk.step, chunk.predictor, chunk.chunk)


class Left(BaseModel):
    """What a worker that died had in work: places by chunk, none for all of them; `why` it left, where it said so."""

    at: float
    why: str = ""
    work: list[tuple[ChunkId, list[int]]]


class Suspect(NamedTuple):
    """How often an item was alone in a worker that died, and what is known of the last time."""

    lone_deaths: int
    why: str


class _Known(BaseModel):
    """The suspects of one chunk: lone deaths by place; without any place, all of the chunk's items."""

    chunk: ChunkId
    places: dict[int, int]
    why: str
    at: float


_FILE = TypeAdapter(list[_Known])


class Suspects:
    """The suspects of a folder; without one there are none. `slot` is the number whose file this process writes."""

    def __init__(self, folder: Path | None = None, slot: int = 0, clock: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._slot = slot
        self._clock = clock
        self._looked = 0.0
        self._read: dict[Path, tuple[int, list[_Known]]] = {}
        self._known: dict[ChunkId, list[_Known]] = {}

    def of(self, chunk: Chunk) -> Mapping[int, Suspect]:
        """The suspects among a chunk's items, by place."""
        self._look()
        found: dict[int, Suspect] = {}
        for known in self._known.get(ChunkId.of(chunk), ()):
            places = known.places or dict.fromkeys(range(len(chunk.items)), 0)
            for place, deaths in places.items():
                if place < len(chunk.items):
                    before = found.get(place)
                    found[place] = Suspect(deaths + (before.lone_deaths if before else 0), known.why)
        return found

    def lone_deaths_of_run(self, chunk: Chunk) -> Mapping[tuple[int, int], int]:
        """Lone deaths by chunk and place, of all items of the chunk's run that are known for its predictor."""
        self._look()
        run = ChunkId.of(chunk)[:-1]
        deaths: Counter[tuple[int, int]] = Counter()
        for name, known in self._known.items():
            if name[:-1] == run:
                for each in known:
                    deaths.update({(name.chunk, place): count for place, count in each.places.items()})
        return deaths

    def add(self, left: Left) -> None:
        """Remember what a worker that died had in work. Raises OSError where it can't be written."""
        if self._folder is None or not left.work or not self._recent(left.at):
            return
        path = self._folder / f"{self._slot}.suspects"
        known = {each.chunk: each for each in self._load(path)}
        if any(each.at == left.at for each in known.values()):
            return  # it was added, and then this worker died too before it cleared the journal
        lone = sum(len(places) or 2 for _, places in left.work) == 1
        for chunk, places in left.work:
            before = known.pop(chunk, None)
            deaths = dict(before.places) if before else {}
            for place in places:
                deaths[place] = deaths.get(place, 0) + lone
            why = left.why[:LONGEST_REASON] or DIED
            known[chunk] = _Known(chunk=chunk, places=deaths if places else {}, why=why, at=left.at)
        logger.warning("a model worker died with items of %d chunks in work; they are computed alone", len(left.work))
        _replace(path, _FILE.dump_json(list(known.values())[-CHUNKS:]))

    def _recent(self, at: float) -> bool:
        return abs(self._clock() - at) < REMEMBERED_S  # a clock that was put back must not make it last

    def _look(self) -> None:
        """Read what other workers of this home have added; not more often than every second."""
        if self._folder is None or (self._looked and time.monotonic() - self._looked < LOOK_S):
            return
        self._looked = time.monotonic()
        read: dict[Path, tuple[int, list[_Known]]] = {}
        for path in self._folder.glob("*.suspects"):
            try:
                changed = path.stat().st_mtime_ns
            except OSError:
                continue
            before = self._read.get(path)
            read[path] = before if before and before[0] == changed else (changed, self._load(path))
        self._read = read
        self._known = {}
        for _, known in read.values():
            for each in known:
                if self._recent(each.at):
                    self._known.setdefault(each.chunk, []).append(each)

    def _load(self, path: Path) -> list[_Known]:
        try:
            return [each for each in _FILE.validate_json(path.read_bytes()) if self._recent(each.at)]
        except FileNotFoundError:
            return []
        except (OSError, ValidationError) as error:
            logger.warning("the suspects in %s can't be read and are forgotten: %r", path, error)
            return []


def _replace(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees the old or the new one, whole."""
    new = path.with_suffix(".new")
    new.write_bytes(content)
    os.replace(new, path)
