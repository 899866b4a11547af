"""What both Faust apps share: a lifecycle, which ends in bounded time and never by Faust's own crash path."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Protocol

import faust
from faust.app.base import BootStrategy
from faust.auth import Credentials

from streamapp import membership, sharing
from streamapp.consumer import PromptConsumer
from streamapp.early import Early
from streamapp.errors import ConfigurationError, Transient
from streamapp.flow import Flow
from streamapp.kafka.access import Kafka
from streamapp.leaving import SOFTWARE, Deadline, leave, leave_because, pulse
from streamapp.repeats import say_once_in_a_while
from streamapp.slots import reading

__all__ = [
    "STAND_STILL_S",
    "LifecycleApp",
    "Parts",
    "WithoutWeb",
]

logger = logging.getLogger(__name__)

# a model worker drains (8) and stops well before its supervisor kills it (12); then the jobs worker stops, and ends
# by force (18) while whoever runs it still waits (20 and more)
DRAIN_S = 8.0
HAND_OVER_S = 2.0  # beside 10 to miss a dead worker and 2 to hear of it: 15 in all are promised
STOP_S = 18.0
STAND_STILL_S = 60.0  # of the jobs worker's event loop


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


class Drains(Protocol):
    """What has work in hand."""

    async def drain(self, timeout_s: float) -> bool:
        """Begin nothing more, and wait for what is in work. False when some of it was given up."""


class WithoutWeb(BootStrategy):
    """`faust worker` switches the web server on by itself; a model worker has none, so ports never clash."""

    enable_web = False

    def web_server(self) -> Any:
        """None."""
        return []


class LifecycleApp(faust.App):
    """A Faust app that starts and stops its `parts` with it, and ends for certain when it can't go on or can't stop.

    `stand_still_s` is how long its event loop may be blocked, 0 for ever; `watch` runs from start to stop.
    """

    parts: Parts
    flows: Sequence[Flow] = ()
    begun: Sequence[Early[Any]] = ()
    watch: Callable[[], Coroutine[Any, Any, None]] | None = None
    stand_still_s = 0.0

    def __init__(self, *args: Any, kafka: Kafka, **options: Any) -> None:
        broker = [f"kafka://{address}" for address in kafka.addresses]
        super().__init__(*args, broker=broker, broker_credentials=_credentials(kafka), **options)
        self.kafka = kafka
        self._instance = str(options.get("consumer_group_instance_id"))  # Faust minds a change after it was asked for
        self.deadline = Deadline(STOP_S, self._left)
        self.exit_code = 0
        self.joined = False
        """Whether it is in its consumer group, if only to wait: there may be more workers than partitions."""
        self._member_since: float | None = None
        self.on_partitions_assigned.connect(self._has_joined)
        self.on_partitions_revoked.connect(self._has_left)
        self._beside: list[asyncio.Task[None]] = []
        self._stopping = ""

    async def on_first_start(self) -> None:
        """Start the parts: nothing is consumed before they are ready."""
        say_once_in_a_while()
        await super().on_first_start()
        reads = (name for agent in self.agents.values() for name in agent.get_topic_names())
        self.conf.consumer_group_instance_id = reading(self._instance, str(self.conf.canonical_url), reads)
        try:
            await self.parts.start()
        except (ConfigurationError, Transient) as error:
            leave_because(error)
        self._beside.append(asyncio.create_task(membership.watch(self, DRAIN_S), name="membership"))
        self._beside.append(asyncio.create_task(sharing.watch(self), name="sharing"))

    async def on_started(self) -> None:
        """Everything runs; from now on it is looked after."""
        await super().on_started()
        await self.parts.started()
        if self.stand_still_s:
            self._beside.append(asyncio.create_task(pulse(self.stand_still_s, self.deadline), name="pulse"))
        if self.watch is not None:
            self._beside.append(asyncio.create_task(self.watch(), name="watchdog"))

    def _new_transport(self) -> Any:
        """Faust's own, with a consumer that makes less of each message."""
        transport: Any = super()._new_transport()
        transport.Consumer = PromptConsumer
        return transport

    async def _consumer_wait_empty(self, consumer: Any, logger: Any) -> None:
        """In a rebalance Faust calls this, and would wait without a bound."""
        await membership.hand_over(consumer, self.flows, HAND_OVER_S)

    async def on_stop(self) -> None:
        """Take nothing more, finish what is in hand or hand it back, and only then let Faust stop.

        Faust's own wait for unacknowledged messages has no bound. Ours has; what is left after it stays
        unacknowledged, since `noack()` streams acknowledge nothing by themselves, and comes again elsewhere.
        """
        self.deadline.arm()
        self._stopping = "what is in hand"
        self.flow_control.suspend()
        for task in self._beside:
            task.cancel()
        work = (each.drain(DRAIN_S) for each in self.in_hand)
        draining = (self.parts.draining(), *work)
        for ended in await asyncio.gather(*draining, return_exceptions=True):
            if isinstance(ended, Exception):
                logger.error("draining raised", exc_info=ended)
            if ended is not None and ended is not True:
                self.exit_code = SOFTWARE
        self.conf.stream_wait_empty = False
        self._stopping = "its parts"
        await self.parts.stop()
        self._stopping = "Faust itself"
        await super().on_stop()

    @property
    def in_hand(self) -> Sequence[Drains]:
        """What works on messages, and ends what is in work when it is told to."""
        return (*self.flows, *self.begun)

    def takes(self, topic: str) -> list[int]:
        """The partitions of a topic that it takes messages of: none while it stops, or shares out with others."""
        if not self.flow_control.is_active():
            return []
        return sorted(place.partition for place in self.consumer.assignment() if place.topic == topic)

    def member_s(self) -> float:
        """Seconds since it joined its group for the first time; 0 before that."""
        return 0.0 if self._member_since is None else time.monotonic() - self._member_since

    async def _has_joined(self, *_: Any, **__: Any) -> None:
        self.joined = True
        if self._member_since is None:
            self._member_since = time.monotonic()

    async def _has_left(self, *_: Any, **__: Any) -> None:
        self.joined = False

    def _crash(self, reason: BaseException) -> None:
        """Leave before Faust's own crash path cancels agents and commits; mode calls this from any thread."""
        if self.should_stop:
            super()._crash(reason)
        else:
            leave(f"something crashed: {reason!r}")

    def _left(self) -> str:
        """What has not ended when the time to stop is over, and comes again elsewhere."""
        left = [f"{work.tp.topic} {work.tp.partition} {work.offset}" for flow in self.flows for work in flow.in_work()]
        return (
            f"stopping took more than {STOP_S:.0f} s ({self._stopping or 'it was still starting'}); "
            f"handed back: {', '.join(left) or 'nothing'}"
        )


def _credentials(kafka: Kafka) -> Credentials | None:
    """The same as Faust has it, for its producer and its consumers."""
    if kafka.mechanism:
        return faust.SASLCredentials(
            mechanism=kafka.mechanism,
            username=kafka.username,
            password=kafka.password.get_secret_value(),
            ssl_context=kafka.context,
        )
    return faust.SSLCredentials(kafka.context) if kafka.context else None
