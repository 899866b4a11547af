"""How long what is kept, in an order in which nothing outlives what it needs; docs/operations.md has the table.

::

    topics  ≤  the groups' offsets  <  tombstones        a message that is there is never taken for new, nor its job
    topics  ≤  finished jobs                             what a message names is known
    half of the topics' time: no new work is taken       what was accepted is read before it is deleted

What the settings say is checked when they are read. What a broker says is looked at when a worker starts: it may be
somebody else's, and topics may be older than the settings.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError

from streamapp.kafka.access import Kafka
from streamapp.settings import DAY_S, Settings
from streamapp.topics import specs

__all__ = ["OFFSETS_DAYS", "Lifetimes"]

logger = logging.getLogger(__name__)

OFFSETS_DAYS = 365.0  # of the embedded broker, and what is taken for granted of one that does not say


@dataclass(slots=True)
class Lifetimes:
    """Seconds. `jobs_s` None: for ever; `memory_s` None: no result is remembered. `offsets_s`: as the broker says."""

    topics_s: float
    jobs_s: float | None
    memory_s: float | None = None
    offsets_s: float = OFFSETS_DAYS * DAY_S

    @classmethod
    def of(cls, settings: Settings) -> Lifetimes:
        """As the settings say."""
        return cls(settings.topic_days * DAY_S, settings.keep_jobs_days * DAY_S or None, settings.memory_s)

    @property
    def tombstones_s(self) -> float:
        """Longer than a message may come: a topic deletes whole segments, and one is open for as long again."""
        return 2 * self.topics_s + max(self.offsets_s, OFFSETS_DAYS * DAY_S)

    async def look(self, settings: Settings, predictors: Iterable[str]) -> None:
        """Compare with what the broker has, and warn of what is out of order. Never raises: it is a look."""
        admin = AIOKafkaAdminClient(**Kafka.of(settings).options)
        wanted = {spec.name: spec.retention_ms for spec in specs(settings, predictors)}
        try:
            await admin.start()
            for name, there in (await _topics(admin, wanted)).items():
                if there not in ("-1", str(wanted[name])):
                    logger.warning(
                        "topic %s keeps messages for %s ms, where streamapp's settings say %d ms: change the one or "
                        "the other, or what is accepted may be deleted unread",
                        name,
                        there,
                        wanted[name],
                    )
            minutes = await _offsets_minutes(admin)
        except (KafkaError, OSError, ValueError) as error:
            logger.info("how long the broker keeps what can't be seen: %r", error)
            return
        finally:
            await admin.close()
        if minutes is None:
            return
        self.offsets_s = minutes * 60.0
        if self.offsets_s < self.topics_s:
            logger.warning(
                "the broker forgets what a group that stands still has read after %d minutes "
                "(offsets.retention.minutes), before the topics' %d minutes are over: after a longer stop everything "
                "in the topics would be read again; set it higher",
                minutes,
                self.topics_s / 60,
            )


async def _topics(admin: AIOKafkaAdminClient, names: Iterable[str]) -> Mapping[str, str]:
    wanted = [ConfigResource(ConfigResourceType.TOPIC, name, {"retention.ms": ""}) for name in names]
    found: dict[str, str] = {}
    for answer in await admin.describe_configs(wanted):
        found |= {each[3]: each[4][0][1] for each in answer.resources if each[0] == 0 and each[4]}
    return found


async def _offsets_minutes(admin: AIOKafkaAdminClient) -> int | None:
    brokers = (await admin.describe_cluster())["brokers"]
    wanted = ConfigResource(ConfigResourceType.BROKER, str(brokers[0]["node_id"]), {"offsets.retention.minutes": ""})
    for answer in await admin.describe_configs([wanted]):
        for each in answer.resources:
            if each[0] == 0 and each[4]:
                return int(each[4][0][1])
    return None
