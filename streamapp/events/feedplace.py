"""Where a reader of a whole tenant's events is: a place in the feed, and how far it was told that running jobs are.

The feed alone says what must not be missed or told twice: ends of jobs, deliveries, lines of the inbox. Progress is
told as it is; so that one who comes back is not told the same again, the place carries the figures of the jobs it was
told of last. Of more than those it is told again how far they are.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Self

from streamapp.events.frames import Event
from streamapp.events.jobplace import done_data, progress_data
from streamapp.store.feed import Place, Seen
from streamapp.store.present import present_delivery, present_notification
from streamapp.store.sql import AnyRow

__all__ = ["FeedPlace", "Told", "moved", "told"]

TEXT = re.compile(r"f1\.(\d{1,18})\.([012])\.([0-9a-z-]{1,64})((?:\.[0-9a-f]{8}_\d{1,18}){0,16})")
CARRIED = 16


@dataclass(frozen=True, slots=True)
class FeedPlace:
    """A place in the feed, and `marks`: items done by the job's tag, those told last at the end."""

    place: Place
    marks: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> Self:
        """The place that an `id` says. Raises ValueError for text that is none."""
        found = TEXT.fullmatch(text)
        if found is None or not text.isascii():
            raise ValueError("this is no id of an event of a tenant")
        feed, kind, identity, marks = found.groups()
        pairs = (mark.split("_") for mark in marks.split(".")[1:])
        return cls(Place(int(feed), int(kind), identity), {tag: int(done) for tag, done in pairs})

    def __str__(self) -> str:
        carried = list(self.marks.items())[-CARRIED:]
        marks = "".join(f".{tag}_{done}" for tag, done in carried)
        return f"f1.{self.place.feed}.{self.place.kind}.{self.place.id}{marks}"


@dataclass(frozen=True, slots=True)
class Told:
    """An entry of the feed as it is told; made once for all readers of a tenant."""

    place: Place
    name: str
    data: bytes


def told(seen: Seen) -> Told | None:
    """The event of an entry; None where its line was removed from the inbox."""
    if seen.place.kind == 0:
        return Told(seen.place, "done", done_data(seen.row))
    if seen.row.kind == "notification" and seen.row.state == "sent":
        if seen.line is None:
            return None
        return Told(seen.place, "notification", present_notification(seen.line).model_dump_json().encode())
    return Told(seen.place, "delivery", present_delivery(seen.row).model_dump_json().encode())


def moved(place: FeedPlace, running: Iterable[AnyRow]) -> Iterator[tuple[FeedPlace, Event]]:
    """The progress to tell a reader at that place, each event with the place after it."""
    rows = {_tag(row): row for row in running}
    marks = {tag: done for tag, done in place.marks.items() if tag in rows}
    for tag, row in rows.items():
        if row.done > marks.get(tag, -1):
            marks.pop(tag, None)
            marks[tag] = row.done
            place = replace(place, marks=dict(marks))
            yield place, Event("progress", progress_data(row), str(place))


def _tag(row: AnyRow) -> str:
    """A run, in few characters."""
    return hashlib.blake2s(f"{row.tenant} {row.id} {row.run}".encode(), digest_size=4).hexdigest()
