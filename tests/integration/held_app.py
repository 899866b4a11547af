"""An app with one agent, guarded as streamapp's are: it notes each message, and waits while a test holds it.

A message is held while the folder HELD has a file ``hold-<its id>``; what was begun and what was handled stands in the
files `begun` and `done`. The variables TOPICS and SESSION_S say what it reads (`held`), and its session timeout (10).
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

from faust.types import EventT

from streamapp import agents
from streamapp.apps import LifecycleApp, WithoutWeb
from streamapp.models import Delivery
from streamapp.options import faust_options, topic
from streamapp.settings import load_settings
from streamapp.topics import TopicSpec, _create

FOLDER = Path(os.environ["HELD"])
TOPICS = os.environ.get("TOPICS", "held").split()
SESSION_S = float(os.environ.get("SESSION_S", "10"))
IN_WORK = 8


class NoParts:
    """The topic, and nothing else."""

    async def start(self) -> None:
        """Make the topic."""
        from aiokafka.admin import AIOKafkaAdminClient

        admin = AIOKafkaAdminClient(bootstrap_servers=settings.broker)
        await admin.start()
        for name in TOPICS:
            await _create(admin, TopicSpec(f"{settings.topic_prefix}{name}", partitions=2), settings)
        await admin.close()

    async def started(self) -> None:
        """Nothing."""

    async def draining(self) -> None:
        """Nothing."""

    async def stop(self) -> None:
        """Nothing."""


class NoLetters:
    """What is sent here can be read."""

    async def bury(self, event: EventT[Any], reason: str) -> None:
        """Never."""
        raise AssertionError(reason)


async def handle(delivery: Delivery) -> None:
    """Wait while it is held, and note it."""
    with (FOLDER / "begun").open("a") as begun:
        begun.write(f"{delivery.delivery_id}\n")
    while (FOLDER / f"hold-{delivery.delivery_id}").exists():
        await asyncio.sleep(0.05)
    with (FOLDER / "done").open("a") as done:
        done.write(f"{delivery.delivery_id}\n")


settings = load_settings()
options = {**faust_options(settings, "held"), "broker_session_timeout": SESSION_S}
app = LifecycleApp(settings.group, **options)
app.boot_strategy = WithoutWeb(app)
app.parts = NoParts()
held = {name: topic(app, f"{settings.topic_prefix}{name}", Delivery) for name in TOPICS}
app.flows = agents.inference_agents(app, held, NoLetters(), handle, IN_WORK)
