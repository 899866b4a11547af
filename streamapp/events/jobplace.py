"""Where a reader of one job's events is, and what there is to tell from there: a function of the place and the job.

The place says what was told, not how many events: progress by the job's own counters, which only grow, the end by its
state, deliveries by their numbers. So whatever happened in between, and whichever worker is asked, a reader is told
what is new to it, once; progress that nobody waited for is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Self

from streamapp.event_resources import DoneEvent, ProgressEvent
from streamapp.events.frames import Event
from streamapp.store.feed import FINAL, Followed
from streamapp.store.present import present_delivery
from streamapp.store.sql import AnyRow

__all__ = ["JobPlace", "Partial", "done_data", "is_over", "news", "progress_data"]

TEXT = re.compile(
    r"j1\.(\d{1,9})\.([01])\.(-1|\d{1,18})\.(\d{1,18})\.([a-z]{0,10})\.(\d{1,18})\.([0-9a-f]{0,64})"
    r"\.(\d{1,9})\.(\d{1,9})\.([0-9a-f]{0,12})"
)


@dataclass(frozen=True, slots=True)
class Partial:
    """A partial report: the step, how many of its chunks it is about, a digest of what it says, and that as JSON."""

    run: int
    step: int
    chunks: int
    digest: str
    data: bytes


@dataclass(frozen=True, slots=True)
class JobPlace:
    """What a reader was told of a run. `done` -1: nothing yet; `begun` 1: that it is no longer queued."""

    run: int = 0
    begun: int = 0
    done: int = -1
    total: int = 0
    ended: str = ""
    feed: int = 0
    delivery: str = ""
    step: int = 0
    chunks: int = 0
    digest: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """The place that an `id` says. Raises ValueError for text that is none."""
        found = TEXT.fullmatch(text)
        if found is None or not text.isascii():
            raise ValueError("this is no id of an event of a job")
        run, begun, done, total, ended, feed, delivery, step, chunks, digest = found.groups()
        counts = (int(run), int(begun), int(done), int(total))
        return cls(*counts, ended, int(feed), delivery, int(step), int(chunks), digest)

    def __str__(self) -> str:
        counts = f"{self.run}.{self.begun}.{self.done}.{self.total}"
        return f"j1.{counts}.{self.ended}.{self.feed}.{self.delivery}.{self.step}.{self.chunks}.{self.digest}"


def news(place: JobPlace, job: Followed, partial: Partial | None = None) -> Iterator[tuple[JobPlace, Event]]:
    """What to tell a reader at that place, each event with the place after it."""
    row = job.row
    if place.run != row.run:  # a retry; or a life of the store that a backup took back
        place = JobPlace(run=row.run)
    if _has_moved(place, row):
        begun = int(row.status != "queued")
        place = replace(place, begun=begun, done=row.done, total=row.total)
        yield place, Event("progress", progress_data(row), str(place))
    if partial is not None and _is_new(place, row, partial):
        place = replace(place, step=partial.step, chunks=partial.chunks, digest=partial.digest)
        yield place, Event("partial", partial.data, str(place))
    if row.status not in FINAL:
        return
    if place.ended != row.status:
        place = replace(place, ended=row.status)
        yield place, Event("done", done_data(row), str(place))
    for each in job.told:
        if (each.feed, each.id) > (place.feed, place.delivery):
            place = replace(place, feed=each.feed, delivery=each.id)
            yield place, Event("delivery", present_delivery(each).model_dump_json().encode(), str(place))


def is_over(job: Followed) -> bool:
    """Whether nothing more will come of this job by itself."""
    return job.row.status in FINAL and not job.open


def progress_data(row: AnyRow) -> bytes:
    """A job's progress as JSON."""
    return ProgressEvent(job_id=row.id, status=row.status, done=row.done, total=row.total).model_dump_json().encode()


def done_data(row: AnyRow) -> bytes:
    """A job's end as JSON."""
    event = DoneEvent(
        job_id=row.id,
        status=row.status,
        done=row.done,
        total=row.total,
        error=row.error,
        finished_at=None if row.finished_at is None else datetime.fromtimestamp(row.finished_at, UTC),
        href=f"/v1/jobs/{row.id}",
    )
    return event.model_dump_json().encode()


def _has_moved(place: JobPlace, row: AnyRow) -> bool:
    """Forward, that is: after a power cut a job may stand where it stood a moment before (ADR 15)."""
    begun = int(row.status != "queued")
    if row.done < place.done or row.total < place.total or begun < place.begun:
        return False
    return (row.done, row.total) != (place.done, place.total) or (begun > place.begun and row.status == "running")


def _is_new(place: JobPlace, row: AnyRow, partial: Partial) -> bool:
    here = row.status == "running" and (partial.run, partial.step) == (row.run, row.step)
    return here and (partial.step, partial.chunks) > (place.step, place.chunks) and partial.digest != place.digest
