"""Sees to it that all partitions of this worker's group are shared out, and has them shared out again when they aren't.

Who leads a group shares out what its metadata shows, and Faust's assignor passes over a topic that is not in it, as it
may be while a broker starts. aiokafka's leader shares out again when later metadata shows more. But a leader that is
started again, as the same static member (KIP-345), is given what was shared out before and not told that it leads,
which KIP-814 mends for clients newer than this one. From then on nobody looks: those partitions are read by nobody,
every worker seems well, and whoever is started again is given the same.

So each worker looks at its group once after each sharing out, and now and then, since partitions may have been added.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable, Mapping
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from streamapp import membership
from streamapp.kafka.group import STEADY, Member, describe_group
from streamapp.topics import partitions_of

__all__ = ["unread", "watch"]

logger = logging.getLogger(__name__)

LOOK_S = 0.5
PAUSE_S = 2.0  # between two questions to Kafka
AGAIN_S = 300.0  # as often as aiokafka's leader looks at its metadata
ASK_S = 5.0


async def watch(app: Any) -> None:
    """Look at this Faust app's group until cancelled."""
    seen, until = None, 0.0
    while True:
        await asyncio.sleep(LOOK_S)
        sharing = _sharing(app)
        if sharing is None or (sharing == seen and time.monotonic() < until):
            continue
        left = await _left(app)
        if left is not None and sharing == _sharing(app):
            seen, until = sharing, time.monotonic() + (PAUSE_S if left else AGAIN_S)
            if left:
                logger.warning("nobody in the group reads %s: sharing out the partitions again", ", ".join(left))
                await membership.rejoin(app)
        await asyncio.sleep(PAUSE_S)


def unread(partitions: Mapping[str, int], members: Iterable[Member]) -> list[tuple[str, int]]:
    """The partitions of topics that somebody reads, and that nobody has; `partitions`: how many each topic has."""
    members = list(members)
    reads = {topic for member in members for topic in member.reads}
    has = {place for member in members for place in member.has}
    wanted = {(topic, number) for topic in reads for number in range(partitions.get(topic, 0))}
    return sorted(wanted - has)


def _sharing(app: Any) -> tuple[str, int] | None:
    """Which sharing out it is that this worker has its partitions of; None while it is in no group."""
    coordinator = membership.coordinator_of(app)
    member, generation = getattr(coordinator, "member_id", ""), getattr(coordinator, "generation", -1)
    return (member, generation) if member and generation >= 0 else None


async def _left(app: Any) -> list[str] | None:
    """The topics with partitions that nobody was given; None while Kafka does not say, or the group is sharing out."""
    admin = AIOKafkaAdminClient(**app.kafka.options)
    try:
        async with asyncio.timeout(ASK_S):
            await admin.start()
            group = await describe_group(admin, app.conf.id)
            if group.state != STEADY:
                return None
            topics = sorted({topic for member in group.members for topic in member.reads})
            return sorted({topic for topic, _ in unread(await partitions_of(admin, topics), group.members)})
    except (KafkaError, OSError, TimeoutError) as error:
        logger.debug("what the group reads is not known: %r", error)
        return None
    finally:
        await admin.close()
