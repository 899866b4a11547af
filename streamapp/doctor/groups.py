"""The consumer groups: who is in them, and how far behind they are."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import UnknownTopicOrPartitionError

from streamapp.doctor.finding import Finding, ok, problem, skipped, warning
from streamapp.doctor.ground import Ground
from streamapp.jobs.offsets import Line, Offsets, Snapshot, lines
from streamapp.kafka.group import STEADY, describe_group
from streamapp.topics import describe

__all__ = ["Group", "behind", "check_groups", "judged"]

COMMITTED_S = 2.0  # workers commit what is done within a second of it (`streamapp.options`)

OFFSETS = "__consumer_offsets"  # Kafka makes it when somebody asks for a group for the first time
JOINING = ("PreparingRebalance", "CompletingRebalance")


@dataclass(frozen=True, slots=True)
class Group:
    """A group: what its workers are called, its state as Kafka says it, how many there are, and their lag by agent."""

    workers: str
    state: str
    members: int
    lag: Mapping[str, int]


async def check_groups(ground: Ground) -> Sequence[Finding]:
    """Ask for both groups."""
    if reason := await ground.missing():
        return [skipped(f"Not looked at: {reason}.")]
    group = ground.settings.group
    kinds = {group: "jobs workers", f"{group}-inference": "model workers"}
    wanted = lines(ground.settings, (await ground.registry()).predictors)
    async with ground.admin() as admin:
        there = {
            each["topic"]: each["error_code"] for each in await describe(admin, [OFFSETS, *(w.topic for w in wanted)])
        }
        had_groups = there[OFFSETS] != UnknownTopicOrPartitionError.errno
        lag = await _lag(ground, [line for line in wanted if had_groups and there[line.topic] == 0])
        seen = await _described(admin, kinds) if had_groups else {}
    groups = {
        name: Group(
            kind,
            *seen.get(name, ("Empty", 0)),
            {line.agent: lag[line.agent] for line in wanted if line.group == name and line.agent in lag},
        )
        for name, kind in kinds.items()
    }
    return [finding for name, each in groups.items() for finding in judged(name, each)]


async def _described(admin: AIOKafkaAdminClient, names: Iterable[str]) -> Mapping[str, tuple[str, int]]:
    """Each group's state, and how many are in it."""
    groups = {name: await describe_group(admin, name) for name in names}
    return {name: (group.state, len(group.members)) for name, group in groups.items()}


async def _lag(ground: Ground, wanted: Sequence[Line]) -> Mapping[str, int]:
    """By agent. Only of topics that are there: a broker may make those that it is asked about."""
    if not wanted:
        return {}
    offsets = Offsets(ground.kafka, wanted)
    try:
        first = then = await offsets.snapshot()
        if any(behind(first, first).values()):
            await asyncio.sleep(min(COMMITTED_S, ground.timeout_s / 3))
            then = await offsets.snapshot()
    finally:
        await offsets.close()
    return behind(first, then)


def behind(first: Snapshot, then: Snapshot) -> Mapping[str, int]:
    """By agent, how many messages that were there at first are not committed then either.

    One that is done waits for the next commit, and so there is always a model worker's beat that does.
    """
    return {
        agent: sum(max(0, part.end - then.get(agent, {}).get(number, part).done) for number, part in parts.items())
        for agent, parts in first.items()
    }


def judged(name: str, group: Group) -> Iterator[Finding]:
    """What is to be said of a group like this."""
    behind = ", ".join(f"{agent} {lag}" for agent, lag in group.lag.items() if lag)
    lag = f"behind by {behind}" if behind else "behind by nothing"
    if not group.members:
        yield problem(
            f"No {group.workers} are in the group {name}; it is {lag}.",
            "Start one, or see in its log why it does not join. After a start it takes some seconds.",
        )
    elif group.state in JOINING:
        yield warning(
            f"The {group.workers} in {name} are sharing out the partitions now ({group.state}).",
            "Look again in half a minute; if it stays so, workers come and go, and their logs say why.",
        )
    elif group.state != STEADY:
        yield warning(f"The group {name} is in the state {group.state}.", "Look at the workers' logs.")
    else:
        yield ok(f"{group.members} {group.workers} are in the group {name}; it is {lag}.")
