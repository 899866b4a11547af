"""What runs inside the workshop's processes: plain functions from bytes to bytes, on a task's own code."""

from __future__ import annotations

import gc
import json
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from pydantic import BaseModel

from streamapp.book import BOOK_FILES
from streamapp.documents.apart import decoded
from streamapp.documents.claim import Blobs, ClaimedDocument
from streamapp.documents.limits import MIB, Limits
from streamapp.errors import StreamappError, TaskFailed
from streamapp.jobs.packing import Row, chunks_of, results_of, without_gap
from streamapp.settings import Settings
from streamapp.store.newchunk import NewChunk
from streamapp.tasks.contract import ItemError, Report, Result, Task
from streamapp.tasks.registry import Registry, load_registry
from streamapp.tasks.said import OWN_CODE, in_a_line

if TYPE_CHECKING:
    from streamapp.store.sql import AnyRow  # and nothing of the store at run time: it is another process's

__all__ = ["Assignment", "Begun", "Ended", "advance", "begin", "each", "open_desk", "partial", "warm"]

logger = logging.getLogger(__name__)

LONGEST_TYPE = 200

Outcome = TypeVar("Outcome")


@dataclass(frozen=True, slots=True)
class Assignment:
    """What a job is about, as far as its task's code is concerned."""

    task: str
    params: str
    document: str
    media_type: str
    size: int
    content_hash: str | None = None

    @classmethod
    def of(cls, row: AnyRow) -> Assignment:
        """From a job's row."""
        return cls(row.task, row.params, row.document, row.media_type, row.size, row.content_hash)


@dataclass(frozen=True, slots=True)
class Begun:
    """A step with work for models: its chunks."""

    step: int
    chunks: list[NewChunk]


class Ended(NamedTuple):
    """What a call came to: its value or what it raised, and how long it took."""

    outcome: Any
    seconds: float


class _Desk:
    """One process's settings, tasks and blob store."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @cached_property
    def registry(self) -> Registry:
        return load_registry(self.settings.tasks, self.settings.only_tasks)

    @property
    def limits(self) -> Limits:
        return Limits(self.settings.document_timeout_s, self.settings.document_memory_mb * MIB)

    @cached_property
    def blobs(self) -> Blobs:
        return Blobs(self.settings.blobs)


_desk: _Desk | None = None


def open_desk(settings: Settings) -> None:
    """Called once in each process."""
    global _desk
    _desk = _Desk(settings)


def warm() -> None:
    """Import what takes long: the tasks, and what they draw plots with. Garbage is not looked for there any more."""
    import matplotlib.backends.backend_agg
    import matplotlib.figure  # noqa: F401

    assert _desk is not None
    assert _desk.registry is not None
    gc.collect()
    gc.freeze()  # a look through all of it took longer than decoding a book's results


def each(calls: Sequence[Callable[[], Any]]) -> list[Ended]:
    """Make several calls, one after the other: what one raises is its own outcome."""
    return [_ended(call) for call in calls]


def _ended(call: Callable[[], Any]) -> Ended:
    started = time.monotonic()
    try:
        outcome = call()
    except Exception as error:
        if not isinstance(error, StreamappError):
            logger.exception("a call raised")  # its traceback does not travel
        outcome = error
    return Ended(outcome, time.monotonic() - started)


def begin(assignment: Assignment) -> Begun | Report:
    """Decode and split a document: the first step's chunks, or the report when no step has work for a model."""
    assert _desk is not None
    document = _desk.blobs.claim(assignment.document, assignment.media_type, assignment.size)
    return _guarded(assignment, lambda task, params: _read(task, document, params, assignment.content_hash))


def advance(assignment: Assignment, step: int, rows: Sequence[Row]) -> Begun | Report:
    """Reduce a step: the next step's chunks, or the report."""
    content = assignment.content_hash
    return _guarded(
        assignment, lambda task, params: _after(task, step, results_of(task.steps[step], rows), params, content)
    )


def partial(assignment: Assignment, step: int, rows: Sequence[Row]) -> Report | None:
    """What the task makes of a step's results so far: from the first on, as far as there is no gap."""

    def made(task: Task, params: BaseModel) -> Report | None:
        its = task.steps[step]
        return its.partial(results_of(its, list(without_gap(its, rows))), params)

    return _guarded(assignment, made)


def _read(task: Task, document: ClaimedDocument, params: BaseModel, content: str | None) -> Begun | Report:
    assert _desk is not None
    is_file = task.books and document.media_type in BOOK_FILES
    return _from(task, 0, decoded(document, _desk.limits) if is_file else document, params, content)


def _from(task: Task, number: int, source: Any, params: BaseModel, content: str | None) -> Begun | Report:
    assert _desk is not None
    step = task.steps[number]
    given: Any = step.split(source, params)
    if not isinstance(given, Iterable):
        name, kind = type(step).__name__, type(given).__name__
        raise TaskFailed(f"{OWN_CODE} is wrong: split of {name} gave {kind}, and has to yield items")
    items = iter(given)
    first = list(islice(items, 1))
    items = chain(first, items)  # they are packed as they come: all of them at once may be more than memory holds
    if first and step.predictors:
        return Begun(number, list(chunks_of(step, items, content, _desk.settings)))
    return _after(task, number, (Result(item, {}) for item in items), params, content)


def _after(
    task: Task, number: int, results: Iterable[Result[Any]], params: BaseModel, content: str | None
) -> Begun | Report:
    value = task.steps[number].reduce(results, params)
    if number + 1 < len(task.steps):
        return _from(task, number + 1, value, params, content)
    if not isinstance(value, Report):
        raise TaskFailed(f"{OWN_CODE} is wrong: its last step gave {type(value).__name__}, not a Report")
    return value


def _guarded(assignment: Assignment, work: Callable[[Task, BaseModel], Outcome]) -> Outcome:
    assert _desk is not None
    if assignment.task not in _desk.registry:
        raise TaskFailed(f"there is no task {assignment.task!r} here (any more)")
    task = _desk.registry[assignment.task]
    try:
        outcome = work(task, task.params.model_validate_json(assignment.params))
        if isinstance(outcome, Report):
            _check_storable(outcome)
        return outcome
    except StreamappError:
        raise
    except ItemError as error:
        raise TaskFailed(f"an item failed for good: {error}") from error
    except Exception as error:
        logger.exception("a task's own code raised")
        raise TaskFailed(f"{OWN_CODE} raised {in_a_line(error)}") from error


def _check_storable(report: Report) -> None:
    """What SQL and JSON can't hold is the task's mistake: said here, it is not met again at each try to store it."""
    texts = (report.subject, report.text, report.html or "", report.plot.alt if report.plot else "")
    names = (field for file in report.attachments for field in (file.name, file.media_type))
    for text in (*texts, *names):
        text.encode()  # lone surrogates
        if "\0" in text:
            raise TaskFailed("the report holds NUL characters (U+0000)")
    if any(len(file.media_type) > LONGEST_TYPE for file in report.attachments):
        raise TaskFailed(f"an attachment's media type has more than {LONGEST_TYPE} characters")
    try:
        json.dumps(report.data, allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise TaskFailed(f"{OWN_CODE} is wrong: Report.data is no JSON: {in_a_line(error)}") from error
