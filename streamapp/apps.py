"""What both Faust apps share: the options that keep Faust from losing messages, and a lifecycle.

The options follow from what Faust's source does; docs/adr/0003 says which and why.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NoReturn, Protocol

import faust
from faust.app.base import BootStrategy
from faust.types import TopicT

from streamapp.errors import BrokerUnavailable, ConfigurationError, StoreUnavailable
from streamapp.flow import Flow
from streamapp.models import Record
from streamapp.sending import send_acked
from streamapp.settings import Settings, load_settings
from streamapp.slots import take_slot
from streamapp.wire import StrictSchema

__all__ = [
    "LifecycleApp",
    "Parts",
    "WithoutWeb",
    "build_or_leave",
    "faust_options",
    "leave_misconfigured",
    "sender",
    "topic",
]

MiB = 1024 * 1024
DRAIN_S = 8.0
CONFIGURATION, UNAVAILABLE = 78, 69  # EX_CONFIG and EX_UNAVAILABLE of sysexits(3)


class Parts(Protocol):
    """What an app starts before it takes messages, and stops after."""

    async def start(self) -> None:
        """Before the consumer starts."""

    async def started(self) -> None:
        """Once the producer and the agents run."""

    async def draining(self) -> None:
        """When the app begins to stop: nothing more is taken, what is in hand still ends."""

    async def stop(self) -> None:
        """When nothing is in hand any more, before the consumer stops."""


class WithoutWeb(BootStrategy):
    """`faust worker` switches the web server on by itself; a model worker has none, so ports never clash."""

    enable_web = False

    def web_server(self) -> Any:
        """None."""
        return []


class LifecycleApp(faust.App):
    """A Faust app that starts and stops its `parts` with it, and says in a sentence why it can't start."""

    parts: Parts
    flows: Sequence[Flow] = ()

    async def on_first_start(self) -> None:
        """Start the parts: nothing is consumed before they are ready."""
        await super().on_first_start()
        try:
            await self.parts.start()
        except (ConfigurationError, BrokerUnavailable, StoreUnavailable) as error:
            _leave(error)

    async def on_started(self) -> None:
        """Everything runs."""
        await super().on_started()
        await self.parts.started()

    async def on_stop(self) -> None:
        """Take nothing more, finish what is in hand or hand it back, and only then let Faust stop.

        Faust's own wait for unacknowledged messages has no bound. Ours has; what is left after it stays
        unacknowledged, since `noack()` streams acknowledge nothing by themselves, and comes again elsewhere.
        """
        self.flow_control.suspend()
        await self.parts.draining()
        await asyncio.gather(*(flow.drain(DRAIN_S) for flow in self.flows))
        self.conf.stream_wait_empty = False
        await self.parts.stop()
        await super().on_stop()


def faust_options(settings: Settings, role: str) -> Mapping[str, Any]:
    """The options of both apps; `role` tells their static members apart (KIP-345)."""
    return {
        "broker": [f"kafka://{address.strip()}" for address in settings.broker.split(",")],
        "processing_guarantee": "at_least_once",
        "topic_partitions": settings.topic_partitions,
        "topic_replication_factor": settings.topic_replicas,
        "topic_allow_declare": False,  # streamapp.topics provisions them all
        "topic_disable_leader": True,
        "store": "memory://",
        "datadir": str(settings.home / "faust"),
        "consumer_group_instance_id": f"{socket.gethostname()}-{role}-{take_slot(settings.home / 'slots', role)}",
        "consumer_auto_offset_reset": "earliest",
        "consumer_max_fetch_size": 8 * MiB,
        "producer_max_request_size": 8 * MiB,
        "producer_request_timeout": 30.0,
        "producer_acks": -1,
        "broker_session_timeout": 10.0,
        "broker_heartbeat_interval": 2.0,
        "broker_commit_interval": 1.0,
        "broker_request_timeout": 30.0,
        "stream_buffer_maxsize": 256,
        "stream_wait_empty": True,
        "web_bind": settings.web_host,
        "web_port": settings.web_port,
        "web_host": settings.web_host,
        "web_in_thread": False,
        "web_tables_enabled": False,
        "web_router_enabled": False,
        "web_stats_enabled": False,
        "web_graph_enabled": False,
        "web_metrics_enabled": False,
        "web_application_options": {"client_max_size": settings.max_body_bytes},
        "autodiscover": False,
        "logging_config": None,
    }


def topic(app: faust.App, name: str, record: type[Record]) -> TopicT:
    """A topic of one Record type, decoded strictly."""
    return app.topic(name, schema=StrictSchema(value_type=record, key_type=bytes))


def sender(to: TopicT) -> Callable[[Record], Awaitable[None]]:
    """A function that sends one Record and returns with the broker's ack."""

    async def send(record: Record) -> None:
        await send_acked(to, [record])

    return send


def build_or_leave(build: Callable[[Settings], faust.App]) -> faust.App:
    """Build an app from the settings; leave the process with a sentence when they are wrong."""
    try:
        settings = load_settings()
        if not settings.broker:
            raise ConfigurationError(
                "STREAMAPP_BROKER is not set: name a Kafka broker (host:port), or use `streamapp up`, which starts one."
            )
        return build(settings)
    except ConfigurationError as error:
        _leave(error)


def leave_misconfigured() -> None:
    """Leave because a child has said what is wrong with the configuration: starting it again would end the same way."""
    os._exit(CONFIGURATION)


def _leave(error: Exception) -> NoReturn:
    """Say in one sentence what is wrong, and leave, before Faust's own crash path can commit anything."""
    os.write(2, f"streamapp: {error}\n".encode())  # Faust turns what goes to sys.stderr into log lines
    os._exit(CONFIGURATION if isinstance(error, ConfigurationError) else UNAVAILABLE)
