"""From items to chunks, and from the stored results of chunks to results of items.

An item goes into the chunk that is being filled until that has as many items as each of the step's predictors takes
together, and the settings, or `chunk_bytes` bytes: so the same document gives the same chunks each time.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from pydantic import BaseModel, TypeAdapter, ValidationError

from streamapp.errors import TaskFailed
from streamapp.jobs.memory import chunk_digest
from streamapp.settings import Settings
from streamapp.settings_values import MiB
from streamapp.store.newchunk import NewChunk
from streamapp.tasks.contract import ItemError, Result, Step
from streamapp.tasks.registry import item_type, out_type
from streamapp.tasks.said import OWN_CODE, told_apart, what_is_wrong

__all__ = ["Row", "chunks_of", "results_of", "without_gap"]

LARGEST_ITEM = 512 * 1024  # bytes of JSON; escaped for Kafka it may be three times that, and a message holds 2 MiB
MOST_ITEMS = 256 * MiB  # of a step: the worker has them all in memory when it stores them


class Row(NamedTuple):
    """A chunk's stored result."""

    predictor: str
    chunk: int
    items: bytes
    outcomes: bytes


def chunks_of(
    step: Step[Any, Any, Any, Any], items: Iterable[BaseModel], content: str | None, settings: Settings
) -> Iterator[NewChunk]:
    """A step's chunks for each of its predictors; `content` is the document's digest. Raises `TaskFailed`."""
    remember = settings.memory_s is not None
    most = min((predictor.chunk_items for predictor in step.predictors), default=settings.chunk_items)
    for number, group in enumerate(
        _groups(_of_its_type(step, items), min(most, settings.chunk_items), settings.chunk_bytes)
    ):
        packed = b"[" + b",".join(group) + b"]"
        for predictor in step.predictors:
            digest = chunk_digest(predictor, packed, content) if remember else None
            yield NewChunk(predictor.name, number, len(group), packed, predictor.version, digest)


def _of_its_type(step: Step[Any, Any, Any, Any], items: Iterable[BaseModel]) -> Iterator[BaseModel]:
    """The same. Another model would be found by whoever reads it, once for each item, and in words of pydantic's."""
    kind = item_type(step)
    for item in items:
        if not isinstance(item, kind):
            given, wanted = told_apart(type(item), kind)
            raise TaskFailed(
                f"{OWN_CODE} is wrong: split of {type(step).__name__} yielded {given}, and its Item is {wanted}"
            )
        yield item


def _groups(items: Iterable[BaseModel], most: int, most_bytes: int) -> Iterator[list[bytes]]:
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
        if group and (len(group) >= most or size + len(packed) > most_bytes):
            yield group
            group, size = [], 0
        group.append(packed)
        size += len(packed)
    if group:
        yield group


def without_gap(step: Step[Any, Any, Any, Any], rows: Sequence[Row]) -> Iterator[Row]:
    """The rows (ordered by chunk) up to the first chunk that not every predictor has computed."""
    for expected, (number, group) in enumerate(groupby(rows, key=lambda row: row.chunk)):
        of_chunk = list(group)
        if number != expected or len(of_chunk) < len(step.predictors):
            return
        yield from of_chunk


def results_of(step: Step[Any, Any, Any, Any], rows: Sequence[Row]) -> Iterator[Result[Any]]:
    """The rows of a step (ordered by chunk) as results in split order."""
    items_of: TypeAdapter[list[BaseModel]] = TypeAdapter(list[item_type(step)])  # type: ignore[misc, arg-type]  # known at run time only
    outs = {predictor.name: out_type(predictor) for predictor in step.predictors}
    for _, group in groupby(rows, key=lambda row: row.chunk):
        of_chunk = list(group)
        items = _items(step, items_of, of_chunk[0].items)
        decoded = {row.predictor: _outcomes(row.predictor, outs[row.predictor], row.outcomes) for row in of_chunk}
        for position, item in enumerate(items):
            yield Result(item, {name: outcomes[position] for name, outcomes in decoded.items()})


def _items(step: Step[Any, Any, Any, Any], items_of: TypeAdapter[list[BaseModel]], packed: bytes) -> list[BaseModel]:
    try:
        return items_of.validate_json(packed)
    except ValidationError as error:
        raise TaskFailed(
            f"{OWN_CODE} is wrong: what split of {type(step).__name__} yielded can't be read again as its Item, "
            f"{item_type(step).__name__}: {what_is_wrong(error)}"
        ) from error


def _outcomes(predictor: str, out: type[BaseModel], packed: bytes) -> list[BaseModel | ItemError]:
    try:
        return [_outcome(out, entry) for entry in json.loads(packed)]
    except ValidationError as error:
        raise TaskFailed(
            f"{OWN_CODE} is wrong: what predictor {predictor} gave can't be read as its Out, {out.__name__}: "
            f"{what_is_wrong(error)}; its version must change when its Out does"
        ) from error


def _outcome(out: type[BaseModel], entry: Mapping[str, Any]) -> BaseModel | ItemError:
    return ItemError(entry["error"]) if "error" in entry else out.model_validate(entry["out"])
