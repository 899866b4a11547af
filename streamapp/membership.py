"""This worker's place in its consumer group: who lost it for good leaves, so that a supervisor or its owner can act.

The part of the client that keeps the place can end by an error, and then nothing comes any more, without a word.

Two workers with one name can be after the same place. A broker knows a static member by its instance id (KIP-345): who
joins with an id that is taken gets the place, and the older member learns at its next heartbeat that nobody knows it
any more. It joins again and evicts the newcomer in turn, and so on for ever, every two seconds. `streamapp.slots` makes
ids that can't meet; a home that was copied or is shared without locks brings the same one twice all the same.

Seen from inside, it is the loss of one membership after another, although the process was awake all the time, and now
and then a member in the group that is called as we are and is not us: the broker makes a static member's id of its
instance id and something random. Each worker's client id says when it started, which the group's description shows; so
both know which of them is the newcomer, and that one leaves.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
import uuid
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from streamapp.errors import ConfigurationError
from streamapp.kafka.group import Member, describe_group
from streamapp.leaving import leave, leave_because

__all__ = ["Evictions", "client_id", "coordinator_of", "hand_over", "rejoin", "watch"]

logger = logging.getLogger(__name__)

LOOK_S = 0.5  # a membership of a pair of twins lasts about a heartbeat interval, 2 s
ASK_S = 5.0
ASLEEP_S = 3.0 + ASK_S  # a pause as long as this may have cost heartbeats: what was lost in it says nothing
WINDOW_S = 120.0
LOST = 3  # memberships within the window, before we believe that somebody else is at it
SUPERVISED = "STREAMAPP_LEASH"  # set for model workers that a jobs worker started


def client_id() -> str:
    """What this process calls itself, which sorts by when it started; by chance where two did in one nanosecond."""
    return f"streamapp-{time.time_ns():020}-{uuid.uuid4().hex[:6]}"


class Evictions:
    """Counts the memberships that were lost while this process was awake. Times are seconds of any one clock."""

    def __init__(self, client: str) -> None:
        self._client = client
        self._member = ""
        self._looked = 0.0
        self._lost: deque[float] = deque()
        self._elder_seen = False

    def look(self, member: str, now: float) -> bool:
        """Note who we are in the group ("": nobody, or not yet). True while there is reason to look for a twin."""
        if now - self._looked > ASLEEP_S:
            self._lost.clear()
        elif self._member and member != self._member:
            self._lost.append(now)
        self._member = member
        self._looked = now
        while self._lost and now - self._lost[0] > WINDOW_S:
            self._lost.popleft()
        self._elder_seen = self._elder_seen and bool(self._lost)
        return bool(self._lost)

    def group(self, members: Iterable[Member], instance: str) -> None:
        """Note who is in the group by now: somebody called as we are who started before us is our elder."""
        if any(each.id.startswith(f"{instance}-") and each.client < self._client for each in members):
            self._elder_seen = True

    @property
    def should_leave(self) -> bool:
        """Whether an elder twin was seen, and has cost us as many memberships as convince."""
        return self._elder_seen and len(self._lost) >= LOST


async def watch(app: Any, drain_s: float) -> None:
    """Look at this Faust app's membership until cancelled; leave the process when its place is gone for good.

    When a twin is at it, what is in work is finished first, for `drain_s` seconds at most. A model worker that a jobs
    worker supervises looks for no twin: it shares that one's home, and goes with it.
    """
    evictions = Evictions(app.conf.broker_client_id)
    supervised = bool(os.environ.get(SUPERVISED))
    while not evictions.should_leave:
        await asyncio.sleep(LOOK_S)
        if (failed := _failure(app)) is not None:
            leave(f"this worker lost its place in the consumer group for good: {failed!r}")
        if evictions.look(_member(app), time.monotonic()) and not supervised:
            members = await _members(app)
            evictions.look(_member(app), time.monotonic())  # we may have joined meanwhile
            evictions.group(members, str(app.conf.consumer_group_instance_id))
    await _leave_to_twin(str(app.conf.consumer_group_instance_id), app.in_hand, drain_s)


async def hand_over(consumer: Any, flows: Sequence[Any], timeout_s: float) -> None:
    """Before partitions change hands: wait for what is in work, but not long, since meanwhile nobody has any.

    Faust's own wait has no bound, and can't be cancelled. What is left comes again to whoever is next.
    """
    ends = time.monotonic() + timeout_s
    while any(flow.busy for flow in flows) and time.monotonic() < ends:  # noqa: ASYNC110 - a flow tells nobody
        await asyncio.sleep(0.05)
    await consumer.commit()


async def rejoin(app: Any) -> None:
    """Join the group once more, as the member that one is, with metadata that is fetched now.

    A member that leads its group has the partitions shared out again by it, whether or not it knows that it leads.
    """
    coordinator, thread = coordinator_of(app), getattr(app._consumer, "_thread", None)
    if coordinator is None or thread is None:
        return

    async def join() -> None:
        await coordinator._client.force_metadata_update()
        coordinator.request_rejoin()

    await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(join(), thread.thread_loop))


def coordinator_of(app: Any) -> Any:
    """What keeps this member's place. Faust and aiokafka show it nowhere else; None before there is one."""
    thread = getattr(app._consumer, "_thread", None)  # the property would make one
    return getattr(getattr(thread, "_consumer", None), "_coordinator", None)


async def _leave_to_twin(instance: str, in_hand: Sequence[Any], drain_s: float) -> None:
    """Finish what is in hand, so that no e-mail is left in doubt, say in a sentence why, and leave the process."""
    await asyncio.gather(*(each.drain(drain_s) for each in in_hand), return_exceptions=True)
    sentence = (
        f"Another worker is in the consumer group with this one's instance id, {instance}: its home is a copy of this "
        "one's, or is shared without file locks. Give each worker a home of its own (STREAMAPP_HOME), or remove the "
        "folder `slots` from the copy, and start this one again."
    )
    leave_because(ConfigurationError(sentence))


def _member(app: Any) -> str:
    """The id that the broker gave this member; empty while it has none."""
    return getattr(coordinator_of(app), "member_id", "")


def _failure(app: Any) -> BaseException | None:
    """What ended the task that keeps the place; None while it runs."""
    task = getattr(coordinator_of(app), "_coordination_task", None)
    return task.exception() if task is not None and task.done() and not task.cancelled() else None


async def _members(app: Any) -> list[Member]:
    """The group's members; none while Kafka does not say."""
    admin = AIOKafkaAdminClient(**app.kafka.options)
    try:
        async with asyncio.timeout(ASK_S):
            await admin.start()
            return list((await describe_group(admin, app.conf.id)).members)
    except (KafkaError, OSError, TimeoutError) as error:
        logger.debug("the group's members are not known: %r", error)
        return []
    finally:
        await admin.close()
