"""Where things are, from the environment, with the usual defaults; and the Kafka clients made from it."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from kafka import KafkaConsumer, KafkaProducer

__all__ = ["INBOX", "MAIL_FROM", "SMTP", "consumer", "producer", "say_ready"]

BROKER = os.environ.get("ORIGIN_BROKER", "127.0.0.1:9092")
SMTP = (os.environ.get("ORIGIN_SMTP_HOST", "127.0.0.1"), int(os.environ.get("ORIGIN_SMTP_PORT", "1025")))
INBOX = os.environ.get("ORIGIN_INBOX", "notifications.db")
MAIL_FROM = "results@localhost"
LARGEST_BYTES = 8 * 1024 * 1024  # a book as JSON comes close to the default of 1 MiB


def producer() -> Any:
    """A producer of raw bytes."""
    return KafkaProducer(bootstrap_servers=BROKER, max_request_size=LARGEST_BYTES)


def consumer(topic: str) -> Any:
    """A consumer of JSON without a group, so it reads what arrives while it runs."""
    return KafkaConsumer(
        topic,
        bootstrap_servers=BROKER,
        value_deserializer=lambda value: json.loads(value),
        max_partition_fetch_bytes=LARGEST_BYTES,
    )


def say_ready(reader: Any) -> None:
    """Wait until the consumer knows where it begins, and say so: what is sent before that is not read by anybody."""
    while not reader.assignment():
        reader.poll(timeout_ms=100)
    for partition in reader.assignment():
        reader.position(partition)
    sys.stderr.write("ready\n")
    sys.stderr.flush()
