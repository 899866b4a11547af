"""The agents: receive, call, acknowledge. What they call is given to them; what guards them is `streamapp.flow`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import faust

from streamapp.flow import DeadLetters, Flow
from streamapp.leaving import leave
from streamapp.models import Chunk, ChunkResult, DeadLetter, Delivery, Job, WorkerBeat

__all__ = ["inference_agents", "jobs_agents", "run_or_leave"]

logger = logging.getLogger(__name__)

Handler = Callable[[Any], Awaitable[None]]

PLANS = 512  # most of them stand in the workshop's line, where a small one passes the large ones
RESULTS = 256
NOTICES = 64
LETTERS = 16
MAILS_IN_LINE = 2048  # many domains' lines in streamapp.delivery.lanes: what finds no place here holds up all topics
POSTS_IN_LINE = 512  # the same for hosts


def jobs_agents(
    app: faust.App,
    topics: Mapping[type, Any],
    dead: DeadLetters,
    *,
    plan: Callable[[Job], Awaitable[None]],
    collect: Callable[[ChunkResult], Awaitable[None]],
    mail: Callable[[Delivery], Awaitable[None]],
    notify: Callable[[Delivery], Awaitable[None]],
    post: Callable[[Delivery], Awaitable[None]],
    beat: Callable[[WorkerBeat], Awaitable[None]],
    letter: Callable[[DeadLetter], Awaitable[None]],
    mails: int,
    posts: int,
) -> list[Flow]:
    """Declare the agents of the jobs worker."""
    email, notification, webhook = topics[Delivery]
    return [
        _agent(app, topics[Job], Flow("inference", plan, dead, PLANS)),
        _agent(app, topics[ChunkResult], Flow("results", collect, dead, RESULTS)),
        _agent(app, topics[WorkerBeat], Flow("beats", beat, dead, 1)),
        _agent(app, topics[DeadLetter], Flow("dead-letter", letter, dead, LETTERS)),
        _agent(app, email, Flow("email", mail, dead, mails + MAILS_IN_LINE)),
        _agent(app, notification, Flow("notification", notify, dead, NOTICES)),
        _agent(app, webhook, Flow("webhook", post, dead, posts + POSTS_IN_LINE)),
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
        await run_or_leave(flow, stream, lambda: app.should_stop)

    flow.topic = topic.get_topic_name()
    app.agent(topic, name=flow.name)(agent)
    return flow


async def run_or_leave(flow: Flow, stream: Any, stopping: Callable[[], bool]) -> None:
    """Run a flow for as long as the app runs. One that ends before takes the process with it.

    Faust would restart an agent that raised, after a commit, and leave one that returned dead in a worker that looks
    healthy: its messages would wait for ever.
    """
    try:
        await flow.run(stream)
    except asyncio.CancelledError:
        raise  # by Faust, which stops it, or starts it again after a rebalance
    except BaseException as error:
        if stopping():
            raise
        logger.exception("agent %s died", flow.name)
        leave(f"agent {flow.name} died: {error!r}")
    if not stopping():
        leave(f"agent {flow.name} has ended by itself")
