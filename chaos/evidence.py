"""Waits until nothing moves any more, and gathers what is at the far ends."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Protocol

import httpx
from aiokafka import AIOKafkaConsumer, TopicPartition

from chaos.ground import MAIL_TIMEOUT_S, PARTITIONS, PREFIX, Ground
from chaos.judge import LedgerRow
from chaos.load import Accepted
from chaos.watch import Moves, Watch

__all__ = ["chunks_again", "gather", "settle"]

AFTER_S = 3.0  # for what may still come twice
LEDGER = "SELECT id, job, event, kind, recipient, state, in_doubt FROM deliveries"
LETTERS = 'SELECT topic, partition, "offset" FROM dead_letters WHERE topic IS NOT NULL'


class Moving(Protocol):
    """What is waited for: see `chaos.watch.Watch`."""

    @property
    def moves(self) -> Moves:
        """What the store says right now."""


async def settle(watch: Moving, poison: int, still_s: float, limit_s: float, say: Callable[[str], None]) -> bool:
    """Wait until all is final, or nothing has moved for `still_s` seconds though nobody waits on purpose.

    False when something is left, or moves without end.
    """
    end = time.monotonic() + limit_s
    before, since = watch.moves, time.monotonic()
    while time.monotonic() < end:
        now = watch.moves
        if now.final == now.jobs and now.settled == now.deliveries and now.letters >= poison:
            await asyncio.sleep(AFTER_S)
            return True
        if now != before or now.timer > time.time():
            before, since = now, time.monotonic()
        if time.monotonic() - since > still_s:
            return False
        still, wait = time.monotonic() - since, max(0.0, now.timer - time.time())
        left = f"{now.jobs - now.final} jobs and {now.deliveries - now.settled} deliveries left"
        say(f"settling: {left}, the next in {wait:.0f} s, nothing moved for {still:.0f} s")
        await asyncio.sleep(0.5)
    return False


async def gather(
    ground: Ground, watch: Watch, accepted: Sequence[Accepted], poison: Sequence[tuple[str, int, int]]
) -> dict[str, Any]:
    """The fields of `chaos.judge.Evidence` that the deployment has."""
    async with httpx.AsyncClient(base_url=ground.url, timeout=20.0, trust_env=False) as http:
        found = await asyncio.gather(*_batches(http, [job.id for job in accepted]))
        inbox = await _inbox(http)
    return {
        "accepted": accepted,
        "jobs": {identity: job for batch in found for identity, job in batch.items()},
        "ledger": [LedgerRow(*row) for row in ground.rows(LEDGER)],
        "inbox": inbox,
        "letters": [(topic, partition, offset) for topic, partition, offset in ground.rows(LETTERS)],
        "poison": poison,
        "disturbances": watch.disturbances,
        "mail_timeout_s": MAIL_TIMEOUT_S,
    }


def _batches(http: httpx.AsyncClient, ids: Sequence[str], lanes: int = 4) -> list[Any]:
    return [_jobs(http, ids[lane::lanes]) for lane in range(lanes)]


async def _jobs(http: httpx.AsyncClient, ids: Sequence[str]) -> dict[str, Any]:
    return {identity: job for identity in ids if (job := await _ask(http, f"/v1/jobs/{identity}")) is not None}


async def _inbox(http: httpx.AsyncClient) -> list[tuple[str, str]]:
    lines: list[tuple[str, str]] = []
    query = "limit=100"
    while True:
        page = await _ask(http, f"/v1/notifications?{query}")
        lines += [(line["job_id"], line["event"]) for line in page["items"]]
        if page["next"] is None:
            return lines
        query = f"limit=100&cursor={page['next']}"


async def _ask(http: httpx.AsyncClient, path: str) -> Any:
    """The answer, None for 404; a worker that is away is waited for, since nobody kills it any more."""
    end = time.monotonic() + 60.0
    while True:
        with suppress(httpx.TransportError):
            answer = await http.get(path)
            if answer.status_code == 404:
                return None
            if answer.status_code == 200:
                return answer.json()
        if time.monotonic() > end:
            raise TimeoutError(f"{path} is not answered: is the worker up?")
        await asyncio.sleep(0.5)


async def chunks_again(ground: Ground) -> tuple[int, int]:
    """How many chunks have a result on the topic, and how many computations there were beyond one for each."""
    topic = f"{PREFIX}results"
    places = [TopicPartition(topic, number) for number in range(PARTITIONS)]
    consumer = AIOKafkaConsumer(bootstrap_servers=ground.address, enable_auto_commit=False)
    found: Counter[tuple[Any, ...]] = Counter()
    try:
        await consumer.start()
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        ends = await consumer.end_offsets(places)
        while any([await consumer.position(place) < ends[place] for place in places]):
            for messages in (await consumer.getmany(timeout_ms=500)).values():
                found.update(key for message in messages if (key := _chunk(message)) is not None)
    finally:
        await consumer.stop()
    return len(found), sum(found.values()) - len(found)


def _chunk(message: Any) -> tuple[Any, ...] | None:
    """Which chunk a result is of; None for what the driver itself put there."""
    if message.headers:
        return None
    fields = json.loads(message.value)
    return tuple(fields[name] for name in ("tenant", "job_id", "run", "step", "predictor", "chunk"))
