"""A consumer group as its coordinator describes it: who is in it, what each reads, and what each was given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import ConsumerProtocol

__all__ = ["STEADY", "Group", "Member", "describe_group"]

STEADY = "Stable"  # what Kafka calls a group whose members all have what they were given


class Member(NamedTuple):
    """A member of a group: the broker's id for it, what it calls itself, the topics that it reads, and its partitions.

    A group that is not steady shows neither topics nor partitions.
    """

    id: str
    client: str
    reads: frozenset[str] = frozenset()
    has: frozenset[tuple[str, int]] = frozenset()


class Group(NamedTuple):
    """Its state, in Kafka's words, and its members."""

    state: str
    members: Sequence[Member]


async def describe_group(admin: AIOKafkaAdminClient, name: str) -> Group:
    """Ask for a group; one that nobody knows is `Dead`. Raises `KafkaError`."""
    [answer] = await admin.describe_consumer_groups([name])
    [group] = answer.to_object()["groups"]
    return Group(group["state"], [_member(each) for each in group["members"]])


def _member(given: Mapping[str, Any]) -> Member:
    metadata, assignment = given["member_metadata"], given["member_assignment"]
    return Member(
        given["member_id"],
        given["client_id"],
        frozenset(ConsumerProtocol.METADATA.decode(metadata).subscription) if metadata else frozenset(),
        frozenset(
            (topic, partition)
            for topic, partitions in (ConsumerProtocol.ASSIGNMENT.decode(assignment).assignment if assignment else ())
            for partition in partitions
        ),
    )
