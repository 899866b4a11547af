"""The agents: receive, call, acknowledge. What they call is given to them; what guards them is `streamapp.flow`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import faust

from streamapp.flow import DeadLetters, Flow
from streamapp.models import Chunk, ChunkResult, Delivery, Job, WorkerBeat

__all__ = ["inference_agents", "jobs_agents"]

Handler = Callable[[Any], Awaitable[None]]

PLANS = 2  # as many as the workshop has processes
RESULTS = 256
NOTICES = 64


def jobs_agents(
    app: faust.App,
    topics: Mapping[type, Any],
    dead: DeadLetters,
    *,
    plan: Callable[[Job], Awaitable[None]],
    collect: Callable[[ChunkResult], Awaitable[None]],
    mail: Callable[[Delivery], Awaitable[None]],
    notify: Callable[[Delivery], Awaitable[None]],
    beat: Callable[[WorkerBeat], Awaitable[None]],
    mails: int,
) -> None:
    """Declare the agents of the jobs worker."""
    _agent(app, "inference", topics[Job], Flow("inference", plan, dead, PLANS))
    _agent(app, "results", topics[ChunkResult], Flow("results", collect, dead, RESULTS))
    _agent(app, "beats", topics[WorkerBeat], Flow("beats", beat, dead, 1))
    email, notification = topics[Delivery]
    _agent(app, "email", email, Flow("email", mail, dead, mails))
    _agent(app, "notification", notification, Flow("notification", notify, dead, NOTICES))


def inference_agents(
    app: faust.App,
    topics: Mapping[str, Any],
    dead: DeadLetters,
    compute: Callable[[Chunk], Awaitable[None]],
    limit: int,
) -> None:
    """Declare an agent for each predictor's chunks."""
    for predictor, topic in topics.items():
        _agent(app, f"chunks.{predictor}", topic, Flow(f"chunks.{predictor}", compute, dead, limit))


def _agent(app: faust.App, name: str, topic: Any, flow: Flow) -> None:
    async def agent(stream: Any) -> None:
        await flow.run(stream)

    app.agent(topic, name=name)(agent)
