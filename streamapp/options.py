"""How both apps speak to Kafka through Faust: the options that keep it from losing messages, typed topics, and sending.

The options follow from what Faust's source does; docs/adr/0003 says which and why.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import faust
from faust.types import TopicT

from streamapp import membership
from streamapp.kafka.access import Kafka
from streamapp.models import Record
from streamapp.process import BoundedWorker
from streamapp.sending import send_acked
from streamapp.settings import Settings
from streamapp.slots import instance_id
from streamapp.wire import StrictSchema

__all__ = ["faust_options", "sender", "topic"]

MiB = 1024 * 1024


def faust_options(settings: Settings, role: str) -> Mapping[str, Any]:
    """The options of both apps; `role` tells their static members apart (KIP-345)."""
    return {
        "Worker": BoundedWorker,
        "kafka": Kafka.of(settings),
        "processing_guarantee": "at_least_once",
        "topic_partitions": settings.topic_partitions,
        "topic_replication_factor": settings.topic_replicas,
        "topic_allow_declare": False,  # streamapp.topics provisions them all
        "topic_disable_leader": True,
        "store": "memory://",
        "datadir": str(settings.home / "faust"),
        "consumer_group_instance_id": instance_id(settings.home / "slots", role),
        "broker_client_id": membership.client_id(),
        "consumer_auto_offset_reset": "earliest",
        "consumer_max_fetch_size": 8 * MiB,
        "producer_max_request_size": 8 * MiB,
        "producer_request_timeout": 30.0,
        "producer_acks": -1,
        "broker_session_timeout": 10.0,
        "broker_heartbeat_interval": 2.0,
        # what is done and not committed is done again after a crash, and a chunk's work costs more than a commit
        "broker_commit_interval": 0.2 if role == "inference" else 1.0,
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
