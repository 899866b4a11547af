"""The consumer groups: who is in them, and how far behind they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from streamapp.doctor.finding import Finding, ok, problem, skipped, warning
from streamapp.doctor.ground import Ground
from streamapp.jobs.offsets import Offsets, lines

__all__ = ["Group", "check_groups", "judged"]

STEADY = "Stable"
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
    offsets = Offsets(ground.kafka, wanted)
    try:
        seen = await offsets.snapshot()
    finally:
        await offsets.close()
    lag = {agent: sum(part.end - part.done for part in parts.values()) for agent, parts in seen.items()}
    async with ground.admin() as admin:
        answers = [answer for each in kinds for answer in await admin.describe_consumer_groups([each])]
    described = {each["group"]: each for answer in answers for each in answer.to_object()["groups"]}
    groups = {
        name: Group(
            kind,
            described[name]["state"],
            len(described[name]["members"]),
            {line.agent: lag[line.agent] for line in wanted if line.group == name and line.agent in lag},
        )
        for name, kind in kinds.items()
    }
    return [finding for name, each in groups.items() for finding in judged(name, each)]


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
