"""How one Kafka process is set up: its properties, its Java command line, its formatted storage.

One node is broker and controller at once (KRaft, KIP-500), listens on this machine only, and keeps a bounded amount.
"""

from __future__ import annotations

import base64
import subprocess
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from streamapp.embedded import StartError

__all__ = ["Kraft"]

MIB = 1024 * 1024

# C1 and the serial collector: on two cores ready in 2.0 s instead of 2.9 s, and fewer threads; enough for one node.
JVM = (
    "-Xmx512m",
    "-XX:TieredStopAtLevel=1",
    "-XX:+UseSerialGC",
    "-XX:+ExitOnOutOfMemoryError",
    "--sun-misc-unsafe-memory-access=allow",  # Kafka uses it, and Java 25 warns of that at each start
)

FIXED: Mapping[str, str | int] = {
    "process.roles": "broker,controller",
    "node.id": 1,
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    # topics are provisioned with the right partitions; one made by accident would have one and never be noticed
    "auto.create.topics.enable": "false",
    "default.replication.factor": 1,
    "offsets.topic.replication.factor": 1,
    "offsets.topic.num.partitions": 4,
    "transaction.state.log.replication.factor": 1,
    "transaction.state.log.min.isr": 1,
    "transaction.state.log.num.partitions": 4,
    "share.coordinator.state.topic.replication.factor": 1,
    "share.coordinator.state.topic.min.isr": 1,
    "share.coordinator.state.topic.num.partitions": 4,
    # an idle group must not lose its offsets and begin from the earliest message: a year
    "offsets.retention.minutes": 365 * 24 * 60,
    "group.initial.rebalance.delay.ms": 0,
    # after a kill the controller lets the node back in only when its last session has ended; the default is 9 s
    "broker.session.timeout.ms": 4000,
    "broker.heartbeat.interval.ms": 1000,
    # what a partition may keep, unless its topic says otherwise: a week, and 128 MiB in segments of 16
    "log.retention.hours": 7 * 24,
    "log.retention.bytes": 128 * MIB,
    "log.segment.bytes": 16 * MIB,
    "log.index.size.max.bytes": 1 * MIB,
    "log.cleaner.dedupe.buffer.size": 16 * MIB,  # of the heap; the default takes a quarter of it
    "message.max.bytes": 4 * MIB,
    "replica.fetch.max.bytes": 4 * MIB,
    "num.network.threads": 2,
    "num.io.threads": 4,
}


@dataclass(frozen=True, slots=True)
class Kraft:
    """One node's folder, ports and class path.

    `more` are properties beside ours or in place of them, `users` those that may log in with SCRAM, as Kafka's storage
    tool takes them; `streamapp up` needs neither, since it listens on this machine alone.
    """

    folder: Path
    logs: Path
    port: int
    controller_port: int
    jars: Sequence[Path]
    java: Path
    more: Mapping[str, str | int] = field(default_factory=dict)
    users: Sequence[str] = ()

    @property
    def address(self) -> str:
        """What clients use as bootstrap server."""
        return f"127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        """What the broker itself logs."""
        return self.logs / "broker.log"

    @property
    def properties_file(self) -> Path:
        """The broker's configuration; written anew at each start."""
        return self.folder / "server.properties"

    def properties(self) -> str:
        """The text of server.properties."""
        listeners = f"PLAINTEXT://{self.address},CONTROLLER://127.0.0.1:{self.controller_port}"
        values = {
            **FIXED,
            "listeners": listeners,
            "advertised.listeners": f"PLAINTEXT://{self.address}",
            # a static quorum: the port may differ next time, which a dynamic one would have written into its log
            "controller.quorum.voters": f"1@127.0.0.1:{self.controller_port}",
            "log.dirs": _escaped(self.folder / "data"),
            **self.more,
        }
        return "".join(f"{key}={value}\n" for key, value in values.items())

    def command(self, main_class: str, *arguments: str) -> list[str]:
        """The command line of one of Kafka's programs."""
        return [
            str(self.java),
            *JVM,
            f"-XX:ErrorFile={self.logs / 'broker-crash.log'}",
            f"-Dlog4j2.configurationFile={Path(__file__).with_name('log4j2.xml')}",
            f"-Dstreamapp.broker.log={self.log}",
            "-cp",
            ":".join(str(jar) for jar in self.jars),
            main_class,
            *arguments,
        ]

    def serve(self) -> list[str]:
        """The command line of the broker."""
        return self.command("kafka.Kafka", str(self.properties_file))

    def prepare(self) -> None:
        """Write the configuration, and format the storage unless it is. Blocks about a second the first time.

        Raises `StartError` with what Kafka's tool says.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self.logs.mkdir(parents=True, exist_ok=True)
        self.properties_file.write_text(self.properties(), encoding="utf-8")
        if (self.folder / "data" / "meta.properties").exists():
            return
        tool = self.command("kafka.tools.StorageTool", "format", "--ignore-formatted", "-t", _cluster_id())
        tool += [part for user in self.users for part in ("--add-scram", user)]
        done = subprocess.run([*tool, "-c", str(self.properties_file)], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            said = (done.stderr or done.stdout).strip().splitlines()
            raise StartError(
                f"Kafka's storage in {self.folder} can't be formatted: {said[-1] if said else 'no reason given'}"
            )


def _cluster_id() -> str:
    """A random UUID as Kafka writes it; never with a leading dash, which would read as an option."""
    number = bytearray(uuid.uuid4().bytes)
    number[0] &= 0x7F
    return base64.urlsafe_b64encode(number).decode().rstrip("=")


def _escaped(path: Path) -> str:
    """A path as java.util.Properties reads it; log.dirs is a list, so a comma can't be in it."""
    text = str(path)
    if "," in text or text != text.strip():
        raise StartError(
            f"Kafka can't keep its data in {path}: a comma or an outer space in STREAMAPP_HOME is not possible."
        )
    units = text.encode("utf-16-be")
    codes = [int.from_bytes(units[at : at + 2]) for at in range(0, len(units), 2)]
    return "".join(chr(code) if 32 <= code < 127 and code != ord("\\") else f"\\u{code:04x}" for code in codes)
