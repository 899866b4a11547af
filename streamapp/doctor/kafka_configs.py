"""What a broker says of its own settings and of its topics'. A broker that keeps them to itself says nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

__all__ = ["of_broker", "of_topics"]


async def of_broker(admin: AIOKafkaAdminClient, node: int, names: Iterable[str]) -> Mapping[str, str]:
    """Those of these settings that the broker tells."""
    wanted = ConfigResource(ConfigResourceType.BROKER, str(node), dict.fromkeys(names, ""))
    return (await _asked(admin, [wanted])).get(str(node), {})


async def of_topics(
    admin: AIOKafkaAdminClient, topics: Iterable[str], names: Iterable[str]
) -> Mapping[str, Mapping[str, str]]:
    """The same of topics, by topic."""
    names = list(names)
    return await _asked(admin, [ConfigResource(ConfigResourceType.TOPIC, t, dict.fromkeys(names, "")) for t in topics])


async def _asked(admin: AIOKafkaAdminClient, wanted: list[ConfigResource]) -> dict[str, dict[str, str]]:
    if not wanted:
        return {}
    resources = [each for answer in await admin.describe_configs(wanted) for each in answer.resources]
    return {each[3]: {entry[0]: entry[1] for entry in each[4]} for each in resources if each[0] == 0}
