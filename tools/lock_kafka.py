"""Writes streamapp/embedded/kafka.lock: every jar of one version of Apache Kafka, with its SHA-256. Run by `make lock`.

Kafka's published dependencies leave out the binding that its own release ships between SLF4J and Log4j; without it
the broker logs nothing, so it is added here, in the version of the Log4j that Kafka asks for.

Usage: python tools/lock_kafka.py VERSION
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
from pathlib import Path

import jgo
from jgo.maven import MavenContext

__all__ = ["main"]

LOCK = Path(__file__).resolve().parent.parent / "streamapp" / "embedded" / "kafka.lock"
HEAD = (
    "# The jars of Apache Kafka, in class path order. Written by `make lock`; checked by streamapp/embedded/jars.py.\n"
)


def main(version: str) -> int:
    """Resolve, fetch, hash, write."""
    found = [
        (jar.groupId, jar.artifactId, jar.version) for jar in jgo.resolve(f"org.apache.kafka:kafka_2.13:{version}")
    ]
    log4j = next(jar[2] for jar in found if jar[1] == "log4j-core")
    found.append(("org.apache.logging.log4j", "log4j-slf4j-impl", log4j))
    with tempfile.TemporaryDirectory() as folder:
        context = MavenContext(repo_cache=Path(folder))
        lines = []
        for group, artifact, at in found:
            file = Path(context.project(group, artifact).at_version(at).artifact().resolve())
            lines.append(f"{group}:{artifact}:{at} sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}\n")
    LOCK.write_text(HEAD + "".join(lines), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
