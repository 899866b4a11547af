"""The topics: what they are called, how long they keep what, and making them before an agent starts.

Faust declares only internal topics; any other one that is missing on a fresh cluster would be auto-created with one
partition, or waited for without end. So every topic is provisioned here, explicitly, before agents start.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code
from aiokafka.protocol.metadata import MetadataRequest

from streamapp.errors import ConfigurationError
from streamapp.kafka.access import Kafka
from streamapp.kafka.greeting import explained
from streamapp.settings import Settings

__all__ = ["TopicNames", "TopicSpec", "describe", "partitions_of", "provision", "specs", "survey"]

logger = logging.getLogger(__name__)

HOUR_MS = 3600 * 1000
DAY_MS = 24 * HOUR_MS
DEAD_LETTER_DAYS = 30  # as long as topics may be told to keep anything
MiB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class TopicNames:
    """The names, all behind one prefix, so that several deployments can share a cluster."""

    prefix: str

    @property
    def inference(self) -> str:
        """Jobs that wait to be planned."""
        return f"{self.prefix}inference"

    @property
    def results(self) -> str:
        """What model workers computed."""
        return f"{self.prefix}results"

    @property
    def email(self) -> str:
        """E-mails that are due."""
        return f"{self.prefix}email"

    @property
    def notification(self) -> str:
        """Notifications that are due."""
        return f"{self.prefix}notification"

    @property
    def webhook(self) -> str:
        """Webhooks that are due."""
        return f"{self.prefix}webhook"

    @property
    def beats(self) -> str:
        """Model workers' signs of life."""
        return f"{self.prefix}beats"

    @property
    def cancels(self) -> str:
        """Runs that have ended while their chunks may be in flight."""
        return f"{self.prefix}cancels"

    @property
    def dead_letter(self) -> str:
        """Messages that can't be worked on."""
        return f"{self.prefix}dead-letter"

    def chunks(self, predictor: str) -> str:
        """Chunks for one predictor."""
        return f"{self.prefix}chunks.{predictor}"


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """How a topic is made. Retention outlives the longest outage that is meant to be survived without loss."""

    name: str
    retention_ms: int = 7 * DAY_MS
    max_message_bytes: int = 1 * MiB
    partitions: int | None = None  # None: as many as the settings say


def specs(settings: Settings, predictors: Iterable[str]) -> list[TopicSpec]:
    """Every topic of a deployment with these predictors."""
    names, kept = TopicNames(settings.topic_prefix), int(settings.topic_days * DAY_MS)
    return [
        TopicSpec(names.inference, kept),
        TopicSpec(names.results, kept, max_message_bytes=8 * MiB),
        TopicSpec(names.email, kept),
        TopicSpec(names.notification, kept),
        TopicSpec(names.webhook, kept),
        TopicSpec(names.beats, DAY_MS, partitions=1),
        TopicSpec(names.cancels, HOUR_MS, partitions=1),
        TopicSpec(names.dead_letter, DEAD_LETTER_DAYS * DAY_MS, max_message_bytes=12 * MiB),
        *(TopicSpec(names.chunks(name), kept, max_message_bytes=2 * MiB) for name in sorted(predictors)),
    ]


async def provision(settings: Settings, predictors: Iterable[str], timeout_s: float = 15.0) -> Mapping[str, int]:
    """Create what is missing; returns each topic's number of partitions.

    Raises `BrokerUnavailable` when the broker does not answer within `timeout_s` seconds, and `ConfigurationError` when
    it refuses us, or, naming the topics, when some are missing and may not be created.
    """
    wanted = specs(settings, predictors)
    kafka = Kafka.of(settings)
    admin = AIOKafkaAdminClient(request_timeout_ms=int(timeout_s * 1000), **kafka.options)
    try:
        async with asyncio.timeout(timeout_s):
            await admin.start()
            there = await partitions_of(admin, [spec.name for spec in wanted])
            missing = [spec for spec in wanted if spec.name not in there]
            if missing and not settings.topic_create:
                raise ConfigurationError(
                    f"Topics are missing: {', '.join(spec.name for spec in missing)}. "
                    "Create them (`streamapp topics --create`) or set STREAMAPP_TOPIC_CREATE=true."
                )
            for spec in missing:
                await _create(admin, spec, settings)
                there[spec.name] = spec.partitions or settings.topic_partitions
            return there
    except (KafkaError, TimeoutError, OSError) as error:
        raise await explained(kafka, error) from error
    finally:
        await admin.close()


async def survey(settings: Settings, predictors: Iterable[str]) -> Mapping[str, int]:
    """The partitions of those topics that are there. Raises `BrokerUnavailable` or `ConfigurationError`."""
    kafka = Kafka.of(settings)
    admin = AIOKafkaAdminClient(**kafka.options)
    try:
        await admin.start()
        return await partitions_of(admin, [spec.name for spec in specs(settings, predictors)])
    except (KafkaError, OSError) as error:
        raise await explained(kafka, error) from error
    finally:
        await admin.close()


async def partitions_of(admin: AIOKafkaAdminClient, names: list[str]) -> dict[str, int]:
    """How many partitions the existing ones of these topics have."""
    described = await describe(admin, names)
    return {topic["topic"]: len(topic["partitions"]) for topic in described if topic["error_code"] == 0}


async def describe(admin: AIOKafkaAdminClient, names: list[str]) -> list[dict[str, Any]]:
    """These topics as Kafka's metadata has them. The client's own call would have a broker make those that are missing,
    where that is allowed (`auto.create.topics.enable`, which is the default), and with as many partitions as it likes.
    """
    answer = await admin._send_request(MetadataRequest(names, allow_auto_topic_creation=False))
    topics: list[dict[str, Any]] = answer.to_object()["topics"]
    return topics


async def _create(admin: AIOKafkaAdminClient, spec: TopicSpec, settings: Settings) -> None:
    config = {"retention.ms": str(spec.retention_ms), "max.message.bytes": str(spec.max_message_bytes)}
    if settings.topic_replicas >= 3:
        config["min.insync.replicas"] = "2"
    new = NewTopic(
        spec.name, spec.partitions or settings.topic_partitions, settings.topic_replicas, topic_configs=config
    )
    response = await admin.create_topics([new])
    for error in response.topic_errors:
        kind = for_code(error[1])
        if error[1] != 0 and kind is not TopicAlreadyExistsError:
            raise ConfigurationError(f"Topic {spec.name} can't be created: {kind.__name__} {error[2] or ''}".rstrip())
    logger.info("topic %s created", spec.name)
