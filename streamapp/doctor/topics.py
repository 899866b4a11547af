"""The topics: whether each is there, as wide, as long-lived and as safe as the settings want it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka.errors import TopicAuthorizationFailedError

from streamapp.doctor.finding import Finding, ok, problem, skipped, warning
from streamapp.doctor.ground import Ground
from streamapp.doctor.kafka_configs import of_topics
from streamapp.settings import Settings
from streamapp.topics import DAY_MS, TopicSpec, describe, specs

__all__ = ["Topic", "check_topics", "judged"]

CONFIGS = ("retention.ms", "max.message.bytes", "cleanup.policy", "min.insync.replicas")
SAFE_REPLICAS = 3


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as the broker describes it: (leader, replicas, those in sync) of each partition, and its settings."""

    partitions: Sequence[tuple[int, int, int]]
    configs: Mapping[str, str]


async def check_topics(ground: Ground) -> Sequence[Finding]:
    """Compare what there is with what `streamapp.topics` would make."""
    if reason := await ground.missing():
        return [skipped(f"Not looked at: {reason}.")]
    wanted = specs(ground.settings, (await ground.registry()).predictors)
    async with ground.admin() as admin:
        described = await describe(admin, [spec.name for spec in wanted])
        there = {topic["topic"]: topic["partitions"] for topic in described if topic["error_code"] == 0}
        hidden = [topic["topic"] for topic in described if topic["error_code"] == TopicAuthorizationFailedError.errno]
        configs = await of_topics(admin, there, CONFIGS)
        brokers = len((await admin.describe_cluster())["brokers"])
    topics = {name: Topic([_seen(each) for each in parts], configs.get(name, {})) for name, parts in there.items()}
    return [
        *_hidden(hidden),
        *judged([spec for spec in wanted if spec.name not in hidden], topics, ground.settings, brokers),
    ]


def judged(
    wanted: Sequence[TopicSpec], topics: Mapping[str, Topic], settings: Settings, brokers: int
) -> Sequence[Finding]:
    """What is to be said of topics like these, on that many brokers."""
    findings = [
        *_missing([spec.name for spec in wanted if spec.name not in topics], settings.topic_create),
        *(finding for spec in wanted if spec.name in topics for finding in _one(spec, topics[spec.name], settings)),
        *_replicas(topics, settings.topic_replicas, brokers),
    ]
    said = f"{len(topics)} topics are there as they should be, {settings.topic_partitions} partitions each but two."
    return findings or [ok(said)]


def _hidden(names: Sequence[str]) -> Iterator[Finding]:
    if names:
        yield problem(
            f"This user may not see the topics {', '.join(names)}.",
            "Give it the rights that docs/operations.md names (A broker that asks who is there).",
        )


def _missing(names: Sequence[str], create: bool) -> Iterator[Finding]:
    if names:
        by_itself = ", or start a worker, which does the same" if create else ""
        yield problem(
            f"Topics are missing: {', '.join(names)}.", f"Create them with `streamapp topics --create`{by_itself}."
        )


def _one(spec: TopicSpec, topic: Topic, settings: Settings) -> Iterator[Finding]:
    name, there = spec.name, len(topic.partitions)
    partitions = spec.partitions or settings.topic_partitions
    if there < partitions:
        yield problem(
            f"Topic {name} has {there} partitions, and STREAMAPP_TOPIC_PARTITIONS asks for {partitions}.",
            f"Add them (kafka-topics.sh --alter --topic {name} --partitions {partitions}) and start the workers again, "
            f"or set STREAMAPP_TOPIC_PARTITIONS={there}.",
        )
    elif there > partitions:
        yield warning(
            f"Topic {name} has {there} partitions, and STREAMAPP_TOPIC_PARTITIONS asks for {partitions}.",
            f"Set STREAMAPP_TOPIC_PARTITIONS={there}: partitions can't be taken away.",
        )
    if leaderless := [number for number, part in enumerate(topic.partitions) if part[0] < 0]:
        yield problem(f"Partitions of topic {name} have no leader: {leaderless}.", "Start the brokers that have them.")
    elif behind := [number for number, part in enumerate(topic.partitions) if part[2] < part[1]]:
        yield warning(
            f"Copies of topic {name} are behind, of the partitions {behind}.", "Look at the brokers that have them."
        )
    yield from _configured(spec, topic.configs)


def _configured(spec: TopicSpec, configs: Mapping[str, str]) -> Iterator[Finding]:
    name, alter = spec.name, f"kafka-configs.sh --alter --topic {spec.name} --add-config"
    kept = int(configs.get("retention.ms", spec.retention_ms))
    days, wanted_days = kept / DAY_MS, spec.retention_ms / DAY_MS
    if 0 <= kept < spec.retention_ms:
        yield problem(
            f"Topic {name} keeps messages for {days:g} days, and {wanted_days:g} are wanted: what is accepted may be "
            "deleted unread.",
            f"{alter} retention.ms={spec.retention_ms}, or set STREAMAPP_TOPIC_DAYS lower.",
        )
    elif kept > spec.retention_ms:
        yield warning(
            f"Topic {name} keeps messages for {days:g} days, and {wanted_days:g} are wanted: jobs may be forgotten "
            "before their messages are.",
            f"{alter} retention.ms={spec.retention_ms}, or set STREAMAPP_TOPIC_DAYS higher.",
        )
    largest = int(configs.get("max.message.bytes", spec.max_message_bytes))
    if largest < spec.max_message_bytes:
        yield problem(
            f"Topic {name} takes messages of {largest} bytes at most, and larger ones are sent.",
            f"{alter} max.message.bytes={spec.max_message_bytes}",
        )
    if "compact" in configs.get("cleanup.policy", "delete"):
        yield problem(
            f"Topic {name} is compacted: of messages with one key only the last is kept.",
            f"{alter} cleanup.policy=delete",
        )


def _replicas(topics: Mapping[str, Topic], wanted: int, brokers: int) -> Iterator[Finding]:
    fewest = min((part[1] for topic in topics.values() for part in topic.partitions), default=wanted)
    if fewest < wanted:
        yield warning(
            f"Topics have {fewest} replicas, and STREAMAPP_TOPIC_REPLICAS asks for {wanted}.",
            "Add replicas with kafka-reassign-partitions.sh: a topic that exists is not changed by the setting.",
        )
    elif fewest < min(SAFE_REPLICAS, brokers):
        yield warning(
            f"Topics have {fewest} replicas on {brokers} brokers: when one is lost, so is what only it had.",
            f"Set STREAMAPP_TOPIC_REPLICAS={min(SAFE_REPLICAS, brokers)} for new topics, and reassign those there are.",
        )
    single = [n for n, topic in topics.items() if fewest >= SAFE_REPLICAS and _least_in_sync(topic) < 2]
    if single:
        yield warning(
            f"A message counts as stored when one broker has it (min.insync.replicas) in {', '.join(single)}.",
            "Set min.insync.replicas=2 for these topics with kafka-configs.sh.",
        )


def _least_in_sync(topic: Topic) -> int:
    return int(topic.configs.get("min.insync.replicas", "2"))


def _seen(partition: Mapping[str, Any]) -> tuple[int, int, int]:
    return int(partition["leader"]), len(partition["replicas"]), len(partition["isr"])
