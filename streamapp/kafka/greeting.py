"""Whether a broker lets us in, and if not, why, in a sentence that says what to change.

Kafka's client tries each server, logs what it met, and raises that it can't bootstrap: a wrong password looks like an
unplugged cable. So where a client could not start, one connection is made here to see what comes of it.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from aiokafka.conn import AIOKafkaConnection, collect_hosts, create_conn
from aiokafka.errors import (
    IllegalSaslStateError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)
from aiokafka.protocol.metadata import MetadataRequest

from streamapp.errors import BrokerUnavailable, ConfigurationError, StreamappError
from streamapp.kafka.access import Kafka

__all__ = ["Greeting", "explained", "greet"]

logger = logging.getLogger(__name__)

ANSWER_S = 5.0
FAILURES = (KafkaError, OSError, EOFError, TimeoutError)
REFUSED = ("CERTIFICATE", "UNKNOWN_CA", "HANDSHAKE_FAILURE", "ACCESS_DENIED")  # in an alert that came from there
NO_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG", "HTTP_REQUEST")


class Greeting(NamedTuple):
    """The server that answered, which requests it takes (the least and the greatest version, by number), and where the
    cluster's brokers are, as it says.
    """

    address: str
    apis: Mapping[int, tuple[int, int]]
    brokers: Sequence[str]


async def greet(kafka: Kafka, timeout_s: float = ANSWER_S) -> Greeting:
    """Log in and ask for the cluster's metadata, of one server after the other until one answers.

    Each server has `timeout_s` seconds. Raises `ConfigurationError` where one refuses what it is shown, or shows what
    is not to be trusted, and `BrokerUnavailable` where none answers.
    """
    refused: StreamappError | None = None
    for host, port, _ in collect_hosts(kafka.addresses):
        try:
            async with asyncio.timeout(timeout_s):
                connection = await create_conn(host, port, request_timeout_ms=int(timeout_s * 1000), **kafka.login)
                brokers = await _brokers(connection)
            return Greeting(f"{host}:{port}", connection._versions, brokers)
        except FAILURES as error:
            refusal = _in_words(kafka, f"{host}:{port}", error)
            if refused is None or isinstance(refusal, ConfigurationError):
                refused = refusal
    raise refused or BrokerUnavailable("STREAMAPP_BROKER names no server.")


async def explained(kafka: Kafka, error: BaseException) -> StreamappError:
    """What to raise in place of an error of Kafka's client: the reason, if one connection shows it."""
    try:
        await greet(kafka)
    except StreamappError as reason:
        return reason
    said = str(error) or type(error).__name__
    return BrokerUnavailable(f"The broker at {kafka.servers} does not answer: {said}")


async def _brokers(connection: AIOKafkaConnection) -> list[str]:
    try:  # a listener that wants a login tells its versions to anybody, and parts with who then asks more
        metadata = await connection.send(MetadataRequest([]))
        return [f"{broker[1]}:{broker[2]}" for broker in metadata.brokers]
    finally:
        connection.close()


def _in_words(kafka: Kafka, address: str, error: BaseException) -> StreamappError:
    """What it means that `address` met us with this error."""
    for cause in _causes(error):
        if isinstance(cause, SaslAuthenticationFailed):
            return ConfigurationError(
                f"The broker at {address} refuses the login of {kafka.username!r} by {kafka.mechanism}: check "
                "STREAMAPP_BROKER_USERNAME and STREAMAPP_BROKER_PASSWORD."
            )
        if isinstance(cause, UnsupportedSaslMechanismError):
            return ConfigurationError(
                f"The broker at {address} takes no login by {kafka.mechanism}: set STREAMAPP_BROKER_MECHANISM to one "
                "that it takes (its sasl.enabled.mechanisms)."
            )
        if isinstance(cause, IllegalSaslStateError):
            return ConfigurationError(
                f"The broker at {address} knows no login on this listener: check the port in STREAMAPP_BROKER, or "
                "STREAMAPP_BROKER_SECURITY."
            )
        if isinstance(cause, ssl.SSLError):
            return _about_tls(address, cause)
    if isinstance(error, TimeoutError | OSError) and not isinstance(error, ConnectionResetError):
        said = getattr(error, "strerror", None) or str(error) or "it did not answer in time"
        return BrokerUnavailable(
            f"No Kafka broker answers at {address} ({said}): start it or correct STREAMAPP_BROKER."
        )
    return BrokerUnavailable(
        f"The broker at {address} closed the connection without a word: it may be starting, or its listener is for "
        f"something else than STREAMAPP_BROKER_SECURITY={kafka.security}."
    )


def _about_tls(address: str, error: ssl.SSLError) -> StreamappError:
    if isinstance(error, ssl.SSLCertVerificationError):
        return ConfigurationError(
            f"The certificate of the broker at {address} is not trusted ({error.verify_message}): name the authority "
            "that signed it in STREAMAPP_BROKER_CA_FILE, and the broker in STREAMAPP_BROKER as its certificate does."
        )
    reason = error.reason or str(error)
    if reason in NO_TLS:
        return ConfigurationError(
            f"What listens at {address} does not speak TLS: check the port in STREAMAPP_BROKER, or "
            "STREAMAPP_BROKER_SECURITY."
        )
    if any(sign in reason for sign in REFUSED):
        return ConfigurationError(
            f"The broker at {address} refuses this client's certificate, or the want of one ({reason}): check "
            "STREAMAPP_BROKER_CERT_FILE and STREAMAPP_BROKER_KEY_FILE."
        )
    return BrokerUnavailable(f"TLS with the broker at {address} fails: {reason}.")


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__
