"""The same for librdkafka, which a Flask site publishes with: what `Kafka` shows the broker, by its names for it.

https://github.com/confluentinc/librdkafka/blob/master/CONFIGURATION.md. It verifies certificate and name unless told
otherwise, and nothing here tells it.
"""

from __future__ import annotations

from streamapp.kafka.access import Kafka, password_of
from streamapp.settings_broker import BrokerSettings

__all__ = ["librdkafka_options"]


def librdkafka_options(settings: BrokerSettings) -> dict[str, str]:
    """Its configuration, as far as it is about whom to reach and how to be let in.

    Raises `ConfigurationError` that names the file that can't be used, as `Kafka.of` does.
    """
    Kafka.of(settings)  # the files are read here first: librdkafka would fail later, with words of its own
    options = {"bootstrap.servers": settings.broker, "security.protocol": settings.broker_security}
    if settings.broker_security.startswith("SASL"):
        options |= {
            "sasl.mechanism": settings.broker_mechanism,
            "sasl.username": settings.broker_username,
            "sasl.password": password_of(settings).get_secret_value(),
        }
    files = {
        "ssl.ca.location": settings.broker_ca_file,
        "ssl.certificate.location": settings.broker_cert_file,
        "ssl.key.location": settings.broker_cert_file and (settings.broker_key_file or settings.broker_cert_file),
        "ssl.key.password": settings.broker_key_password.get_secret_value(),
    }
    return options | {name: value for name, value in files.items() if value}
