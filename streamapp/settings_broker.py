"""The settings of how Kafka is reached, and which of them go together; a part of `streamapp.settings.Settings`.

There is none that turns verification off: with TLS, the broker shows a certificate for the name it is called by, signed
by an authority that is trusted, or nothing is sent to it.
"""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

__all__ = ["BrokerSettings"]

Security = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
Mechanism = Literal["", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]


class BrokerSettings(BaseSettings):
    """Where Kafka is, and what it is shown."""

    # a refused setting is said by its name; the whole input, which pydantic would add, has passwords in it
    model_config = SettingsConfigDict(frozen=True, hide_input_in_errors=True)

    broker: str = Field(
        "",
        description="Kafka's bootstrap servers, host:port, comma separated. Empty: `streamapp up` starts its own.",
    )
    broker_security: Security = Field(
        "PLAINTEXT",
        description="What that listener of the broker speaks: PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL. "
        "With SSL its certificate is always verified.",
    )
    broker_mechanism: Mechanism = Field(
        "", description="How to log in with SASL: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512."
    )
    broker_username: str = Field("", description="Who logs in.")
    broker_password: SecretStr = Field(SecretStr(""), description="The password.")
    broker_password_file: str = Field(
        "", description="A file with the password, in place of it; a line break at its end does not count."
    )
    broker_ca_file: str = Field(
        "", description="The authorities to trust, PEM, and no others. Empty: those that this machine trusts."
    )
    broker_cert_file: str = Field(
        "", description="This client's own certificate, PEM, with its chain, for a broker that asks for one."
    )
    broker_key_file: str = Field("", description="Its key, PEM. Empty: it is in the certificate's file.")
    broker_key_password: SecretStr = Field(SecretStr(""), description="The password that the key is encrypted with.")

    @field_validator("broker")
    @classmethod
    def _addresses(cls, value: str) -> str:
        wrong = [part for part in value.split(",") if value and not re.fullmatch(r"\s*[^\s/]+:\d{1,5}\s*", part)]
        if wrong:
            raise ValueError(f"{wrong[0]!r} is no host:port, such as localhost:9092")
        return value

    @model_validator(mode="after")
    def _login_is_whole(self) -> BrokerSettings:
        with_sasl, name = self.broker_security.startswith("SASL"), self.broker_security
        password = bool(self.broker_password.get_secret_value())
        given = {
            "STREAMAPP_BROKER_MECHANISM": bool(self.broker_mechanism),
            "STREAMAPP_BROKER_USERNAME": bool(self.broker_username),
            "STREAMAPP_BROKER_PASSWORD (or _FILE)": password or bool(self.broker_password_file),
        }
        if with_sasl and not all(given.values()):
            lacking = ", ".join(variable for variable, there in given.items() if not there)
            raise ValueError(f"with STREAMAPP_BROKER_SECURITY={name}, this is needed too: {lacking}")
        if not with_sasl and any(given.values()):
            vain = next(variable for variable, there in given.items() if there)
            raise ValueError(f"{vain} is set, and STREAMAPP_BROKER_SECURITY={name} knows no login: say SASL_SSL")
        if password and self.broker_password_file:
            raise ValueError("STREAMAPP_BROKER_PASSWORD and STREAMAPP_BROKER_PASSWORD_FILE are both set: set one")
        return self

    @model_validator(mode="after")
    def _certificates_are_used(self) -> BrokerSettings:
        files = ("broker_ca_file", "broker_cert_file", "broker_key_file")
        named = [f"STREAMAPP_{field.upper()}" for field in files if getattr(self, field)]
        if named and not self.broker_security.endswith("SSL"):
            raise ValueError(
                f"{named[0]} is set, and STREAMAPP_BROKER_SECURITY={self.broker_security} uses no certificates: say "
                "SSL or SASL_SSL"
            )
        if (self.broker_key_file or self.broker_key_password.get_secret_value()) and not self.broker_cert_file:
            raise ValueError("a key is set without its certificate: name it in STREAMAPP_BROKER_CERT_FILE")
        return self

    @model_validator(mode="after")
    def _own_broker_is_plain(self) -> BrokerSettings:
        if self.broker_security != "PLAINTEXT" and not self.broker:
            raise ValueError(
                f"STREAMAPP_BROKER_SECURITY={self.broker_security} needs STREAMAPP_BROKER: the broker that "
                "`streamapp up` starts listens on this machine alone, and is PLAINTEXT"
            )
        return self
