"""Where Kafka is and what it is shown, in one place: every client of this project is made with these options.

A client that was made without them would work on a developer's machine and nowhere else, so a test looks for such.
"""

from __future__ import annotations

import logging
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from streamapp.errors import ConfigurationError
from streamapp.settings_broker import BrokerSettings

__all__ = ["Kafka", "password_of"]


@dataclass(frozen=True, slots=True)
class Kafka:
    """A broker, by its bootstrap servers, and how to be let in. It shows no password, whoever prints it."""

    servers: str
    security: str = "PLAINTEXT"
    mechanism: str = ""
    username: str = ""
    password: SecretStr = field(default=SecretStr(""), repr=False)
    context: ssl.SSLContext | None = field(default=None, repr=False)

    @classmethod
    def of(cls, settings: BrokerSettings) -> Kafka:
        """As the settings say. Reads their files; raises `ConfigurationError` that names the one that can't be used."""
        with_tls, with_login = settings.broker_security.endswith("SSL"), settings.broker_security.startswith("SASL")
        return cls(
            settings.broker,
            settings.broker_security,
            settings.broker_mechanism,
            settings.broker_username,
            password_of(settings) if with_login else SecretStr(""),
            _context(settings) if with_tls else None,
        )

    @property
    def addresses(self) -> list[str]:
        """The bootstrap servers, one by one."""
        return [address.strip() for address in self.servers.split(",")]

    @property
    def options(self) -> dict[str, Any]:
        """The keyword arguments for any client of aiokafka."""
        return {"bootstrap_servers": self.addresses, **self.login}

    @property
    def login(self) -> dict[str, Any]:
        """The same without the addresses, as for a single connection."""
        options: dict[str, Any] = {"security_protocol": self.security, "ssl_context": self.context}
        if self.mechanism:
            _keep_quiet()
            options |= {
                "sasl_mechanism": self.mechanism,
                "sasl_plain_username": self.username,
                "sasl_plain_password": self.password.get_secret_value(),
            }
        return options


def password_of(settings: BrokerSettings) -> SecretStr:
    """The password, or the one in the file. Raises `ConfigurationError` that names that file."""
    if not settings.broker_password_file:
        return settings.broker_password
    try:
        text = Path(settings.broker_password_file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _unusable("BROKER_PASSWORD_FILE", settings.broker_password_file, error) from None
    password = text.removesuffix("\n").removesuffix("\r")
    if not password:
        raise ConfigurationError(f"STREAMAPP_BROKER_PASSWORD_FILE: {settings.broker_password_file} is empty.")
    return SecretStr(password)


def _context(settings: BrokerSettings) -> ssl.SSLContext:
    """One that verifies the certificate and the name, by the authorities of the file or of this machine."""
    try:
        context = ssl.create_default_context(cafile=settings.broker_ca_file or None)
    except (OSError, ValueError) as error:
        raise _unusable("BROKER_CA_FILE", settings.broker_ca_file, error) from None
    if settings.broker_cert_file:
        key = settings.broker_key_password.get_secret_value()
        try:  # a password in any case: without one, OpenSSL would ask whoever sits at the terminal, and wait
            context.load_cert_chain(settings.broker_cert_file, settings.broker_key_file or None, lambda: key)
        except (OSError, ValueError) as error:
            names = ", ".join(filter(None, (settings.broker_cert_file, settings.broker_key_file)))
            raise _unusable("BROKER_CERT_FILE and its key", names, error) from None
    return context


def _unusable(variable: str, name: str, error: Exception) -> ConfigurationError:
    said = getattr(error, "strerror", None) or str(error)
    return ConfigurationError(f"STREAMAPP_{variable}: {name} can't be used: {said}.")


class _Login(logging.Filter):
    """Holds back what aiokafka logs of a login at level debug: the request as it is, password and all."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record has no such request or answer in it."""
        arguments = record.args if isinstance(record.args, tuple) else ()
        return not any(type(each).__name__.startswith("SaslAuthenticate") for each in arguments)


_LOGIN = _Login()


def _keep_quiet() -> None:
    logging.getLogger("aiokafka.conn").addFilter(_LOGIN)  # once: what is there already is not added again
