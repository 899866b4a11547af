"""The agents: receive, call, acknowledge. What they call is given to them; what guards them is `streamapp.flow`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import faust

from streamapp.flow import DeadLetters, Flow
from streamapp.models import Chunk, ChunkResult, DeadLetter, Delivery, Job, WorkerBeat

__all__ = ["inference_agents", "jobs_agents"]

Handler = Callable[[Any], Awaitable[None]]

PLANS = 2  # as many as the workshop has processes
RESULTS = 256
NOTICES = 64
LETTERS = 16


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
    letter: Callable[[DeadLetter], Awaitable[None]],
    mails: int,
) -> list[Flow]:
    """Declare the agents of the jobs worker."""
    email, notification = topics[Delivery]
    return [
        _agent(app, topics[Job], Flow("inference", plan, dead, PLANS)),
        _agent(app, topics[ChunkResult], Flow("results", collect, dead, RESULTS)),
        _agent(app, topics[WorkerBeat], Flow("beats", beat, dead, 1)),
        _agent(app, topics[DeadLetter], Flow("dead-letter", letter, dead, LETTERS)),
        _agent(app, email, Flow("email", mail, dead, mails)),
        _agent(app, notification, Flow("notification", notify, dead, NOTICES)),
    ]


def inference_agents(
    app: faust.App,
    topics: Mapping[str, Any],
    dead: DeadLetters,
    compute: Callable[[Chunk], Awaitable[None]],
    limit: int,
) -> list[Flow]:
    """Declare an agent for each predictor's chunks."""
    return [
        _agent(app, topic, Flow(f"chunks.{predictor}", compute, dead, limit)) for predictor, topic in topics.items()
    ]


def _agent(app: faust.App, topic: Any, flow: Flow) -> Flow:
    async def agent(stream: Any) -> None:
        await flow.run(stream)

    app.agent(topic, name=flow.name)(agent)
    return flow
