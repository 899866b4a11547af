"""The tasks and their models: whether they can be imported, their weights are there, and, if asked for, they load.

They are loaded in a process of its own, as a model worker has them: what crashes or never returns ends that.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy.exc import DBAPIError

from streamapp.doctor.finding import Finding, aside, ok, problem, skipped, warning
from streamapp.doctor.ground import Ground
from streamapp.errors import ConfigurationError, StoreUnavailable
from streamapp.jobs.left import what_to_do
from streamapp.settings import Settings
from streamapp.store import examine as store
from streamapp.store.jobs import open_by_task
from streamapp.tasks.contract import Predictor
from streamapp.tasks.registry import load_registry

__all__ = ["FAILED", "LOAD_S", "check_models", "load_all"]

LOAD_S = 300.0
FAILED = 3


async def check_models(ground: Ground, *, load: bool) -> Sequence[Finding]:
    """Find every predictor's weights; with `load` load them too. Raises `ConfigurationError` for a task."""
    registry = await ground.registry()
    found = [
        ok(f"Tasks: {', '.join(sorted(registry))}."),
        *await aside(lambda: [_weights(kind) for kind in registry.predictors.values()]),
        *await aside(lambda: _left(ground.settings.store_url, registry)),
    ]
    if ground.settings.model_workers == 0:
        found.append(
            warning(
                "STREAMAPP_MODEL_WORKERS is 0: a jobs worker with these settings starts no model worker.",
                "See that model workers run elsewhere.",
            )
        )
    if not load:
        return [*found, skipped("The models were not loaded; --load does that.")]
    return [*found, *await _loaded()]


def _weights(kind: type[Predictor[Any, Any, Any]]) -> Finding:
    try:
        where = kind.weights()
    except ConfigurationError as error:
        return problem(f"Predictor {kind.name}: {error}", "Until then its model worker does not start.")
    return ok(f"Predictor {kind.name}: {f'its weights are in {where}' if where else 'it names no weights'}.")


def _left(url: str, tasks: Collection[str]) -> list[Finding]:
    """Jobs of other tasks, as far as the store can be read: whether it can, another check says."""
    try:
        with store.opened(url) as connection:
            waiting = {} if store.revision(connection) is None else open_by_task(connection)
    except (StoreUnavailable, DBAPIError, OSError):
        return []
    return [
        warning(f"{count} jobs of task {task} have not ended, and it is not offered here.", what_to_do(task))
        for task, count in waiting.items()
        if task not in tasks
    ]


async def _loaded() -> list[Finding]:
    command = [sys.executable, "-m", "streamapp.doctor.loading"]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe)
    try:
        out, err = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    lines = out.decode(errors="replace").splitlines()
    if process.returncode == 0:
        return [ok(line) for line in lines]
    said = (lines or err.decode(errors="replace").splitlines() or ["no reason is known"])[-1]
    how = "" if process.returncode == FAILED else f" (its process ended with {process.returncode})"
    return [problem(f"A model can't be loaded{how}: {said}", "A model worker fails in the same way.")]


def load_all(settings: Settings) -> list[str]:
    """Load every predictor in this process; a sentence for each. Raises what loading raises, with a note of whose."""
    from streamapp.inference.devices import pick_device

    device = pick_device(settings.device, settings.torch_threads)
    said = []
    for name, kind in load_registry(settings.tasks, settings.only_tasks).predictors.items():
        try:
            kind().load(device)
        except Exception as error:
            error.add_note(f"predictor {name}")
            raise
        said.append(f"Predictor {name} loads on {device}.")
    return said
