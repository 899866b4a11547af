"""One task on one file in this process: what a model author runs before anything else. The same code as in a worker."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streamapp.documents.accept import accepted
from streamapp.documents.claim import BLOB, Blobs, inline
from streamapp.documents.kinds import OCTETS, TEXT, guess_type, sniff
from streamapp.errors import ConfigurationError, TaskFailed
from streamapp.inference.devices import pick_device
from streamapp.inference.engine import Engine
from streamapp.intake.checks import checked_params
from streamapp.intake.refusal import Refused
from streamapp.jobs import taskwork
from streamapp.jobs.packing import Row
from streamapp.jobs.taskwork import Assignment, Begun
from streamapp.models import Chunk
from streamapp.settings import Settings
from streamapp.tasks.contract import Report, Task
from streamapp.tasks.registry import item_type, load_registry
from streamapp.tasks.said import OWN_CODE

__all__ = ["Trial", "run_trial"]


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of it: the report, and how many of its items failed, the first of them how."""

    report: Report
    items: int
    failed: int
    first: str


def run_trial(settings: Settings, name: str, file: Path, params: dict[str, Any], media_type: str | None) -> Trial:
    """Run a task on a file. Raises `BadDocument`, `TaskFailed`, and `ConfigurationError` for what was named wrongly."""
    registry = load_registry(settings.tasks, settings.only_tasks)
    if name not in registry:
        raise ConfigurationError(f"There is no task {name!r}; there are {', '.join(sorted(registry))}.")
    task = registry[name]
    posted = file.read_bytes()
    declared = media_type or guess_type(file.name) or (OCTETS if sniff(posted) else TEXT)
    content, kind = accepted(posted, declared, task.accepts, task=name)
    try:
        checked = checked_params(task, params)
    except Refused as error:
        raise ConfigurationError(str(error)) from error
    here = settings.model_copy(update={"blob_url": file.absolute().parent.as_uri()})
    reference = BLOB + file.name if content == posted else inline(content)
    try:
        return asyncio.run(_run(here, task, Assignment(name, checked, reference, kind, len(content))))
    except SystemExit as error:
        said = "" if error.code is None else repr(error.code)
        raise TaskFailed(f"{OWN_CODE} called sys.exit({said}): raise an exception instead") from error


async def _run(settings: Settings, task: Task, assignment: Assignment) -> Trial:
    asyncio.get_running_loop().set_exception_handler(_but_exits)
    taskwork.open_desk(settings)
    outcome = taskwork.begin(assignment)
    outcomes: list[dict[str, Any]] = []
    while isinstance(outcome, Begun):
        rows = await _compute(settings, task, assignment, outcome)
        outcomes.extend(each for row in rows for each in json.loads(row.outcomes))
        outcome = taskwork.advance(assignment, outcome.step, rows)
    errors = [each["error"] for each in outcomes if "error" in each]
    return Trial(outcome, len(outcomes), len(errors), errors[0] if errors else "")


async def _compute(settings: Settings, task: Task, assignment: Assignment, begun: Begun) -> list[Row]:
    step = task.steps[begun.step]
    engines = {kind.name: Engine(kind(), item_type(step), Blobs(settings.blobs), _hung) for kind in step.predictors}
    device = pick_device(settings.device, settings.torch_threads)
    for engine in engines.values():
        await engine.load(device)
    chunks = [
        Chunk(
            tenant="trial",
            job_id="trial",
            run=1,
            step=begun.step,
            chunk=new.chunk,
            predictor=new.predictor,
            document=assignment.document,
            media_type=assignment.media_type,
            size=assignment.size,
            items=json.loads(new.items),
        )
        for new in begun.chunks
    ]
    outcomes = await asyncio.gather(*(engines[chunk.predictor].compute(chunk) for chunk in chunks))
    for engine in engines.values():
        await engine.close()
    return [
        Row(new.predictor, new.chunk, new.items, json.dumps(done).encode())
        for new, done in zip(begun.chunks, outcomes, strict=True)
    ]


def _but_exits(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Say nothing of a `SystemExit` that ended an engine: it ended the loop as well, and is said there."""
    if not isinstance(context.get("exception"), SystemExit):
        loop.default_exception_handler(context)


def _hung(reason: str) -> None:
    raise TaskFailed(reason)
