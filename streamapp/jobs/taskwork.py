"""What runs inside the workshop's processes: plain functions from bytes to bytes, on a task's own code.

Chunks are formed here. An item goes into the chunk that is being filled until that has `chunk_items` items or
`chunk_bytes` bytes, so the same document gives the same chunks each time.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, groupby, islice
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from pydantic import BaseModel, TypeAdapter

from streamapp.book import BOOK_FILES
from streamapp.documents.apart import decoded
from streamapp.documents.claim import Blobs, ClaimedDocument
from streamapp.documents.limits import MIB, Limits
from streamapp.errors import StreamappError, TaskFailed
from streamapp.jobs.memory import chunk_digest
from streamapp.settings import Settings
from streamapp.settings_values import MiB
from streamapp.store.newchunk import NewChunk
from streamapp.tasks.contract import ItemError, Report, Result, Step, Task
from streamapp.tasks.registry import Registry, item_type, load_registry, out_type

if TYPE_CHECKING:
    from streamapp.store.sql import AnyRow  # and nothing of the store at run time: it is another process's

__all__ = ["Assignment", "Begun", "Ended", "Row", "advance", "begin", "each", "open_desk", "partial", "warm"]

logger = logging.getLogger(__name__)

LARGEST_ITEM = 512 * 1024  # bytes of JSON; escaped for Kafka it may be three times that, and a message holds 2 MiB
MOST_ITEMS = 256 * MiB  # of a step: the worker has them all in memory when it stores them
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


class Row(NamedTuple):
    """A chunk's stored result."""

    predictor: str
    chunk: int
    items: bytes
    outcomes: bytes


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
    """Import what takes long: the tasks, and what they draw plots with."""
    import matplotlib.backends.backend_agg
    import matplotlib.figure  # noqa: F401

    assert _desk is not None
    assert _desk.registry is not None


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
        return its.partial(results_of(its, list(_without_gap(its, rows))), params)

    return _guarded(assignment, made)


def _without_gap(step: Step[Any, Any, Any, Any], rows: Sequence[Row]) -> Iterator[Row]:
    for expected, (number, group) in enumerate(groupby(rows, key=lambda row: row.chunk)):
        of_chunk = list(group)
        if number != expected or len(of_chunk) < len(step.predictors):
            return
        yield from of_chunk


def _read(task: Task, document: ClaimedDocument, params: BaseModel, content: str | None) -> Begun | Report:
    assert _desk is not None
    is_file = task.books and document.media_type in BOOK_FILES
    return _from(task, 0, decoded(document, _desk.limits) if is_file else document, params, content)


def _from(task: Task, number: int, source: Any, params: BaseModel, content: str | None) -> Begun | Report:
    step = task.steps[number]
    items = iter(step.split(source, params))
    first = list(islice(items, 1))
    items = chain(first, items)  # they are packed as they come: all of them at once may be more than memory holds
    if first and step.predictors:
        return Begun(number, list(_chunks(step, items, content)))
    return _after(task, number, (Result(item, {}) for item in items), params, content)


def _after(
    task: Task, number: int, results: Iterable[Result[Any]], params: BaseModel, content: str | None
) -> Begun | Report:
    value = task.steps[number].reduce(results, params)
    if number + 1 < len(task.steps):
        return _from(task, number + 1, value, params, content)
    if not isinstance(value, Report):
        raise TaskFailed(f"the last step of task {task.name} gave {type(value).__name__}, not a Report")
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
        raise TaskFailed(f"the task's own code raised {type(error).__name__}: {error}") from error


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
    json.dumps(report.data, allow_nan=False, ensure_ascii=False).encode()


def _chunks(step: Step[Any, Any, Any, Any], items: Iterable[BaseModel], content: str | None) -> Iterator[NewChunk]:
    assert _desk is not None
    remember = _desk.settings.memory_s is not None
    for number, group in enumerate(_groups(items)):
        packed = b"[" + b",".join(group) + b"]"
        for predictor in step.predictors:
            digest = chunk_digest(predictor, packed, content) if remember else None
            yield NewChunk(predictor.name, number, len(group), packed, predictor.version, digest)


def _groups(items: Iterable[BaseModel]) -> Iterator[list[bytes]]:
    assert _desk is not None
    group: list[bytes] = []
    size = total = 0
    for item in items:
        packed = item.model_dump_json().encode()
        total += len(packed)
        if total > MOST_ITEMS:
            raise TaskFailed(
                f"its items are more than {MOST_ITEMS // MiB} MiB: too much to travel; send less at a time"
            )
        if len(packed) > LARGEST_ITEM:
            raise TaskFailed(f"an item of {len(packed)} bytes is too large to travel; {LARGEST_ITEM} are the most")
        if group and (len(group) >= _desk.settings.chunk_items or size + len(packed) > _desk.settings.chunk_bytes):
            yield group
            group, size = [], 0
        group.append(packed)
        size += len(packed)
    if group:
        yield group


def results_of(step: Step[Any, Any, Any, Any], rows: Sequence[Row]) -> Iterator[Result[Any]]:
    """The rows of a step (ordered by chunk) as results in split order."""
    items_of: TypeAdapter[list[BaseModel]] = TypeAdapter(list[item_type(step)])  # type: ignore[misc, arg-type]  # known at run time only
    outs = {predictor.name: out_type(predictor) for predictor in step.predictors}
    for _, group in groupby(rows, key=lambda row: row.chunk):
        of_chunk = list(group)
        items = items_of.validate_json(of_chunk[0].items)
        decoded = {row.predictor: _outcomes(outs[row.predictor], row.outcomes) for row in of_chunk}
        for position, item in enumerate(items):
            yield Result(item, {name: outcomes[position] for name, outcomes in decoded.items()})


def _outcomes(out: type[BaseModel], packed: bytes) -> list[BaseModel | ItemError]:
    return [_outcome(out, entry) for entry in json.loads(packed)]


def _outcome(out: type[BaseModel], entry: Mapping[str, Any]) -> BaseModel | ItemError:
    return ItemError(entry["error"]) if "error" in entry else out.model_validate(entry["out"])
