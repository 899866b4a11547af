"""The broker: whether it lets us in, by which listener, and whether the addresses that it names can be reached.

A client uses the bootstrap servers only to ask where the brokers are; what it is told then is what it works with. That
the first works and the second does not is what goes wrong most often with a broker in a container.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping, Sequence

from streamapp.doctor.finding import Finding, ok, problem, skipped, warning
from streamapp.doctor.ground import Ground
from streamapp.doctor.kafka_configs import of_broker
from streamapp.kafka.access import Kafka
from streamapp.kafka.greeting import Greeting

__all__ = ["check_broker", "judged", "release"]

FETCH, DESCRIBE_CLUSTER = 1, 60  # of Kafka's protocol (https://kafka.apache.org/protocol)
DAY_MINUTES = 24 * 60


async def check_broker(ground: Ground) -> Sequence[Finding]:
    """Greet it, then each broker at the address that the cluster names. Raises `StreamappError` where none answers."""
    greeting = await ground.greeting()
    named = await ground.brokers()
    found = [_welcome(ground.kafka, greeting), *_in_the_clear(ground.kafka), *_advertised(named)]
    if all(named.values()):
        return found
    async with ground.admin() as admin:
        node = (await admin.describe_cluster())["brokers"][0]["node_id"]
        configs = await of_broker(admin, node, ("offsets.retention.minutes", "min.insync.replicas"))
    return [*found, *judged(configs, ground.settings.topic_days)]


def release(apis: Mapping[int, tuple[int, int]]) -> str:
    """Which Kafka it is, as far as the requests that it takes tell: a broker does not name its version."""
    if apis.get(FETCH, (0, 0))[0] >= 4:
        return "4.0 or newer"  # KIP-896 took the oldest requests away
    return "2.8 or newer" if DESCRIBE_CLUSTER in apis else "older than 2.8"


def judged(configs: Mapping[str, str], topic_days: float) -> list[Finding]:
    """What the broker's own settings mean for us."""
    minutes = configs.get("offsets.retention.minutes")
    if minutes is None:
        return [skipped("The broker does not tell its own settings to this user.")]
    days = int(minutes) / DAY_MINUTES
    if days < topic_days:
        return [
            warning(
                f"The broker forgets what a group that stands still has read after {days:g} days, before the topics' "
                f"{topic_days:g} days are over.",
                "Set offsets.retention.minutes higher there, or everything is read again after a longer stop.",
            )
        ]
    least = configs.get("min.insync.replicas", "not told")
    return [ok(f"Offsets are kept for {days:g} days; min.insync.replicas is {least} where a topic says nothing.")]


def _welcome(kafka: Kafka, greeting: Greeting) -> Finding:
    who = f" as {kafka.username!r} by {kafka.mechanism}" if kafka.mechanism else ""
    said = f"{greeting.address} answers by {kafka.security}{who}; it is Kafka {release(greeting.apis)}."
    if release(greeting.apis).startswith("older"):
        return warning(said, "Static membership and much else is tested with 4.x only: update the broker.")
    return ok(said)


def _in_the_clear(kafka: Kafka) -> list[Finding]:
    if kafka.security.endswith("SSL") or all(_is_here(address) for address in kafka.addresses):
        return []
    what = "the password and all documents" if kafka.mechanism == "PLAIN" else "all that is sent"
    return [
        warning(
            f"The broker is on another machine, and {what} can be read on the way: {kafka.security} encrypts nothing.",
            "Use a listener with TLS (STREAMAPP_BROKER_SECURITY=SASL_SSL or SSL), unless the network is yours alone.",
        )
    ]


def _is_here(address: str) -> bool:
    host = address.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _advertised(named: Mapping[str, str]) -> Iterator[Finding]:
    for address, why in named.items():
        if why:
            yield problem(
                f"The cluster names {address} as the address of a broker, which does not work from here. {why}",
                "Correct advertised.listeners on that broker, to what this machine reaches it by.",
            )
        else:
            yield ok(f"{address}, as the cluster names a broker, answers too.")
